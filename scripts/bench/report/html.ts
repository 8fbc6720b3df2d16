import { escape, htmlTable, linePlot, page } from '../../lib/plot.js'
import { verdictOf } from '../goal.js'
import { failuresIn, RATIO_HEAD, ROW_HEAD, ratioCells, rowCells, verdictWord } from './cells.js'
import { ratioPlot } from './ratio-plot.js'
import { type Finished, formatTally, type Report, tallyOf } from './report.js'

const CLASSES = { PASS: 'pass', FAIL: 'fail', skipped: 'note' } as const

/** The whole run as a page of its own. */
export function formatHtml(report: Report): string {
  const titled = report.finished.flatMap(({ scenario, outcome }) =>
    outcome instanceof Error ? [] : outcome.ratios.map((ratio) => ({ title: scenario.name, ratio })),
  )
  const judged = titled.map(({ title, ratio }) => {
    const verdict = { text: verdictWord(ratio), class: CLASSES[verdictOf(ratio)] }
    return [title, ...ratioCells(ratio), verdict]
  })
  const goals = [
    `<h2>Goals: ${formatTally(tallyOf(report))}</h2>`,
    ratioPlot(titled),
    htmlTable(['scenario', ...RATIO_HEAD], judged),
  ]
  return page('Synod, measured', report.facts, [...goals, ...report.finished.map(sectionOf)])
}

function sectionOf({ scenario, outcome }: Finished): string {
  const title = `<h2 id="${escape(scenario.name)}">${escape(scenario.title)}</h2>`
  if (outcome instanceof Error) return `${title}<p class="fail">broke off: ${escape(outcome.message)}</p>`
  const { rows, plots, notes = [] } = outcome
  const lines = [...failuresIn(rows), ...notes].map((line) => `<p class="note">${escape(line)}</p>`)
  return [title, htmlTable(ROW_HEAD, rows.map(rowCells)), ...lines, ...plots.map(linePlot)].join('\n')
}
