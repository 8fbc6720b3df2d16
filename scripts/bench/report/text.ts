import { formatTable, styled } from '../../../src/cli/output.js'
import { mib } from '../../lib/sampling.js'
import { formatBound, type Ratio, ratioOf, verdictOf } from '../goal.js'
import type { Row, ScenarioResult } from '../scenario.js'

/** A scenario's tables, for a terminal. */
export function formatResult(title: string, { rows, ratios, notes = [] }: ScenarioResult): string {
  const head = ['', '', '/s', 'p50 ms', 'p99 ms', 'p99.9 ms', 'failed', 'CPU s/1,000: servers', 'client', 'peak memory']
  const parts = [`\n${styled('bold', title)}`, formatTable(head, rows.map(cellsOf))]
  if (ratios.length > 0) parts.push(formatTable(['', '', 'Synod', '', '', 'to reach', ''], ratios.map(ratioCells)))
  return [...parts, ...notes].join('\n')
}

function cellsOf({ point, rival, measurement }: Row): string[] {
  const { throughput, latency, failed, cpuPerThousand, peakMemory } = measurement
  const { client = 0, ...servers } = cpuPerThousand
  const { client: _, ...memory } = peakMemory
  return [
    point,
    rival,
    String(Math.round(throughput)),
    latency.p50.toFixed(2),
    latency.p99.toFixed(2),
    latency.p999.toFixed(2),
    String(failed),
    Object.values(servers)
      .reduce((sum, seconds) => sum + seconds, 0)
      .toFixed(3),
    client.toFixed(3),
    mib(Math.max(0, ...Object.values(memory))),
  ]
}

function ratioCells(ratio: Ratio): string[] {
  const { goal, of, values, unit } = ratio
  const verdict = verdictOf(ratio)
  const show = (value: number | undefined): string => (value === undefined ? '-' : `${Number(value.toPrecision(3))} ${unit}`)
  const value = ratioOf(ratio)
  const shown = value === undefined ? '-' : `${Number(value.toPrecision(3))}×`
  const style = verdict === 'PASS' ? 'green' : 'red'
  return [goal.figure, of, show(values?.ours), show(values?.theirs), shown, formatBound(goal.bound), styled(style, verdict)]
}
