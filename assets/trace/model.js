/** @import { TraceData } from '../../src/sim/trace-data.js' */

/**
 * A message from its sending to its end. `endStep` is 0 while it is on its way when the run ends.
 * @typedef {{ step: number, endStep: number, fromUs: number, toUs: number, from: number, to: number, fate: string, isHeartbeat: boolean }} Message
 */

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

/**
 * What is known of a node after a step. Ballots are numbers of TraceData.ballots.
 * @typedef {{ condition: string, phase: string, ballot: number, promised: number, decidedUpTo: number, appliedUpTo: number, writeStep: number }} NodeState
 */

/** What becomes of a message that neither arrived nor was lost when the run ended. */
export const ON_ITS_WAY = 'on its way'
/** A state of all nodes is kept for every so many steps. */
const KEYFRAME_STEPS = 256

/** How a node or a client is after these kinds of events. */
const CONDITIONS = new Map([
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

/** A run: every event by its step, from 1, and what follows from the events. */
export class Trace {
  /** @param {TraceData} data */
  constructor(data) {
    const { columns } = data
    this.data = data
    this.count = columns.at.length
    this.atUs = new Float64Array(this.count + 1)
    for (let step = 1; step <= this.count; step++) this.atUs[step] = this.atUs[step - 1] + columns.at[step - 1]
    this.endUs = this.atUs[this.count] ?? 0
    this.type = byStep(columns.type)
    this.lane = byStep(columns.lane)
    this.peer = byStep(columns.peer)
    this.ballot = byStep(columns.ballot)
    this.slot = byStep(columns.slot)
    this.lastSlot = byStep(columns.lastSlot)
    this.link = byStep(columns.link)
    this.state = byStep(columns.state)
    this.value = byStep(columns.value)
    this.kindCode = byStep(columns.kind)
    this.laneNames = [...data.nodeIds.map((id) => `n${id}`), ...data.clients]
    this.nodeCount = data.nodeIds.length
    /** Of each step, the index of its message plus 1. */
    this.messageOf = new Int32Array(this.count + 1)
    this.messages = this.#makeMessages()
    /** The latest end of this and all earlier messages: whoever looks for those in view can stop there. */
    this.endsUpToUs = new Float64Array(this.messages.length)
    let latest = 0
    this.messages.forEach((message, i) => {
      latest = Math.max(latest, message.toUs)
      this.endsUpToUs[i] = latest
    })
    this.lanes = this.#makeLanes()
    this.faults = this.#makeFaults()
    this.keyframes = this.#makeKeyframes()
  }

  /** @param {number} step @returns {string} */
  kindOf(step) {
    return this.data.kinds[this.kindCode[step]] ?? ''
  }

  /** @param {number} step @returns {string} */
  typeName(step) {
    return this.data.types[this.type[step]]?.name ?? ''
  }

  /** The message that was sent or ended there. @param {number} step */
  messageAt(step) {
    return this.messages[this.messageOf[step] - 1]
  }

  /** `3.1`, or `-` for none. @param {number} ballot */
  ballotName(ballot) {
    return this.data.ballots[ballot - 1]?.join('.') ?? '-'
  }

  /** The lane of the node that leads in it; -1 for none. @param {number} ballot */
  laneOfBallot(ballot) {
    const nodeId = this.data.ballots[ballot - 1]?.[1]
    return nodeId === undefined ? -1 : this.data.nodeIds.indexOf(nodeId)
  }

  /** What happened, in words. @param {number} step */
  wordsOf(step) {
    const words = this.data.words[this.data.columns.words[step - 1]] ?? ''
    const message = this.messageAt(step)
    if (this.kindOf(step) === 'writeEnded') return words.replace('what it wrote', this.contentsOf(this.link[step]))
    if (message === undefined) return words
    return `${this.laneNames[message.from]} → ${this.laneNames[message.to]}: ${words} — ${this.#progressOf(step, message)}`
  }

  /** What a write writes. @param {number} step @returns {string} */
  contentsOf(step) {
    return this.wordsOf(step).replace(/^n\d+ writes /, '') || 'what it wrote'
  }

  /** The state of each node after a step. @param {number} step @returns {NodeState[]} */
  stateAfter(step) {
    const frame = Math.floor(step / KEYFRAME_STEPS)
    const states = structuredClone(this.keyframes[frame] ?? [])
    for (let at = frame * KEYFRAME_STEPS + 1; at <= step; at++) this.#change(states, at)
    return states
  }

  /** The last step at or before a time; 0 for none. @param {number} us */
  lastStepAt(us) {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if (this.atUs[middle] <= us) low = middle
      else high = middle - 1
    }
    return low
  }

  /** Calls `visit` for each message of which a part is between two times. @param {number} fromUs @param {number} toUs @param {(message: Message) => void} visit */
  forEachMessage(fromUs, toUs, visit) {
    for (let i = firstAtLeast(this.endsUpToUs, fromUs); i < this.messages.length; i++) {
      const message = this.messages[i]
      if (message.fromUs > toUs) return
      if (message.toUs >= fromUs) visit(message)
    }
  }

  /** @param {number} step @param {Message} message */
  #progressOf(step, message) {
    if (step === message.step) return this.link[step] === 0 ? 'sent' : 'sent a second time'
    switch (message.fate) {
      case 'delivered':
        return 'arrives'
      case 'waits':
        return 'arrives, and waits as the receiver is paused'
      case 'lost':
        return 'lost'
      case 'cut':
        return 'lost, as the link is cut'
      case 'refused':
        return 'refused by the receiver'
      default:
        return 'lost, as the receiver is down'
    }
  }

  #makeMessages() {
    /** @type {Message[]} */
    const messages = []
    const usualUs = this.#usualDelayUs()
    for (let step = 1; step <= this.count; step++) {
      const kind = this.kindOf(step)
      if (kind === 'sent') {
        const isHeartbeat = this.typeName(step).startsWith('heartbeat')
        const fromUs = this.atUs[step]
        const ends = { endStep: 0, toUs: Math.max(this.endUs, fromUs), fate: ON_ITS_WAY }
        messages.push({ step, fromUs, from: this.lane[step], to: this.peer[step], isHeartbeat, ...ends })
        this.messageOf[step] = messages.length
      } else if (kind === 'ended') {
        const message = messages[this.messageOf[this.link[step]] - 1]
        if (message === undefined) continue
        message.endStep = step
        message.fate = this.data.fates[this.state[step]] ?? ''
        // What is lost by chance is lost when it is sent: it is drawn as if on its way for the usual time.
        message.toUs = message.fate === 'lost' ? this.atUs[step] + usualUs : this.atUs[step]
        this.messageOf[step] = this.messageOf[this.link[step]]
      }
    }
    return messages
  }

  /** The median of the messages that arrived. */
  #usualDelayUs() {
    const delays = []
    for (let step = 1; step <= this.count; step++) {
      if (this.kindOf(step) === 'ended' && this.state[step] === 0) delays.push(this.atUs[step] - this.atUs[this.link[step]])
    }
    delays.sort((a, b) => a - b)
    return delays[delays.length >> 1] ?? 1_000
  }

  /** @returns {Lane[]} */
  #makeLanes() {
    const lanes = this.laneNames.map((name, i) => ({
      name,
      isNode: i < this.nodeCount,
      phases: /** @type {(Span & { ballot: number })[]} */ ([]),
      outages: /** @type {Span[]} */ ([]),
      writes: /** @type {Span[]} */ ([]),
      requests: /** @type {Span[]} */ ([]),
      requestRows: 0,
      applied: /** @type {number[]} */ ([]),
    }))
    for (const lane of lanes) if (lane.isNode) lane.outages.push(this.#spanFrom(0, 'not started'))
    /** @type {Map<number, Span>} */
    const requests = new Map()
    /** @type {Span[][]} */
    const rows = lanes.map(() => [])
    for (let step = 1; step <= this.count; step++) {
      const lane = lanes[this.lane[step]]
      if (lane === undefined) continue
      const kind = this.kindOf(step)
      if (CONDITIONS.has(kind)) this.#changeCondition(lane, step, CONDITIONS.get(kind) ?? '')
      else if (kind === 'phase' || kind === 'promised') this.#changePhase(lane, step)
      else if (kind === 'recovered') this.#beginPhase(lane, step, 'joining')
      else if (kind === 'applied') lane.applied.push(step)
      else if (kind === 'writeBegun') lane.writes.push(this.#spanFrom(step, 'under way'))
      else if (kind === 'writeEnded') {
        const write = lane.writes.findLast((span) => span.step === this.link[step])
        const outcome = this.data.outcomes[this.state[step]] ?? ''
        // A crash may lose what was written without a sync long ago.
        if (write?.endStep === 0) this.#end(write, step, outcome)
        else if (write !== undefined) write.label = outcome
      } else if (kind === 'asked' && this.link[step] === 0) {
        const request = this.#spanFrom(step, 'unanswered')
        takeRow(rows[this.lane[step]] ?? [], request)
        lane.requestRows = Math.max(lane.requestRows, request.row + 1)
        lane.requests.push(request)
        requests.set(step, request)
      } else if (kind === 'answered' || kind === 'gaveUp') {
        const request = requests.get(this.link[step])
        if (request?.endStep === 0) this.#end(request, step, kind === 'answered' ? kind : 'given up')
      }
    }
    return lanes
  }

  /** @param {Lane} lane @param {number} step @param {string} condition */
  #changeCondition(lane, step, condition) {
    const last = lane.outages.at(-1)
    if (last !== undefined && last.endStep === 0) this.#end(last, step)
    if (condition !== 'up') lane.outages.push(this.#spanFrom(step, condition))
    if (!lane.isNode || condition === 'paused' || this.kindOf(step) === 'woke') return
    const phase = lane.phases.at(-1)
    if (phase !== undefined && phase.endStep === 0) this.#end(phase, step)
    if (condition === 'up') this.#beginPhase(lane, step, 'starting')
  }

  /** @param {Lane} lane @param {number} step */
  #changePhase(lane, step) {
    if (this.kindOf(step) === 'phase') return this.#beginPhase(lane, step, this.data.phases[this.state[step]] ?? '')
    // Whoever promises another ballot while it follows, follows another leader.
    if (lane.phases.at(-1)?.label === 'following') this.#beginPhase(lane, step, 'following')
  }

  /** @param {Lane} lane @param {number} step @param {string} label */
  #beginPhase(lane, step, label) {
    const last = lane.phases.at(-1)
    if (last !== undefined && last.endStep === 0) this.#end(last, step)
    lane.phases.push({ ...this.#spanFrom(step, label), ballot: this.ballot[step] })
  }

  #makeFaults() {
    /** @type {(Span & { isMomentary: boolean })[]} */
    const faults = []
    /** @type {Span[]} */
    const rows = []
    for (let step = 1; step <= this.count; step++) {
      const kind = this.kindOf(step)
      if (kind === 'faultBegun') {
        const isMomentary = this.state[step] === 1
        const fault = { ...this.#spanFrom(step, this.wordsOf(step).replace(/^FAULT \w+: /, '')), isMomentary }
        if (isMomentary) this.#end(fault, step)
        takeRow(rows, fault)
        faults.push(fault)
      } else if (kind === 'faultEnded') {
        const fault = faults.find((span) => span.step === this.link[step])
        if (fault !== undefined) this.#end(fault, step)
      }
    }
    return faults
  }

  /** @param {number} step @param {string} label @returns {Span} */
  #spanFrom(step, label) {
    return { step, endStep: 0, fromUs: this.atUs[step], toUs: this.endUs, label, row: 0 }
  }

  /** @param {Span} span @param {number} step @param {string} [label] */
  #end(span, step, label = span.label) {
    span.endStep = step
    span.toUs = this.atUs[step]
    span.label = label
  }

  #makeKeyframes() {
    /** @type {NodeState[]} */
    const states = this.data.nodeIds.map(() => ({
      condition: 'not started',
      phase: '',
      ballot: 0,
      promised: 0,
      decidedUpTo: 0,
      appliedUpTo: 0,
      writeStep: 0,
    }))
    const frames = [structuredClone(states)]
    for (let step = 1; step <= this.count; step++) {
      this.#change(states, step)
      if (step % KEYFRAME_STEPS === 0) frames.push(structuredClone(states))
    }
    return frames
  }

  /** @param {NodeState[]} states @param {number} step */
  #change(states, step) {
    const state = states[this.lane[step]]
    if (state === undefined) return
    const kind = this.kindOf(step)
    const condition = CONDITIONS.get(kind)
    if (condition !== undefined) {
      state.condition = condition
      if (condition === 'paused' || kind === 'woke') return
      state.phase = condition === 'up' ? 'starting' : ''
      state.ballot = 0
      state.writeStep = 0
    } else if (kind === 'recovered') {
      state.phase = 'joining'
      state.promised = this.ballot[step]
      state.decidedUpTo = this.value[step]
      state.appliedUpTo = this.slot[step]
    } else if (kind === 'phase') {
      state.phase = this.data.phases[this.state[step]] ?? ''
      state.ballot = this.ballot[step]
    } else if (kind === 'promised') state.promised = this.ballot[step]
    else if (kind === 'decided') state.decidedUpTo = this.value[step]
    else if (kind === 'applied') state.appliedUpTo = this.slot[step]
    else if (kind === 'writeBegun') state.writeStep = step
    else if (kind === 'writeEnded') state.writeStep = 0
  }
}

/** A column with a 0 in front, so that steps are its indexes. @param {readonly number[]} column */
function byStep(column) {
  const numbers = new Int32Array(column.length + 1)
  numbers.set(column, 1)
  return numbers
}

/** The index of the first of ascending numbers that is at least `least`. @param {Float64Array} numbers @param {number} least */
function firstAtLeast(numbers, least) {
  let low = 0
  let high = numbers.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (numbers[middle] >= least) high = middle
    else low = middle + 1
  }
  return low
}

/** Gives the span the lowest row in which nothing goes on any more. @param {Span[]} rows the last span of each row @param {Span} span */
function takeRow(rows, span) {
  const free = rows.findIndex((last) => last.endStep !== 0 && last.toUs <= span.fromUs)
  span.row = free === -1 ? rows.length : free
  rows[span.row] = span
}
