import { formatTable, styled } from '../../../src/cli/output.js'
import { verdictOf } from '../goal.js'
import { failuresIn, RATIO_HEAD, ROW_HEAD, ratioCells, rowCells, verdictWord } from './cells.js'
import type { Finished } from './report.js'

const STYLES = { PASS: 'green', FAIL: 'red', skipped: 'dim' } as const

/** A scenario's tables, for a terminal. */
export function formatFinished({ scenario, outcome, seconds }: Finished): string {
  const title = `\n${styled('bold', scenario.title)} (${scenario.name}, ${seconds.toFixed(0)} s)`
  if (outcome instanceof Error) return `${title}\n${styled('red', 'broke off:')} ${outcome.stack ?? outcome.message}`
  const { rows, ratios, notes = [] } = outcome
  const judged = ratios.map((ratio) => [...ratioCells(ratio), styled(STYLES[verdictOf(ratio)], verdictWord(ratio))])
  const tables = [formatTable(ROW_HEAD, rows.map(rowCells)), ...(judged.length > 0 ? [formatTable(RATIO_HEAD, judged)] : [])]
  return [title, tables.join('\n\n'), ...failuresIn(rows), ...notes].join('\n')
}
