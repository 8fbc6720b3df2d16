import type { Line, Plot } from '../../lib/plot.js'
import { alternate, medianMeasurement } from '../alternate.js'
import type { Goal, Ratio } from '../goal.js'
import type { LoadShape } from '../load.js'
import type { Context, Row, ScenarioResult } from '../scenario.js'
import type { Measurement } from '../types.js'

/** Of the slowest rival's best throughput. */
const OPEN_LOOP_SHARE = 0.5

/** A goal that is one of a measurement's figures. */
export interface MeasuredGoal extends Goal {
  readonly figure: 'throughput' | 'p50' | 'p99'
}

/** The same work, done by Synod and by its rivals, at some numbers of operations in flight. */
export interface Comparison {
  readonly title: string
  readonly goals: readonly MeasuredGoal[]
  readonly inFlight: readonly number[]
  /** The first is held against the others. */
  readonly contestants: readonly Competitor[]
  /** After it, once more at a fixed rate that all of them can keep up with. It is shown, and not judged. */
  readonly isOpenLoopToo?: boolean
}

export interface Competitor {
  /** 'Synod, SDK', 'etcd 3.4.23'. */
  readonly name: string
  /** It is shown beside the others, and nothing is held against it. */
  readonly isShownOnly?: boolean
  /** One turn, with a fresh client. */
  readonly turn: (shape: LoadShape) => Promise<Measurement>
}

/** Alternates at each point, and holds the first one's medians against those of every rival. */
export async function compare(context: Context, comparison: Comparison): Promise<ScenarioResult> {
  const closed: Row[] = []
  const ratios: Ratio[] = []
  for (const inFlight of comparison.inFlight) {
    const rows = await measurePoint(context, comparison, `${inFlight} in flight`, { inFlight })
    closed.push(...rows)
    ratios.push(...comparison.goals.flatMap((goal) => ratiosOf(goal, rows, comparison.contestants)))
  }
  const plots = comparison.inFlight.length > 1 ? [throughputAgainstLatency(comparison, closed)] : []
  if (comparison.isOpenLoopToo !== true) return { rows: closed, ratios, plots }
  const ratePerSecond = roundDown(OPEN_LOOP_SHARE * leastOfTheBest(closed))
  const open = await measurePoint(context, comparison, `open loop, ${ratePerSecond}/s`, { ratePerSecond })
  return { rows: [...closed, ...open], ratios, plots }
}

async function measurePoint(context: Context, comparison: Comparison, point: string, shape: LoadShape): Promise<Row[]> {
  context.note(`${comparison.title}: ${point}`)
  const turns = comparison.contestants.map(({ name, turn }) => ({ name, turn: () => turn(shape) }))
  const measurements = await alternate(turns, context.rounds)
  return turns.map(({ name }) => ({ point, rival: name, measurement: medianMeasurement(measurements.get(name) ?? []) }))
}

/** One for each rival; where there is none, one that says so. */
function ratiosOf(goal: MeasuredGoal, rows: readonly Row[], contestants: readonly Competitor[]): Ratio[] {
  const [ours, ...others] = rows
  if (ours === undefined) return []
  const rivals = others.filter(({ rival }) => contestants.some(({ name, isShownOnly }) => name === rival && isShownOnly !== true))
  const unit = goal.figure === 'throughput' ? '/s' : 'ms'
  if (rivals.length === 0) return [{ goal, of: ours.point, values: undefined, unit }]
  return rivals.map(({ point, rival, measurement }) => {
    const values = { ours: figureOf(goal, ours.measurement), theirs: figureOf(goal, measurement) }
    return { goal, of: `${point}, ${rival}`, values, unit }
  })
}

function figureOf({ figure }: MeasuredGoal, { throughput, latency }: Measurement): number {
  return figure === 'throughput' ? throughput : latency[figure]
}

function leastOfTheBest(rows: readonly Row[]): number {
  const best = new Map<string, number>()
  for (const { rival, measurement } of rows) best.set(rival, Math.max(best.get(rival) ?? 0, measurement.throughput))
  return Math.min(...best.values())
}

/** To two digits, and 1 at least. */
function roundDown(rate: number): number {
  const unit = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(rate, 1))) - 1)
  return Math.max(1, Math.floor(rate / unit) * unit)
}

/** A line for each rival, a point for each number in flight. */
function throughputAgainstLatency({ title, inFlight }: Comparison, rows: readonly Row[]): Plot {
  const rivals = [...new Set(rows.map(({ rival }) => rival))]
  const lines = rivals.map((name): Line => {
    const own = rows.filter(({ rival }) => rival === name)
    return { name, points: own.map(({ measurement: { throughput, latency } }) => [throughput, latency.p99]) }
  })
  return {
    title: `${title}: by how many are in flight`,
    xUnit: 'operations/s',
    yUnit: 'p99, ms',
    lines,
    pointNames: inFlight.map(String),
  }
}
