import type { Slot } from '../paxos/types.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointPage } from './checkpoint.js'

/** A request for a checkpoint of a peer, from a key on. */
export interface CheckpointRequest {
  /** It must stand at this slot or above. */
  readonly minSlot: Slot
  /** To go on with a transfer that broke off; empty for a new one. If that one cannot be had any more, another begins. */
  readonly checkpointId: string
  /** With checkpointId: pages begin after this key; undefined for the first one. */
  readonly afterKey: Uint8Array | undefined
}

/** In this order: a header, pages, an end. */
export type CheckpointPart =
  | { readonly header: CheckpointHeader }
  | { readonly page: CheckpointPage }
  | { readonly end: CheckpointEnd }

/**
 * Why a transfer did not come to its end.
 * - NOT_FOUND: the peer has no checkpoint at min_slot or above. It may have one soon.
 * - BUSY: the peer serves as many as it can, or the transfer was replaced by a newer one of the same node.
 * - REFUSED: the two nodes must not talk (see refusal.ts).
 * - UNREACHABLE: no connection, or it broke.
 * - TIMED_OUT: nothing came for too long.
 * - MALFORMED: what came is no part of a checkpoint, or not in the right order.
 * - FAILED: anything else that the peer says.
 */
export type TransferErrorCode = 'NOT_FOUND' | 'BUSY' | 'REFUSED' | 'UNREACHABLE' | 'TIMED_OUT' | 'MALFORMED' | 'FAILED'

export class TransferError extends Error {
  override readonly name = 'TransferError'
  readonly code: TransferErrorCode

  constructor(code: TransferErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The receiver of the parts. */
export interface CheckpointSink {
  /** The next part comes when this has resolved: back-pressure. Must neither throw nor reject. */
  onPart(part: CheckpointPart): void | Promise<void>
  /** Called once at most, and not after the end or after the transfer was called off. */
  onFailed(error: TransferError): void
}
