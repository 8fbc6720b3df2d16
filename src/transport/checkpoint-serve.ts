import { type ServerWritableStream, type StatusObject, status } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { encode } from '../encoding/encode.js'
import { type FetchCheckpointRequest, FetchCheckpointResponse } from '../gen/synod/peer/v1/peer.js'
import { partBytes, partToWire } from '../protocol/checkpoint-parts.js'
import { type CheckpointPart, TransferError, type TransferErrorCode } from '../protocol/checkpoint-transfer.js'
import { TransferPace } from './transfer-pace.js'

export type TransferCall = ServerWritableStream<FetchCheckpointRequest, Uint8Array>

/** A peer that takes nothing for so long has gone, or hangs. */
const SEND_TIMEOUT_MS = 20_000

const STATUS_CODES: Readonly<Record<TransferErrorCode, status>> = {
  NOT_FOUND: status.NOT_FOUND,
  BUSY: status.RESOURCE_EXHAUSTED,
  REFUSED: status.FAILED_PRECONDITION,
  UNREACHABLE: status.UNAVAILABLE,
  TIMED_OUT: status.DEADLINE_EXCEEDED,
  MALFORMED: status.INVALID_ARGUMENT,
  FAILED: status.INTERNAL,
}

/** Sends checkpoints to peers. All transfers together keep to a rate that this node can bear, and each to its peer's. */
export class CheckpointServer {
  readonly #pace: TransferPace
  readonly #logger: Logger
  /** Every transfer that has not ended, and what stops it. */
  readonly #calls = new Map<TransferCall, () => void>()

  constructor(options: { readonly bytesPerSecondMax: number; readonly logger: Logger }) {
    this.#pace = new TransferPace({ bytesPerSecondMax: options.bytesPerSecondMax, nowMs: performance.now() })
    this.#logger = options.logger
  }

  /** Sends all parts, then ends the call. The parts are let go of when the call ends, however it ends. */
  async serve(call: TransferCall, open: () => AsyncIterable<CheckpointPart>): Promise<void> {
    let isOver = false
    let wake: (() => void) | undefined
    const stop = (): void => {
      isOver = true
      wake?.()
    }
    /** Until `begin`'s callback is called, or the call is over. */
    const wait = (timeoutMs: number, isTimeoutFine: boolean, begin?: (done: () => void) => void): Promise<void> =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          if (isTimeoutFine) resolve()
          else reject(new TransferError('TIMED_OUT', `the peer has taken nothing for ${timeoutMs} ms`))
        }, timeoutMs)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
        begin?.(wake)
      })
    this.#calls.set(call, stop)
    call.on('cancelled', stop)
    call.on('error', stop)
    try {
      for await (const part of open()) {
        if (isOver) return
        const hasRoom = call.write(encode(FetchCheckpointResponse, partToWire(part)))
        if (!hasRoom) await wait(SEND_TIMEOUT_MS, false, (done) => call.once('drain', done))
        const nowMs = performance.now()
        const pauseMs = this.#pace.take(partBytes(part), nowMs)
        if (pauseMs >= 1 && !isOver) {
          await wait(pauseMs, true)
          this.#pace.onPaused(performance.now() - nowMs - pauseMs)
        }
        if (isOver) return
      }
      call.end()
    } catch (error) {
      if (!isOver) call.emit('error', this.#statusOf(error))
    } finally {
      this.#calls.delete(call)
    }
  }

  /** Ends every transfer. */
  close(): void {
    for (const [call, stop] of this.#calls) {
      stop()
      call.emit('error', { code: status.UNAVAILABLE, details: 'the node is stopping' })
    }
  }

  #statusOf(error: unknown): Partial<StatusObject> {
    if (error instanceof TransferError) return { code: STATUS_CODES[error.code], details: error.message }
    this.#logger.warn({ err: error }, 'a checkpoint could not be sent')
    return { code: status.INTERNAL, details: 'the checkpoint could not be read' }
  }
}
