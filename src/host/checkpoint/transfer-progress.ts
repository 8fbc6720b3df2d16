import type { NodeId, Slot } from '../../paxos/types.js'

/** A checkpoint on its way to this node, or from it. */
export interface TransferProgress {
  readonly peerId: NodeId
  /** To the peer; otherwise from it. */
  readonly isSending: boolean
  /** The state is that after this slot. */
  readonly slot: Slot
  /** When receiving: since the beginning of the checkpoint. When sending: since this transfer was begun or resumed. */
  readonly bytesDone: number
  readonly bytesTotal: number
  /** Over the last seconds. */
  readonly bytesPerSecond: number
}

const WINDOW_MS = 2_000

/** Measures the recent rate of bytes. It includes the window before the current one, so that it does not drop to 0 at each new window. */
export class RateMeter {
  #windowBeganMs: number
  #windowBytes = 0
  #before: number | undefined

  constructor(nowMs: number) {
    this.#windowBeganMs = nowMs
  }

  add(bytes: number, nowMs: number): void {
    this.#turn(nowMs)
    this.#windowBytes += bytes
  }

  bytesPerSecond(nowMs: number): number {
    this.#turn(nowMs)
    const ms = nowMs - this.#windowBeganMs
    const now = ms <= 0 ? 0 : (1_000 * this.#windowBytes) / ms
    if (this.#before === undefined) return Math.round(now)
    return Math.round((this.#before * (WINDOW_MS - ms) + now * ms) / WINDOW_MS)
  }

  #turn(nowMs: number): void {
    const ms = nowMs - this.#windowBeganMs
    if (ms < WINDOW_MS) return
    // Longer than two windows nothing has come.
    this.#before = ms < 2 * WINDOW_MS ? (1_000 * this.#windowBytes) / ms : 0
    this.#windowBeganMs = nowMs
    this.#windowBytes = 0
  }
}
