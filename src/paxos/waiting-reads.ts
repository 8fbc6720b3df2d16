import type { Outbox } from './outbox.js'
import type { NodeId, Slot } from './types.js'

/** A read that this node's client waits for (from = this node), or that a node asked for which cannot reach the leader. */
export interface WaitingRead {
  readonly from: NodeId
  /** The token given to Node.readIndex, or the asking node's readId. */
  readonly id: number
}

/** Past this many, those that wait longest are dropped: their callers' deadlines end the wait. */
const WAITING_MAX = 10_000

/** `reads`, oldest first, or its newer part when there are too many: some more go than must, so that the copying is rare. */
export function boundWaiting(reads: WaitingRead[]): WaitingRead[] {
  return reads.length <= WAITING_MAX ? reads : reads.slice(-0.9 * WAITING_MAX)
}

/** Tells whoever asked that state as of `slot` answers its read. */
export function answerRead(out: Outbox, self: NodeId, read: WaitingRead, slot: Slot): void {
  if (read.from === self) out.grantReadIndex({ token: read.id, slot })
  else out.send(read.from, { kind: 'readIndexReply', readId: read.id, slot })
}
