import type { Membership } from './membership.js'
import type { NodeId } from './types.js'

/**
 * The rate at which log time approaches the clocks: it runs a hundredth slower or faster than elapsed time. So the error of a slightly
 * fast oscillator does not add up, and a deadline comes at most a hundredth early or late.
 */
const SLEW = 0.01
/** The largest jump of the clocks, beyond elapsed time, that log time follows at once. */
const LEAP_MS_MAX = 3_600_000
/** The difference within which a clock counts as agreeing with log time. */
const TOLERANCE_MS = 10_000

interface Settings {
  /** The memberships that govern an open slot, the earliest first; none before there is a genesis. */
  readonly memberships: () => readonly Membership[]
  /** The node's monotonic clock. */
  readonly nowMs: () => number
  /** The age above which a peer's clock is ignored, in ms. */
  readonly freshMs: number
  /** The node's wall clock, in ms since 1970; 0: unknown. */
  readonly wallMs: () => number
  /** The log time recovered from disk, in ms since 1970; 0 for none. */
  readonly timeMs: number
}

interface HeardClock {
  /** The clock's lead over this node's monotonic clock. Network delay makes it a little smaller, never larger. */
  readonly aheadMs: number
  readonly heardMs: number
}

/** The difference between log time and the clocks of the voters. */
export interface ClockReport {
  /** The lead of log time over the clocks of a majority, in ms; negative when it is behind, 0 within the tolerance. */
  readonly aheadMs: number
  /** The clocks outside the tolerance, each with its lead over log time; negative when it is behind. */
  readonly strays: readonly { readonly nodeId: NodeId; readonly aheadMs: number }[]
}

/**
 * The time that a leader writes into the log: the only time that the state machine sees.
 *
 * The promise: log time is never above what the clocks of a majority allow. Of n voters, (n-1)/2 may have a wrong clock, and all of these
 * may be among the clocks that were heard. So at least one more clock than that is at or above log time. Log time is the median of the
 * clocks that were heard, or lower if too few were heard for the median to be safe (Marzullo's agreement on clocks, as in TigerBeetle).
 *
 * Log time never goes back and never stands still. If the clocks are behind it, it advances by elapsed time. This keeps the promise, as
 * the clocks that allowed the earlier value have advanced, too. A jump of the clocks beyond elapsed time is followed only as far as
 * *every* clock that is heard confirms, and by an hour at most. Only after a start, when the time without a leader is unknown, may it be
 * longer: then every voter's clock must confirm it. The rest of a jump is made up for slowly.
 */
export class LogClock {
  readonly #s: Settings
  readonly #heard = new Map<NodeId, HeardClock>()
  /** Log time at #atMs of the own monotonic clock, with fractions; 0 while there is none. */
  #timeMs: number
  #atMs: number
  /** Log time has agreed with the clocks since the node's start: from then on elapsed time is known. */
  #wasAbreast = false
  /** There was no log time before the node's start, and some voter's clock is still unknown: no deadline can come early yet. */
  #isYoung: boolean
  /** The rest of LEAP_MS_MAX; reset when log time agrees with the clocks again. */
  #leapLeftMs = LEAP_MS_MAX
  #leaptMs = 0

  constructor(settings: Settings) {
    this.#s = settings
    this.#timeMs = settings.timeMs
    this.#isYoung = settings.timeMs === 0
    this.#atMs = settings.nowMs()
  }

  /** True when a majority's clocks are known. Without a majority nothing can be decided anyway. */
  get isSet(): boolean {
    const [current] = this.#s.memberships()
    return current !== undefined && this.#clocksOf(current).length >= current.quorum
  }

  /** Takes a member's wall clock, in ms since 1970; 0: unknown. */
  onHeard(nodeId: NodeId, wallMs: number): void {
    const heardMs = this.#s.nowMs()
    if (wallMs > 0) this.#heard.set(nodeId, { aheadMs: wallMs - heardMs, heardMs })
  }

  /** Takes the time of a value that was proposed or decided. */
  onSeen(timeMs: number): void {
    const nowMs = this.#s.nowMs()
    const wallMs = this.#s.wallMs()
    if (timeMs >= wallMs - TOLERANCE_MS && wallMs > 0) {
      this.#wasAbreast = true
      this.#isYoung = false
    }
    // How long ago an old value was proposed is unknown: its time does not move the clock back.
    if (timeMs <= this.#steadyMs(nowMs)) return
    this.#timeMs = timeMs
    this.#atMs = nowMs
  }

  /** Advances log time and returns it, for a value that is proposed now, in whole ms since 1970. */
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

  /** The time that `take` would return. */
  get timeMs(): number {
    return Math.floor(this.#at(this.#s.nowMs()).timeMs)
  }

  /** Returns how far log time has jumped since the last call, in ms. */
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

  /** Log time if the clocks are behind: it advances a little slower than elapsed time. 0 while there is no log time. */
  #steadyMs(nowMs: number): number {
    return this.#timeMs === 0 ? 0 : this.#timeMs + (nowMs - this.#atMs) * (1 - SLEW)
  }

  /** The largest jump of log time at once, if all clocks confirm it. */
  get #leapMsMax(): number {
    return !this.#wasAbreast && this.#isEverybodyHeard ? Number.POSITIVE_INFINITY : this.#leapLeftMs
  }

  get #isEverybodyHeard(): boolean {
    return this.#s.memberships().every((membership) => this.#clocksOf(membership).length === membership.voterIds.length)
  }

  /** The promise's bound over each membership of which a majority is heard; undefined if there is none. */
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

  /** The lowest of the voters' clocks. */
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
