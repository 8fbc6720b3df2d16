import type { BooksEvent } from '../../app/events.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import type { StoreEvent } from '../../replication/event-log.js'
import type { FeedStep } from '../cluster/feed-follower.js'
import { EventReplay } from './event-replay.js'
import { check } from './violation.js'

/** What the first node to apply a slot has told of it. */
interface ToldSlot {
  readonly revision: bigint
  /** In a form in which they can be compared. */
  readonly events: string
}

/**
 * Follows the feeds of all nodes: each gives the same events at the same slots, whenever it was restarted or has installed a checkpoint;
 * revisions have no gap, and the rows of events go on from each other.
 */
export class FeedChecker {
  /** All events, carried out. */
  readonly replay = new EventReplay()
  readonly #slots = new Map<Slot, ToldSlot>()

  /** A node has applied a slot. */
  onApplied(nodeId: NodeId, slot: Slot, { progress, events }: FeedStep): void {
    check(progress.slot === slot, () => `the feed of node ${nodeId} is at slot ${progress.slot} after slot ${slot} was applied`)
    const told = { revision: progress.revision, events: canonical(events) }
    const first = this.#slots.get(slot)
    if (first === undefined) {
      this.#slots.set(slot, told)
      this.#checkOrder(slot, told.revision, events)
      for (const event of events) this.replay.apply(event as BooksEvent)
      return
    }
    check(first.revision === told.revision, () => `node ${nodeId} is at another revision after slot ${slot} than another node`)
    check(
      first.events === told.events,
      () => `node ${nodeId} tells other events of slot ${slot} than another node: ${told.events}, not ${first.events}`,
    )
  }

  #checkOrder(slot: Slot, revision: bigint, events: readonly StoreEvent[]): void {
    // What came before the first slot is told by nobody.
    let last = this.#slots.get(slot - 1)?.revision ?? (events[0]?.revision ?? revision + 1n) - 1n
    let sub = -1
    for (const event of events) {
      const isNext = event.revision === last + 1n && event.sub === 0
      const isSame = event.revision === last && event.sub === sub + 1 && sub >= 0
      check(isNext || isSame, () => `event ${event.revision}.${event.sub} of slot ${slot} comes after ${last}.${sub}`)
      last = event.revision
      sub = event.sub
    }
    check(last === revision, () => `the events of slot ${slot} end at revision ${last}, but the store is at ${revision}`)
  }
}

/** Rows come from memory or from disk: then the order of their fields is another, and so is how bytes are kept. */
function canonical(events: readonly StoreEvent[]): string {
  return JSON.stringify(events, (name, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    // Where an account's list goes on in memory.
    if (name === 'lastPlace') return undefined
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}
