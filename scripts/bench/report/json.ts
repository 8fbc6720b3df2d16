import { ratioOf, verdictOf } from '../goal.js'
import { type Report, tallyOf } from './report.js'

/** Everything that was measured, for programs: throughput per second, latencies in ms, CPU in s per 1,000 operations, memory in bytes. */
export function formatJson(report: Report): string {
  const scenarios = report.finished.map(({ scenario: { name, title }, seconds, outcome }) =>
    outcome instanceof Error
      ? { name, title, seconds, error: outcome.message }
      : {
          name,
          title,
          seconds,
          ...outcome,
          ratios: outcome.ratios.map((ratio) => ({ ...ratio, ratio: ratioOf(ratio), verdict: verdictOf(ratio) })),
        },
  )
  const { startedAt, facts } = report
  const whole = { startedAt: startedAt.toISOString(), facts: Object.fromEntries(facts), ...tallyOf(report), scenarios }
  return `${JSON.stringify(whole, undefined, 2)}\n`
}
