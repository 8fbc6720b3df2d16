import type { BooksEvent } from '../../app/events.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import type { StoreEvent } from '../../replication/event-log.js'
import type { FeedStep } from '../cluster/feed-follower.js'
import { EventReplay } from './event-replay.js'
import { check } from './violation.js'

/** The events that the first node to apply a slot has told. */
interface ToldSlot {
  readonly revision: bigint
  /** Events as text, to compare. */
  readonly events: string
}

/**
 * Checks the feeds of all nodes: each gives the same events at the same slots, even after restarts and installed checkpoints;
 * revisions have no gap; the row before an event is the row that the event before it has left.
 */
export class FeedChecker {
  /** Replays all events. */
  readonly replay = new EventReplay()
  readonly #slots = new Map<Slot, ToldSlot>()

  /** Checks the feed of a node that has applied a slot. */
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
    // No feed tells what came before the first slot.
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

/**
 * Returns events as text to compare. A row from memory and one from disk differ in the order of fields and in the type of byte
 * strings.
 */
function canonical(events: readonly StoreEvent[]): string {
  return JSON.stringify(events, (name, value: unknown) => {
    if (typeof value === 'bigint') return String(value)
    // The position at which an account's list continues in memory: not part of the row.
    if (name === 'lastPlace') return undefined
    if (value instanceof Uint8Array) return Buffer.from(value).toString('latin1')
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
  })
}
