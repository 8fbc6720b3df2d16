import { formatBound, type Ratio, ratioOf, verdictOf } from '../goal.js'
import type { Row } from '../scenario.js'

// The words and figures of both tables, for the terminal and for the page.

export const ROW_HEAD = [
  'load',
  'who',
  'operations/s',
  'p50 ms',
  'p99 ms',
  'p99.9 ms',
  'failed',
  'CPU s/1,000: servers, each',
  'client',
  'peak MiB: servers',
  'client',
]

export function rowCells({ point, rival, measurement }: Row): string[] {
  const { throughput, latency, failed, cpuPerThousand, peakMemory } = measurement
  const { client: clientCpu = 0, ...serverCpu } = cpuPerThousand
  const { client: clientMemory = 0, ...serverMemory } = peakMemory
  const cpu = Object.values(serverCpu)
  const sum = cpu.reduce((total, seconds) => total + seconds, 0)
  return [
    point,
    rival,
    String(Math.round(throughput)),
    ...[latency.p50, latency.p99, latency.p999].map((ms) => ms.toFixed(2)),
    String(failed),
    cpu.length > 1 ? `${sum.toFixed(3)}: ${cpu.map((seconds) => seconds.toFixed(3)).join(' ')}` : sum.toFixed(3),
    clientCpu.toFixed(3),
    Object.values(serverMemory).map(mebibytes).join(' '),
    mebibytes(clientMemory),
  ]
}

export const RATIO_HEAD = ['goal', 'of', 'Synod', 'against', 'ratio', 'to reach', '']

/** Without the verdict. */
export function ratioCells(ratio: Ratio): string[] {
  const { goal, of, values, unit } = ratio
  const value = ratioOf(ratio)
  const show = (figure: number | undefined): string => (figure === undefined ? '-' : `${short(figure)} ${unit}`)
  const against = `${show(values?.theirs)} (${goal.against})`
  return [goal.figure, of, show(values?.ours), against, value === undefined ? '-' : `${short(value)}×`, formatBound(goal.bound)]
}

export function verdictWord(ratio: Ratio): string {
  const verdict = verdictOf(ratio)
  return verdict === 'skipped' ? 'not on this machine' : verdict
}

/** What is to be said below the rows: what failed, in its own words. */
export function failuresIn(rows: readonly Row[]): string[] {
  return rows.flatMap(({ point, rival, measurement: { failed, firstFailure } }) =>
    failed === 0 && firstFailure === undefined
      ? []
      : [`${rival}, ${point}: ${failed} failed: ${firstFailure ?? 'not begun in time'}`],
  )
}

function mebibytes(bytes: number): string {
  return (bytes / (1 << 20)).toFixed(0)
}

/** Three digits. */
function short(value: number): string {
  return String(value >= 1_000 ? Math.round(value) : Number(value.toPrecision(3)))
}
