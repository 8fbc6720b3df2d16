/** Initial window of requests on the wire; each answer widens it by one. */
const WINDOW_FIRST = 64
/** Minimum depth of a measurement: few commands at a time say little of the pace of many. */
const DEPTH_MIN = 16
/** Minimum depth of a measured command, as a share of the requests on the wire now. A window that still doubles has a half. */
const DEPTH_SHARE_MIN = 0.4
/** Minimum time that a measurement counts; the maximum is twice as long. */
const PERIOD_MS = 250
/** Factor of caution on the expected time of an answer. */
const MARGIN = 1.5
/** Minimum share of a command's timeout that answers must take before anything is refused: a burst is not an overload. */
const WAITED_SHARE_MIN = 0.25

/** A command that was sent once, and has been carried out. */
export interface PaceSample {
  /** Number of requests on the wire when it was sent, and now. */
  readonly before: number
  readonly onWireCount: number
  /** Time since it was submitted, and since it was sent. */
  readonly waitedMs: number
  readonly tookMs: number
  readonly nowMs: number
}

/** A command that the session holds already, or would hold. */
export interface PaceQuestion {
  /** Requests that are to be answered before it. */
  readonly before: number
  readonly deadlineMs: number
  readonly timeoutMs: number
  readonly nowMs: number
}

/**
 * The pace at which a session's commands are answered, and so which of them would be answered too late. A command that waits for a node
 * until its time is up ends as OUTCOME_UNKNOWN; one that was never sent is certainly not carried out.
 *
 * The pace is the least that an answer has taken for each request before it on the wire. It is the least, not the mean, because an election
 * stops the answers for a while and says nothing of the time after it.
 */
export class Pace {
  readonly #windowMax: number
  #window: number
  /** Milliseconds per request: the least in this period and in the one before. */
  #least = Number.POSITIVE_INFINITY
  #leastBefore = Number.POSITIVE_INFINITY
  #periodEndsMs = 0
  /** Time from submission to answer of the last command answered. */
  #waitedMs = 0

  constructor(windowMax: number) {
    this.#windowMax = windowMax
    this.#window = Math.min(WINDOW_FIRST, windowMax)
  }

  /** Maximum number of requests on the wire. */
  get window(): number {
    return this.#window
  }

  /** Widens the window: the cluster has answered a request, whatever the answer. */
  widen(): void {
    if (this.#window < this.#windowMax) this.#window++
  }

  measure({ before, onWireCount, waitedMs, tookMs, nowMs }: PaceSample): void {
    this.#waitedMs = waitedMs
    // The first ones after a stall were sent when there were few: it was not these that took the time.
    if (before < DEPTH_MIN || before < DEPTH_SHARE_MIN * onWireCount) return
    if (nowMs >= this.#periodEndsMs) {
      this.#periodEndsMs = nowMs + PERIOD_MS
      this.#leastBefore = this.#least
      this.#least = Number.POSITIVE_INFINITY
    }
    this.#least = Math.min(this.#least, tookMs / before)
  }

  /** Forgets the load: nothing is unanswered. */
  rest(): void {
    this.#waitedMs = 0
  }

  /** Returns true if the answer is expected after the deadline. */
  isTooLate({ before, deadlineMs, timeoutMs, nowMs }: PaceQuestion): boolean {
    const msPerRequest = Math.min(this.#least, this.#leastBefore)
    if (msPerRequest === Number.POSITIVE_INFINITY || this.#waitedMs < WAITED_SHARE_MIN * timeoutMs) return false
    return nowMs + MARGIN * before * msPerRequest > deadlineMs
  }
}
