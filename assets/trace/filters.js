/** @import { Trace } from './model.js' */
import { ON_ITS_WAY } from './model.js'

/** By what an event can fail to be shown, as bits. */
const BY_TYPE = 1
const BY_FATE = 2
const BY_LANE = 4
const BY_BALLOT = 8
const BY_SLOT = 16

/**
 * How many events each choice would show, given all the other filters.
 * @typedef {{ types: number[], fates: Map<string, number>, lanes: number[], ballots: number[], shown: number }} Counts
 */

/** Which events are shown: those that no filter hides. */
export class Filters {
  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace
    /** Indexes into TraceData.types. @type {Set<number>} */
    this.hiddenTypes = new Set()
    /** Of messages. @type {Set<string>} */
    this.hiddenFates = new Set()
    /** An event is hidden when every lane that it concerns is. @type {Set<number>} */
    this.hiddenLanes = new Set()
    /** 0 for any. */
    this.ballot = 0
    /** @type {{ first: number, last: number } | undefined} */
    this.slots = undefined
    this.isShown = new Uint8Array(trace.count + 1)
    this.counts = this.recount()
  }

  get isActive() {
    return this.counts.shown < this.trace.count
  }

  clear() {
    this.hiddenTypes.clear()
    this.hiddenFates.clear()
    this.hiddenLanes.clear()
    this.ballot = 0
    this.slots = undefined
    this.recount()
  }

  /** To be called after each change: looks at every event anew. @returns {Counts} */
  recount() {
    const { trace } = this
    /** @type {Counts} */
    const counts = {
      types: trace.data.types.map(() => 0),
      fates: new Map(),
      lanes: trace.laneNames.map(() => 0),
      ballots: [0, ...trace.data.ballots.map(() => 0)],
      shown: 0,
    }
    for (let step = 1; step <= trace.count; step++) {
      const hiddenBy = this.#hiddenBy(step)
      this.isShown[step] = hiddenBy === 0 ? 1 : 0
      if (hiddenBy === 0) counts.shown++
      if ((hiddenBy & ~BY_TYPE) === 0) counts.types[trace.type[step]]++
      if ((hiddenBy & ~BY_BALLOT) === 0) counts.ballots[trace.ballot[step]]++
      if ((hiddenBy & ~BY_LANE) === 0) {
        if (trace.lane[step] >= 0) counts.lanes[trace.lane[step]]++
        if (trace.peer[step] >= 0) counts.lanes[trace.peer[step]]++
      }
      const fate = trace.kindOf(step) === 'sent' ? this.#fateOf(step) : undefined
      if (fate !== undefined && (hiddenBy & ~BY_FATE) === 0) counts.fates.set(fate, (counts.fates.get(fate) ?? 0) + 1)
    }
    this.counts = counts
    return counts
  }

  /**
   * The next shown step after `step` (`direction` 1), or the one before (-1), on a lane if one is given; `step` when there is none.
   * @param {number} step @param {1 | -1} direction @param {number} [lane] @returns {number}
   */
  neighbour(step, direction, lane = -1) {
    const { trace } = this
    for (let at = step + direction; at >= 1 && at <= trace.count; at += direction) {
      if (this.isShown[at] === 1 && (lane < 0 || trace.lane[at] === lane || trace.peer[at] === lane)) return at
    }
    return step
  }

  /** @param {number} step */
  #fateOf(step) {
    return this.trace.messageAt(step)?.fate
  }

  /** @param {number} step */
  #hiddenBy(step) {
    const { trace } = this
    let hiddenBy = 0
    if (this.hiddenTypes.has(trace.type[step])) hiddenBy |= BY_TYPE
    if (this.hiddenFates.size > 0 && this.hiddenFates.has(this.#fateOf(step) ?? '')) hiddenBy |= BY_FATE
    if (this.hiddenLanes.size > 0 && this.#isLaneHidden(step)) hiddenBy |= BY_LANE
    if (this.ballot !== 0 && trace.ballot[step] !== this.ballot) hiddenBy |= BY_BALLOT
    if (this.slots !== undefined && (trace.lastSlot[step] < this.slots.first || trace.slot[step] > this.slots.last))
      hiddenBy |= BY_SLOT
    return hiddenBy
  }

  /** @param {number} step */
  #isLaneHidden(step) {
    const lane = this.trace.lane[step]
    const peer = this.trace.peer[step]
    if (lane < 0) return false
    return this.hiddenLanes.has(lane) && (peer < 0 || this.hiddenLanes.has(peer))
  }
}

/** The fates in the order in which they are shown. @param {Trace} trace */
export function fatesOf(trace) {
  return [...trace.data.fates, ON_ITS_WAY]
}

/** `55` or `50-60`; undefined for anything else. @param {string} text */
export function parseSlots(text) {
  const match = /^\s*(\d{1,9})\s*(?:[-–]\s*(\d{1,9})\s*)?$/.exec(text)
  if (match === null) return undefined
  const first = Number(match[1])
  const last = Number(match[2] ?? match[1])
  return first <= last ? { first, last } : { first: last, last: first }
}

/**
 * The shown steps whose words contain all of what is looked for, ascending: beginnings of words, whole numbers, and what stands in
 * quotation marks as it is.
 * @param {Filters} filters @param {string} text
 */
export function search({ trace, isShown }, text) {
  const patterns = [...text.matchAll(/"([^"]+)"|(\S+)/g)].map(([, quoted, word]) => {
    if (quoted !== undefined) return new RegExp(escapePattern(quoted), 'i')
    return new RegExp(`(?<![\\w.])${escapePattern(word)}${/\d$/.test(word) ? '(?![\\w.])' : ''}`, 'i')
  })
  const steps = []
  for (let step = 1; patterns.length > 0 && step <= trace.count; step++) {
    if (isShown[step] !== 1) continue
    const words = trace.wordsOf(step)
    if (patterns.every((pattern) => pattern.test(words))) steps.push(step)
  }
  return steps
}

/** @param {string} text */
function escapePattern(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
