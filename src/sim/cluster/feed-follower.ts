import { CommitFeed, type FeedProgress } from '../../replication/commit-feed.js'
import type { StoreEvent } from '../../replication/event-log.js'
import { check } from '../checkers/violation.js'

/** The content of a node's feed after a slot. */
export interface FeedStep {
  readonly progress: FeedProgress
  /** The events of that slot. */
  readonly events: readonly StoreEvent[]
}

/** Follows the feed of one process from before its start, slot by slot. */
export class FeedFollower {
  readonly feed = new CommitFeed()
  readonly #cursor = this.feed.open()

  /** Reads the events of the slot that was just applied. @throws Violation */
  onApplied(): FeedStep {
    const { progress } = this.feed
    const events: StoreEvent[] = []
    for (;;) {
      const read = this.#cursor.next()
      if (read.kind === 'upToDate') return { progress, events }
      check(read.kind === 'events', () => `a cursor that reads every slot is told that it is ${read.kind}`)
      check(
        read.slot === progress.slot && events.length === 0,
        () => `a cursor that reads every slot is given slot ${read.slot} after slot ${progress.slot}`,
      )
      events.push(...read.events)
    }
  }

  /** Records that a checkpoint has replaced the state: the events that led to it are unknown. */
  onInstalled(): void {
    const read = this.#cursor.next()
    check(read.kind !== 'events', () => 'a feed gives events of before its state was replaced')
    if (read.kind === 'fallenBehind') this.#cursor.seek(read.firstRevision)
  }
}
