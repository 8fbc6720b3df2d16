import type { Membership } from './membership.js'
import type { NodeId } from './types.js'

/**
 * Where log time and the clocks differ, log time goes a hundredth slower or faster than elapsed time, towards them. So an oscillator that
 * is a little fast does not carry it away for good, and whatever ends by itself ends at most a hundredth early or late.
 */
const SLEW = 0.01
/** A leap of the clocks that elapsed time does not explain is followed by at most this much at once. */
const LEAP_MS_MAX = 3_600_000
/** Log time and a clock that differ by less than this agree. */
const TOLERANCE_MS = 10_000

interface Settings {
  /** Those that govern an open slot, the earliest first. */
  readonly memberships: () => readonly Membership[]
  /** The node's monotonic clock. */
  readonly nowMs: () => number
  /** A clock that was last heard longer ago than this counts no more, in ms. */
  readonly freshMs: number
  /** The node's wall clock, in ms since 1970; 0 if it is not known. */
  readonly wallMs: () => number
  /** The log time that the node has found on its disk, in ms since 1970; 0 for none. */
  readonly timeMs: number
}

interface HeardClock {
  /** So far it is ahead of this node's monotonic clock. The way here makes it a little less, never more. */
  readonly aheadMs: number
  readonly heardMs: number
}

/** How log time stands to the clocks of those who vote. */
export interface ClockReport {
  /** Log time is so far ahead of what the clocks of a majority say, or (negative) behind it, in ms; 0 within the tolerance. */
  readonly aheadMs: number
  /** The clocks that are further from log time than the tolerance, and how far ahead each is, or (negative) behind. */
  readonly strays: readonly { readonly nodeId: NodeId; readonly aheadMs: number }[]
}

/**
 * The time that a leader writes into the log, the only one that the state machine sees.
 *
 * The promise: it is never above what the clocks of a majority allow. Of n voters (n-1)/2 may have a wrong clock, and as many of those
 * that were heard may be theirs: so at least one more than that is never behind it. It is the middle of the clocks that were heard, or
 * less where too few were heard for the middle to be safe (after Marzullo's agreement on clocks, as TigerBeetle has it).
 *
 * It never goes back, and it never stands still: where the clocks are behind it, it goes on by elapsed time, and keeps the promise, as
 * the clocks that allowed what it was have gone on, too. A leap of the clocks, which elapsed time does not explain, is followed as far as
 * *every* clock that is heard says so, and by an hour at most; by any length only after a start, when nobody knows how long nobody
 * led, and if every voter's clock says so. The rest is made up for slowly.
 */
export class LogClock {
  readonly #s: Settings
  readonly #heard = new Map<NodeId, HeardClock>()
  /** Log time as it was at #atMs of the own monotonic clock, with fractions; 0 while there is none. */
  #timeMs: number
  #atMs: number
  /** It has been abreast of the clocks since the node's start: from then on elapsed time is known. */
  #wasAbreast = false
  /** There was no log time before the node's start, and not every voter has told its clock since: nothing can end early yet. */
  #isYoung: boolean
  /** What is left of LEAP_MS_MAX, until log time is abreast of the clocks again. */
  #leapLeftMs = LEAP_MS_MAX
  #leaptMs = 0

  constructor(settings: Settings) {
    this.#s = settings
    this.#timeMs = settings.timeMs
    this.#isYoung = settings.timeMs === 0
    this.#atMs = settings.nowMs()
  }

  /** Whether a majority's clocks are known: before that nothing can be decided anyway. */
  get isSet(): boolean {
    const [current] = this.#s.memberships()
    return current !== undefined && this.#clocksOf(current).length >= current.quorum
  }

  /** That member's wall clock, in ms since 1970; 0 if it did not say. */
  onHeard(nodeId: NodeId, wallMs: number): void {
    const heardMs = this.#s.nowMs()
    if (wallMs > 0) this.#heard.set(nodeId, { aheadMs: wallMs - heardMs, heardMs })
  }

