import type { Outbox } from './outbox.js'
import type { NodeId, Slot } from './types.js'

/** A read of a client of this node (from = this node), or of another node that asks through this one. */
export interface WaitingRead {
  readonly from: NodeId
  /** The token given to Node.readIndex, or the asking node's readId. */
  readonly id: number
}

/** The most reads that may wait. Beyond that the oldest are dropped: their callers' deadlines end the wait. */
const WAITING_MAX = 10_000

/** Returns `reads`, oldest first, or their newer part when there are too many. Drops more than necessary, so that copying is rare. */
export function boundWaiting(reads: WaitingRead[]): WaitingRead[] {
  return reads.length <= WAITING_MAX ? reads : reads.slice(-0.9 * WAITING_MAX)
}

/** Gives a read its read index: state as of `slot` answers it. */
export function answerRead(out: Outbox, self: NodeId, read: WaitingRead, slot: Slot): void {
  if (read.from === self) out.grantReadIndex({ token: read.id, slot })
  else out.send(read.from, { kind: 'readIndexReply', readId: read.id, slot })
}
