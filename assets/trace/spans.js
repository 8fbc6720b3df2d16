/** @import { Trace } from './model.js' */

/**
 * Something on a lane that lasts: `step` began it, `endStep` ended it, 0 for never. `row` tells apart what overlaps on one lane.
 * @typedef {{ step: number, endStep: number, fromUs: number, toUs: number, label: string, row: number }} Span
 */

/**
 * @typedef {object} Lane
 * @property {string} name
 * @property {boolean} isNode
 * @property {(Span & { ballot: number })[]} phases of a node
 * @property {Span[]} outages when a node was down, paused, halted …, or a client dead or away; the label tells which
 * @property {Span[]} writes of a node; the label is the outcome
 * @property {Span[]} requests of a client; the label is `answered`, `given up` or `unanswered`
 * @property {number} requestRows so many requests at once at most
 * @property {number[]} applied the steps at which a node applied a slot
 */

/** How a node or a client is after these kinds of events. */
export const CONDITIONS = new Map([
  ['started', 'up'],
  ['woke', 'up'],
  ['crashed', 'down'],
  ['paused', 'paused'],
  ['stopped', 'stopped'],
  ['halted', 'halted'],
  ['directoryLost', 'disk lost'],
  ['clientDied', 'dead'],
  ['clientLeft', 'away'],
  ['clientBack', 'up'],
])

/** What goes on in each lane. @param {Trace} trace @returns {Lane[]} */
export function makeLanes(trace) {
  const lanes = trace.laneNames.map((name, i) => ({
    name,
    isNode: i < trace.nodeCount,
    phases: /** @type {(Span & { ballot: number })[]} */ ([]),
    outages: /** @type {Span[]} */ ([]),
    writes: /** @type {Span[]} */ ([]),
    requests: /** @type {Span[]} */ ([]),
    requestRows: 0,
    applied: /** @type {number[]} */ ([]),
  }))
  for (const lane of lanes) if (lane.isNode) lane.outages.push(spanFrom(trace, 0, 'not started'))
  /** By the steps at which they were asked first. @type {Map<number, Span>} */
  const requests = new Map()
  /** @type {Span[][]} */
  const rows = lanes.map(() => [])
  for (let step = 1; step <= trace.count; step++) {
    const lane = lanes[trace.lane[step]]
    if (lane === undefined) continue
    const kind = trace.kindOf(step)
    if (CONDITIONS.has(kind)) changeCondition(trace, lane, step, CONDITIONS.get(kind) ?? '')
    else if (kind === 'phase' || kind === 'promised') changePhase(trace, lane, step)
    else if (kind === 'recovered') beginPhase(trace, lane, step, 'joining')
    else if (kind === 'applied') lane.applied.push(step)
    else if (kind === 'writeBegun') lane.writes.push(spanFrom(trace, step, 'under way'))
    else if (kind === 'writeEnded') endWrite(trace, lane, step)
    else if (kind === 'asked' && trace.link[step] === 0) {
      requests.set(step, beginRequest(trace, lane, step, rows[trace.lane[step]] ?? []))
    } else if (kind === 'answered' || kind === 'gaveUp') {
      const request = requests.get(trace.link[step])
      if (request?.endStep === 0) end(trace, request, step, kind === 'answered' ? kind : 'given up')
    }
  }
  return lanes
}

/** @param {Trace} trace @param {Lane} lane @param {number} step */
function endWrite(trace, lane, step) {
  const write = lane.writes.findLast((span) => span.step === trace.link[step])
  const outcome = trace.data.outcomes[trace.state[step]] ?? ''
  // A crash may lose what was written without a sync long ago.
  if (write?.endStep === 0) end(trace, write, step, outcome)
  else if (write !== undefined) write.label = outcome
}

/** @param {Trace} trace @param {Lane} lane @param {number} step @param {Span[]} rows */
function beginRequest(trace, lane, step, rows) {
  const request = spanFrom(trace, step, 'unanswered')
  takeRow(rows, request)
  lane.requestRows = Math.max(lane.requestRows, request.row + 1)
  lane.requests.push(request)
  return request
}

/** @param {Trace} trace @param {Lane} lane @param {number} step @param {string} condition */
function changeCondition(trace, lane, step, condition) {
  const last = lane.outages.at(-1)
  if (last !== undefined && last.endStep === 0) end(trace, last, step)
  if (condition !== 'up') lane.outages.push(spanFrom(trace, step, condition))
  if (!lane.isNode || condition === 'paused' || trace.kindOf(step) === 'woke') return
  const phase = lane.phases.at(-1)
  if (phase !== undefined && phase.endStep === 0) end(trace, phase, step)
  if (condition === 'up') beginPhase(trace, lane, step, 'starting')
}

/** @param {Trace} trace @param {Lane} lane @param {number} step */
function changePhase(trace, lane, step) {
  if (trace.kindOf(step) === 'phase') return beginPhase(trace, lane, step, trace.data.phases[trace.state[step]] ?? '')
  // Whoever promises another ballot while it follows, follows another leader.
  if (lane.phases.at(-1)?.label === 'following') beginPhase(trace, lane, step, 'following')
}

/** @param {Trace} trace @param {Lane} lane @param {number} step @param {string} label */
function beginPhase(trace, lane, step, label) {
  const last = lane.phases.at(-1)
  if (last !== undefined && last.endStep === 0) end(trace, last, step)
  lane.phases.push({ ...spanFrom(trace, step, label), ballot: trace.ballot[step] })
}

/** What the nemesis did, in order. @param {Trace} trace */
export function makeFaults(trace) {
  /** @type {(Span & { isMomentary: boolean })[]} */
  const faults = []
  /** @type {Span[]} */
  const rows = []
  for (let step = 1; step <= trace.count; step++) {
    const kind = trace.kindOf(step)
    if (kind === 'faultBegun') {
      const isMomentary = trace.state[step] === 1
      const fault = { ...spanFrom(trace, step, trace.wordsOf(step).replace(/^FAULT \w+: /, '')), isMomentary }
      if (isMomentary) end(trace, fault, step)
      takeRow(rows, fault)
      faults.push(fault)
    } else if (kind === 'faultEnded') {
      const fault = faults.find((span) => span.step === trace.link[step])
      if (fault !== undefined) end(trace, fault, step)
    }
  }
  return faults
}

/** @param {Trace} trace @param {number} step @param {string} label @returns {Span} */
function spanFrom(trace, step, label) {
  return { step, endStep: 0, fromUs: trace.atUs[step], toUs: trace.endUs, label, row: 0 }
}

/** @param {Trace} trace @param {Span} span @param {number} step @param {string} [label] */
function end(trace, span, step, label = span.label) {
  span.endStep = step
  span.toUs = trace.atUs[step]
  span.label = label
}

/** Gives the span the lowest row in which nothing goes on any more. @param {Span[]} rows the last span of each row @param {Span} span */
function takeRow(rows, span) {
  const free = rows.findIndex((last) => last.endStep !== 0 && last.toUs <= span.fromUs)
  span.row = free === -1 ? rows.length : free
  rows[span.row] = span
}
