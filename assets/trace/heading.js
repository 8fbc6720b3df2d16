/** @import { TraceData } from '../../src/sim/trace/trace-data.js' */
import { byId, make } from './panel.js'

/** So many facts about the run stand in the heading; the others are told when asked for. */
const FACTS_MAX = 6

/** What stands still: the verdict, and what there is to know about the run. @param {TraceData} data @param {() => void} goToFailure */
export function showRun(data, goToFailure) {
  const { title, facts, replay, schedule, faultTotals, plan } = data
  byId('title').textContent = title
  const first = facts.slice(0, FACTS_MAX).map(([name, value]) => `${name} ${value}`)
  byId('facts').textContent = first.join(' · ')
  byId('replay').textContent = replay
  showVerdict(data, goToFailure)
  showFacts('about-facts', facts)
  showFacts('about-faults', faultTotals)
  showFacts('about-plan', plan)
  byId('about-schedule').append(...schedule.map((line) => make('li', line)))
}

/** @param {TraceData} data @param {() => void} goToFailure */
function showVerdict({ failure, failureStep }, goToFailure) {
  const verdict = byId('verdict')
  if (failure === null) return verdict.append(make('b', '✓ Held'), make('span', 'No violation in this run.'))
  const button = make('button', `Go to step ${failureStep.toLocaleString('en')}`, { type: 'button', id: 'go-to-failure' })
  button.addEventListener('click', goToFailure)
  verdict.classList.add('is-broken')
  verdict.append(make('b', '✗ Broken'), make('span', failure), button)
}

/** @param {string} id @param {TraceData['facts']} facts */
function showFacts(id, facts) {
  for (const [name, value] of facts) {
    const row = make('tr')
    row.append(make('th', name, { scope: 'row' }), make('td', String(value)))
    byId(id).append(row)
  }
}
