/** Requests on the wire before anything is known of the cluster's pace; each answer lets one more go. */
const WINDOW_FIRST = 64
/** What fewer commands at a time take says little of what many take. */
const DEPTH_MIN = 16
/** How deep a command was on the wire, against those that are there now, for its pace to count. A window that still doubles has a half. */
const DEPTH_SHARE_MIN = 0.4
/** How long a measured pace counts, at least; twice as long at most. */
const PERIOD_MS = 250
/** An answer is expected to take so many times what the pace says. */
const MARGIN = 1.5
/** Nothing is refused before answers take this part of what the command may take: a burst is not an overload yet. */
const WAITED_SHARE_MIN = 0.25

/** A command that was sent once, and has been carried out. */
export interface Answered {
  /** How many requests were on the wire when it was sent, and are now. */
  readonly before: number
  readonly onWireCount: number
  /** Since it was asked for, and since it was sent. */
  readonly waitedMs: number
  readonly tookMs: number
  readonly nowMs: number
}

/** A command that the session holds already, or would hold. */
export interface Position {
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
  /** How long the last one to be answered had waited. */
  #waitedMs = 0

  constructor(windowMax: number) {
    this.#windowMax = windowMax
    this.#window = Math.min(WINDOW_FIRST, windowMax)
  }

  /** How many requests may be on the wire. */
  get window(): number {
    return this.#window
  }

  /** A request was answered by the cluster, whatever the answer. */
  widen(): void {
    if (this.#window < this.#windowMax) this.#window++
  }

  measure({ before, onWireCount, waitedMs, tookMs, nowMs }: Answered): void {
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

  /** Nothing is unanswered. */
  rest(): void {
    this.#waitedMs = 0
  }

  /** Whether its answer is expected after its deadline. */
  isTooLate({ before, deadlineMs, timeoutMs, nowMs }: Position): boolean {
    const msPerRequest = Math.min(this.#least, this.#leastBefore)
    if (msPerRequest === Number.POSITIVE_INFINITY || this.#waitedMs < WAITED_SHARE_MIN * timeoutMs) return false
    return nowMs + MARGIN * before * msPerRequest > deadlineMs
  }
}
