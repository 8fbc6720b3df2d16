/** @import { TraceData } from '../../src/sim/trace/trace-data.js' */
import { makeFaults, makeLanes } from './spans.js'
import { NodeStates } from './states.js'

/**
 * A message from its sending to its end. `endStep` is 0 while it is on its way when the run ends.
 * @typedef {{ step: number, endStep: number, fromUs: number, toUs: number, from: number, to: number, fate: string, isHeartbeat: boolean }} Message
 */

/** What becomes of a message that neither arrived nor was lost when the run ended. */
export const ON_ITS_WAY = 'on its way'

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
    this.lanes = makeLanes(this)
    this.faults = makeFaults(this)
    this.states = new NodeStates(this)
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

  /** The write, request or fault that began or ended there. @param {number} step */
  spanAt(step) {
    const lane = this.lanes[this.lane[step]]
    const spans = [...(lane?.writes ?? []), ...(lane?.requests ?? []), ...this.faults]
    return spans.find((span) => span.step === step || span.endStep === step)
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
