/** @import { Trace } from './model.js' */
/** @import { NodeState } from './states.js' */
/** @import { Filters } from './filters.js' */
import { formatDuration } from './view.js'

/** So many events before and after the selected one are listed. */
const BEFORE = 7
const AFTER = 14

/** @param {string} id @returns {HTMLElement} */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no element ${id}`)
  return element
}

/**
 * An element with text and, if there are any, attributes. Text is never read as HTML.
 * @param {string} tag @param {string} [text] @param {Record<string, string>} [attributes]
 */
export function make(tag, text = '', attributes = {}) {
  const element = document.createElement(tag)
  element.textContent = text
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

/** @param {number} us */
export function formatTime(us) {
  return `${(us / 1_000_000).toFixed(6)} s`
}

/**
 * The selected event in words, with ways to go on from it.
 * @param {Trace} trace @param {number} step @param {{ select: (step: number) => void, filterBallot: (ballot: number) => void, filterSlot: (slot: number) => void }} actions
 */
export function renderDetails(trace, step, actions) {
  const box = byId('details')
  box.replaceChildren()
  if (step === 0)
    return box.append(make('p', 'Select an event: click in the diagram, or use the slider below.', { class: 'quiet' }))
  const previousUs = step > 1 ? trace.atUs[step - 1] : 0
  box.append(
    make('p', trace.wordsOf(step), { class: 'event-words' }),
    make(
      'p',
      `step ${step.toLocaleString('en')} of ${trace.count.toLocaleString('en')} · ${formatTime(trace.atUs[step])} · ${formatDuration(trace.atUs[step] - previousUs)} after the step before`,
      { class: 'quiet' },
    ),
  )
  const buttons = make('div', '', { class: 'buttons' })
  for (const [text, run] of actionsOf(trace, step, actions)) {
    const button = make('button', text, { type: 'button' })
    button.addEventListener('click', run)
    buttons.append(button)
  }
  box.append(buttons)
}

/** @param {Trace} trace @param {number} step @param {Parameters<typeof renderDetails>[2]} actions @returns {[string, () => void][]} */
function actionsOf(trace, step, { select, filterBallot, filterSlot }) {
  /** @type {[string, () => void][]} */
  const list = []
  const message = trace.messageAt(step)
  if (message !== undefined) {
    if (step !== message.step)
      list.push([`Sent ${formatDuration(trace.atUs[step] - message.fromUs)} before`, () => select(message.step)])
    else if (message.endStep !== 0)
      list.push([`${message.fate === 'delivered' ? 'Arrival' : 'End'}, step ${message.endStep}`, () => select(message.endStep)])
  } else if (trace.link[step] !== 0) list.push([`Began at step ${trace.link[step]}`, () => select(trace.link[step])])
  const span = trace.spanAt(step)
  if (span?.step === step && span.endStep > step) {
    list.push([`Ends ${formatDuration(span.toUs - span.fromUs)} later`, () => select(span.endStep)])
  }
  const ballot = trace.ballot[step]
  if (ballot !== 0) list.push([`Only ballot ${trace.ballotName(ballot)}`, () => filterBallot(ballot)])
  const slot = trace.slot[step]
  if (slot !== 0) list.push([`Only slot ${slot}`, () => filterSlot(slot)])
  return list
}

/** @param {Trace} trace @param {number} step @param {(lane: number) => string} colourOf */
export function renderStates(trace, step, colourOf) {
  const now = trace.states.after(step)
  const before = trace.states.after(Math.max(0, step - 1))
  byId('states').replaceChildren(
    ...now.map((state, i) => {
      const row = make('tr')
      const head = make('th', trace.laneNames[i], { scope: 'row' })
      head.style.borderLeftColor = colourOf(i)
      row.append(head)
      const previous = cellsOf(trace, before[i] ?? state)
      cellsOf(trace, state).forEach((text, column) => {
        const cell = make('td', text)
        if (text !== previous[column]) cell.className = 'changed'
        row.append(cell)
      })
      row.classList.toggle('is-down', state.condition !== 'up')
      row.classList.toggle('is-leading', state.phase === 'leading')
      return row
    }),
  )
}

/** @param {Trace} trace @param {NodeState} state */
function cellsOf(trace, { condition, phase, ballot, promised, decidedUpTo, appliedUpTo, writeStep }) {
  const doing = phase === 'leading' || phase === 'scouting' ? `${phase} ${trace.ballotName(ballot)}` : phase
  return [
    condition === 'up' ? doing : condition === 'paused' ? `paused (${doing})` : condition,
    trace.ballotName(promised),
    String(decidedUpTo),
    String(appliedUpTo),
    writeStep === 0 ? '' : '✎',
  ]
}

/** The shown events around a step. @param {Filters} filters @param {number} step @param {(step: number) => void} select */
export function renderAround(filters, step, select) {
  const { trace } = filters
  const steps = [step]
  for (let at = step, i = 0; i < BEFORE; i++) {
    const next = filters.neighbour(at, -1)
    if (next === at) break
    steps.unshift(next)
    at = next
  }
  for (let at = step, i = 0; i < AFTER; i++) {
    const next = filters.neighbour(at, 1)
    if (next === at) break
    steps.push(next)
    at = next
  }
  byId('around').replaceChildren(
    ...steps
      .filter((at) => at > 0)
      .map((at) => {
        const item = make('li')
        const button = make('button', '', { type: 'button', ...(at === step ? { 'aria-current': 'step' } : {}) })
        button.append(make('span', (trace.atUs[at] / 1_000_000).toFixed(6), { class: 'time' }), make('span', trace.wordsOf(at)))
        button.addEventListener('click', () => select(at))
        item.append(button)
        return item
      }),
  )
  scrollToCurrent()
}

/** The list alone, not the page around it. */
function scrollToCurrent() {
  const list = byId('around')
  const current = /** @type {HTMLElement | null} */ (list.querySelector('[aria-current]'))
  if (current === null) return
  list.scrollTop = current.offsetTop - (list.clientHeight - current.offsetHeight) / 3
}
