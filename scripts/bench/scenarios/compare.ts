import type { Line, Plot } from '../../lib/plot.js'
import { alternate, type Contestant, medianMeasurement } from '../alternate.js'
import type { Goal, Ratio } from '../goal.js'
import type { LoadShape } from '../load.js'
import type { Context, Row, ScenarioResult } from '../scenario.js'
import type { Measurement } from '../types.js'

/** A goal that is one of a measurement's figures. */
export interface MeasuredGoal extends Goal {
  readonly figure: 'throughput' | 'p50' | 'p99'
}

/** The same work, done by Synod and by its rivals, at some numbers of operations in flight. */
export interface Comparison {
  readonly title: string
  readonly goals: readonly MeasuredGoal[]
  readonly inFlight: readonly number[]
  /** Synod comes first. */
  readonly contestants: readonly Competitor[]
}

export interface Competitor {
  /** 'Synod, SDK', 'etcd 3.4.23'. */
  readonly name: string
  /** One turn, with a fresh client. */
  readonly turn: (shape: LoadShape) => Promise<Measurement>
}

/** Alternates at each point, and holds Synod's medians against those of every rival. */
export async function compare(context: Context, comparison: Comparison): Promise<ScenarioResult> {
  const { contestants, goals } = comparison
  const rows: Row[] = []
  const ratios: Ratio[] = []
  for (const inFlight of comparison.inFlight) {
    const point = `${inFlight} in flight`
    context.note(`${comparison.title}: ${point}`)
    const turns = contestants.map(({ name, turn }): Contestant => ({ name, turn: () => turn({ inFlight }) }))
    const measurements = await alternate(turns, context.rounds)
    const medians = contestants.map(({ name }) => ({ name, measurement: medianMeasurement(measurements.get(name) ?? []) }))
    rows.push(...medians.map(({ name, measurement }) => ({ point, rival: name, measurement })))
    const [ours, ...others] = medians
    if (ours === undefined) continue
    for (const goal of goals) {
      if (others.length === 0) ratios.push({ goal, of: point, values: undefined, unit: unitOf(goal) })
      for (const { name, measurement } of others) {
        const values = { ours: figureOf(goal, ours.measurement), theirs: figureOf(goal, measurement) }
        ratios.push({ goal, of: `${point}, ${name}`, values, unit: unitOf(goal) })
      }
    }
  }
  return { rows, ratios, plots: rows.length > contestants.length ? [throughputAgainstLatency(comparison.title, rows)] : [] }
}

export function figureOf({ figure }: MeasuredGoal, { throughput, latency }: Measurement): number {
  switch (figure) {
    case 'throughput':
      return throughput
    case 'p50':
      return latency.p50
    case 'p99':
      return latency.p99
  }
}

export function unitOf({ figure }: MeasuredGoal): string {
  return figure === 'throughput' ? '/s' : 'ms'
}

/** One line a rival, one point for each number in flight. */
export function throughputAgainstLatency(title: string, rows: readonly Row[]): Plot {
  const rivals = [...new Set(rows.map(({ rival }) => rival))]
  const lines = rivals.map((name): Line => {
    const own = rows.filter(({ rival }) => rival === name)
    return { name, points: own.map(({ measurement: { throughput, latency } }) => [throughput, latency.p99]) }
  })
  return { title, xUnit: 'operations/s', yUnit: 'p99, ms', lines }
}
