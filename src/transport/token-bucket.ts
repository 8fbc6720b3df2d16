/** Keeps a flow of bytes below a rate: what goes over is waited for afterwards, so that a big piece needs no room of its own. */
export class TokenBucket {
  readonly #burstMs: number
  /** May be changed at any time. */
  bytesPerSecond: number
  #tokens: number
  #filledAtMs: number

  /** `bytesPerSecond` above 0. After a pause so much more as flows in `burstMs` may go at once. */
  constructor(options: { readonly bytesPerSecond: number; readonly burstMs: number; readonly nowMs: number }) {
    this.bytesPerSecond = options.bytesPerSecond
    this.#burstMs = options.burstMs
    this.#tokens = this.#burstBytes
    this.#filledAtMs = options.nowMs
  }

  /** Takes the bytes; gives how many ms to wait before the next ones. */
  take(bytes: number, nowMs: number): number {
    const gained = (Math.max(0, nowMs - this.#filledAtMs) * this.bytesPerSecond) / 1_000
    this.#filledAtMs = Math.max(nowMs, this.#filledAtMs)
    this.#tokens = Math.min(this.#burstBytes, this.#tokens + gained) - bytes
    return this.#tokens >= 0 ? 0 : (-this.#tokens * 1_000) / this.bytesPerSecond
  }

  get #burstBytes(): number {
    return (this.bytesPerSecond * this.#burstMs) / 1_000
  }
}