  /** A value of the log says this time. */
  onSeen(timeMs: number): void {
    const nowMs = this.#s.nowMs()
    const wallMs = this.#s.wallMs()
    if (timeMs >= wallMs - TOLERANCE_MS && wallMs > 0) {
      this.#wasAbreast = true
      this.#isYoung = false
    }
    // Of an old value nobody knows how long ago it was now.
    if (timeMs <= this.#steadyMs(nowMs)) return
    this.#timeMs = timeMs
    this.#atMs = nowMs
  }

  /** The time of a value that is proposed now, in whole ms since 1970. */
  take(): number {
    const nowMs = this.#s.nowMs()
    const { timeMs, leapMs, isAbreast } = this.#at(nowMs)
    if (isAbreast) {
      this.#wasAbreast = true
      this.#leapLeftMs = LEAP_MS_MAX
    }
    if (this.#isYoung) {
      this.#isYoung = !this.#isEverybodyHeard
      this.#wasAbreast = !this.#isYoung
    } else {
      this.#leapLeftMs = Math.max(0, this.#leapLeftMs - leapMs)
      this.#leaptMs += leapMs
    }
    this.#timeMs = timeMs
    this.#atMs = nowMs
    return Math.floor(timeMs)
  }

  /** The time that `take` would give. */
  get timeMs(): number {
    return Math.floor(this.#at(this.#s.nowMs()).timeMs)
  }

  /** How far log time has leapt ahead since this was asked last, in ms. */
  takeLeapMs(): number {
    const leaptMs = this.#leaptMs
    this.#leaptMs = 0
    return leaptMs
  }

  get report(): ClockReport {
    const nowMs = this.#s.nowMs()
    const timeMs = this.#timeMs + nowMs - this.#atMs
    const allowedMs = this.#allowedMs(nowMs)
    const strays: { nodeId: NodeId; aheadMs: number }[] = []
    if (this.#timeMs === 0 || allowedMs === undefined) return { aheadMs: 0, strays }
    for (const nodeId of new Set(this.#s.memberships().flatMap(({ voterIds }) => voterIds))) {
      const aheadMs = this.#aheadMsOf(nodeId)
      if (aheadMs === undefined) continue
      const strayMs = beyondTolerance(nowMs + aheadMs - Math.max(timeMs, allowedMs))
      if (strayMs !== 0) strays.push({ nodeId, aheadMs: strayMs })
    }
    return { aheadMs: beyondTolerance(timeMs - allowedMs), strays }
  }

  #at(nowMs: number): { readonly timeMs: number; readonly leapMs: number; readonly isAbreast: boolean } {
    const allowedMs = this.#allowedMs(nowMs)
    if (allowedMs === undefined) return { timeMs: this.#steadyMs(nowMs), leapMs: 0, isAbreast: false }
    if (this.#isYoung) return { timeMs: Math.max(allowedMs, this.#steadyMs(nowMs)), leapMs: 0, isAbreast: false }
    const elapsedMs = nowMs - this.#atMs
    const evenMs = this.#timeMs + elapsedMs
    const explainedMs = elapsedMs * (1 + SLEW) + this.#timeMs
    if (allowedMs <= explainedMs) {
      return { timeMs: Math.max(allowedMs, this.#steadyMs(nowMs)), leapMs: 0, isAbreast: true }
    }
    const leapMs = Math.min(this.#leastAheadMs(nowMs) - evenMs, allowedMs - evenMs, this.#leapMsMax)
    if (evenMs + leapMs <= explainedMs) return { timeMs: explainedMs, leapMs: 0, isAbreast: false }
    return { timeMs: evenMs + leapMs, leapMs, isAbreast: false }
  }

  /** Where the clocks are behind: a little slower than elapsed time. 0 while there is no log time. */
  #steadyMs(nowMs: number): number {
    return this.#timeMs === 0 ? 0 : this.#timeMs + (nowMs - this.#atMs) * (1 - SLEW)
  }

  /** How far log time may leap at once where all clocks say so. */
  get #leapMsMax(): number {
    return !this.#wasAbreast && this.#isEverybodyHeard ? Number.POSITIVE_INFINITY : this.#leapLeftMs
  }

  get #isEverybodyHeard(): boolean {
    return this.#s.memberships().every((membership) => this.#clocksOf(membership).length === membership.voterIds.length)
  }

  /** The promise's bound, of each membership of which a majority is heard; undefined if there is none. */
  #allowedMs(nowMs: number): number | undefined {
    let allowedMs: number | undefined
    for (const membership of this.#s.memberships()) {
      const ahead = this.#clocksOf(membership).toSorted((a, b) => a - b)
      if (ahead.length < membership.quorum) continue
      const wrongMax = (membership.voterIds.length - 1) >> 1
      const index = Math.min((ahead.length - 1) >> 1, ahead.length - 1 - wrongMax)
      allowedMs = Math.min(allowedMs ?? Number.POSITIVE_INFINITY, nowMs + (ahead[index] as number))
    }
    return allowedMs
  }

  /** The clock of a voter that says the least. */
  #leastAheadMs(nowMs: number): number {
    return nowMs + Math.min(...this.#s.memberships().flatMap((membership) => this.#clocksOf(membership)))
  }

  #clocksOf({ voterIds }: Membership): number[] {
    return voterIds.map((nodeId) => this.#aheadMsOf(nodeId)).filter((aheadMs) => aheadMs !== undefined)
  }

  #aheadMsOf(nodeId: NodeId): number | undefined {
    const clock = this.#heard.get(nodeId)
    return clock !== undefined && this.#s.nowMs() - clock.heardMs <= this.#s.freshMs ? clock.aheadMs : undefined
  }
}

function beyondTolerance(ms: number): number {
  return Math.abs(ms) > TOLERANCE_MS ? ms : 0
}
