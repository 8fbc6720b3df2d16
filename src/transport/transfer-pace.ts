import { TokenBucket } from './token-bucket.js'

const BURST_MS = 50
/** A transfer never gets less than this, or all that it may: the log must not grow faster than a node that lags comes near it. */
const BYTES_PER_SECOND_MIN = 4 * 1024 * 1024
const WINDOW_MS = 500
/** A timer that fires so late says that this node has other things to do. */
const LATE_MS = 25

/**
 * The rate of outgoing checkpoints, all transfers together: it rises while this node keeps up with everything else, and falls when
 * its timers come late, and never above a bound. A receiver that takes less is waited for anyway.
 */
export class TransferPace {
  readonly #bytesPerSecondMax: number
  readonly #bucket: TokenBucket
  #windowEndsMs: number
  #worstLateMs = 0
  /** True when the bound delayed a transfer in this window: only then may it rise. */
  #wasFelt = false

  /** `bytesPerSecondMax` above 0. */
  constructor({ bytesPerSecondMax, nowMs }: { readonly bytesPerSecondMax: number; readonly nowMs: number }) {
    this.#bytesPerSecondMax = bytesPerSecondMax
    this.#bucket = new TokenBucket({ bytesPerSecond: this.#within(0), burstMs: BURST_MS, nowMs })
    this.#windowEndsMs = nowMs + WINDOW_MS
  }

  get bytesPerSecond(): number {
    return this.#bucket.bytesPerSecond
  }

  /** Takes the bytes; gives how many ms to wait before the next ones. */
  take(bytes: number, nowMs: number): number {
    this.#adapt(nowMs)
    const pauseMs = this.#bucket.take(bytes, nowMs)
    if (pauseMs > 0) this.#wasFelt = true
    return pauseMs
  }

  /** A pause has ended so much later than it should have. */
  onPaused(lateMs: number): void {
    this.#worstLateMs = Math.max(this.#worstLateMs, lateMs)
  }

  #adapt(nowMs: number): void {
    if (nowMs < this.#windowEndsMs) return
    if (this.#worstLateMs > LATE_MS) this.#bucket.bytesPerSecond = this.#within(this.bytesPerSecond / 2)
    else if (this.#wasFelt) this.#bucket.bytesPerSecond = this.#within(this.bytesPerSecond * 1.5)
    this.#windowEndsMs = nowMs + WINDOW_MS
    this.#worstLateMs = 0
    this.#wasFelt = false
  }

  #within(bytesPerSecond: number): number {
    return Math.min(this.#bytesPerSecondMax, Math.max(BYTES_PER_SECOND_MIN, bytesPerSecond))
  }
}
