import { assert } from '../tables/assert.js'
import type { EventLog, StoreEvent } from './event-log.js'
import { FEED_LIMITS, type FeedLimits, FeedRing, type FeedSlot } from './feed-ring.js'

/** The position of a feed. */
export interface FeedProgress {
  /** Every event up to here, inclusive, has gone into the feed. */
  readonly revision: bigint
  /** Slot whose state that is, and its log time in ms since 1970. */
  readonly slot: number
  readonly timeMs: number
}

/** Answer to a cursor. */
export type FeedRead =
  | ({ readonly kind: 'events' } & FeedSlot)
  /** There is no event yet at the cursor's revision or above. */
  | ({ readonly kind: 'upToDate' } & FeedProgress)
  /** Events at the cursor's revision are not held here (any more). From `firstRevision` on they are. */
  | { readonly kind: 'fallenBehind'; readonly firstRevision: bigint }
  /** The node has stopped, or the cursor was closed. */
  | { readonly kind: 'closed' }

const CLOSED: FeedRead = Object.freeze({ kind: 'closed' })

/**
 * Events of the last slots that this node has applied, in a bounded ring in memory that many may follow, each with a cursor. A slow follower
 * costs nothing and holds nothing up: the ring goes on without it, and it is told that it has fallen behind. No follower's code runs here:
 * it asks, and is woken once a slot, after the slot. Revisions are those of the log: a node that replays its log after a restart gives the
 * same events under the same revisions. As long as there is no cursor no event is made.
 */
export class CommitFeed {
  readonly #ring: FeedRing
  readonly #cursors = new Set<FeedCursor>()
  #progress: FeedProgress = { revision: 1n, slot: 0, timeMs: 0 }
  #isKept = false
  #isClosed = false
  #waiting: { readonly promise: Promise<void>; readonly wake: () => void } | undefined

  constructor(limits: FeedLimits = FEED_LIMITS) {
    this.#ring = new FeedRing(limits)
  }

  /** The position of the feed. */
  get progress(): FeedProgress {
    return this.#progress
  }

  /** Makes a cursor at a revision; absent: at the first one that comes. */
  open(from?: bigint): FeedCursor {
    const first = from ?? (this.#isKept ? this.#progress.revision + 1n : undefined)
    const cursor: FeedCursor = new FeedCursor(this, first, () => this.#cursors.delete(cursor))
    if (!this.#isClosed) this.#cursors.add(cursor)
    return cursor
  }

  /** Events at a revision and above: those of the first slot that has any. */
  read(from: bigint): FeedRead {
    if (this.#isClosed) return CLOSED
    if (from > this.#progress.revision) return { kind: 'upToDate', ...this.#progress }
    const { firstRevision } = this.#ring
    if (from < firstRevision) return { kind: 'fallenBehind', firstRevision }
    const { slot, timeMs, events } = this.#ring.find(from)
    const first = events.findIndex(({ revision }) => revision >= from)
    const wanted = first === 0 ? events : events.slice(first)
    for (const { before, after } of wanted) {
      freeze(before)
      freeze(after)
    }
    return { kind: 'events', slot, timeMs, events: wanted }
  }

  /** Settles after the next slot that brings events, or when the feed is closed or begins anew. All who wait share one promise. */
  changed(): Promise<void> {
    if (this.#isClosed) return Promise.resolve()
    this.#waiting ??= makeWaiting()
    return this.#waiting.promise
  }

  /** By the node: a slot begins. `log`: the machine's; absent: it has no events. */
  onSlotBegun(log: EventLog | undefined): void {
    if (log === undefined) return
    this.#isKept = this.#cursors.size > 0
    if (log.isKept === this.#isKept) return
    log.isKept = this.#isKept
    // What came while nothing was kept is not here.
    this.#ring.clear(log.revision)
    for (const cursor of this.#cursors) cursor.begin(log.revision + 1n)
  }

  /** By the node: a slot has been applied. */
  onSlotApplied(log: EventLog | undefined, slot: number, timeMs: number): void {
    if (log === undefined || this.#isClosed) return
    const { revision } = this.#progress
    this.#progress = { revision: log.revision, slot, timeMs }
    if (!log.isKept) return this.#ring.clear(log.revision)
    const events = log.take()
    if (events.length === 0) return
    assert(events[0]?.revision === revision + 1n, 'the events of a slot go on where those before have ended')
    this.#ring.push({ slot, timeMs, events })
    this.#wake()
  }

  /** By the node: the state is that of a checkpoint now. What led there is not known here. */
  onRestored(log: EventLog | undefined, slot: number, timeMs: number): void {
    if (log === undefined) return
    this.#progress = { revision: log.revision, slot, timeMs }
    this.#ring.clear(log.revision)
    this.#wake()
  }

  /** By the node: it has stopped. */
  close(): void {
    this.#isClosed = true
    this.#cursors.clear()
    this.#ring.clear(this.#progress.revision)
    this.#wake()
  }

  #wake(): void {
    this.#waiting?.wake()
    this.#waiting = undefined
  }
}

/** A follower's place in a feed. */
export class FeedCursor {
  readonly #feed: CommitFeed
  readonly #onClose: () => void
  /** Undefined until the next slot begins, of a cursor that takes what comes. */
  #nextRevision: bigint | undefined
  #isClosed = false

  constructor(feed: CommitFeed, from: bigint | undefined, onClose: () => void) {
    this.#feed = feed
    this.#nextRevision = from
    this.#onClose = onClose
  }

  /** Gives what comes next, and goes on behind it. One that has fallen behind stays where it is: see seek. */
  next(): FeedRead {
    if (this.#isClosed) return CLOSED
    const read = this.#feed.read(this.#nextRevision ?? this.#feed.progress.revision + 1n)
    if (read.kind === 'events') this.#nextRevision = (read.events.at(-1) as StoreEvent).revision + 1n
    return read
  }

  /** Goes to another revision. */
  seek(revision: bigint): void {
    this.#nextRevision = revision
  }

  /** Settles when next() has something to say: at once if it has. */
  changed(): Promise<void> {
    const hasMore = this.#nextRevision !== undefined && this.#feed.progress.revision >= this.#nextRevision
    return this.#isClosed || hasMore ? Promise.resolve() : this.#feed.changed()
  }

  /** By the feed: events are kept from this revision on. */
  begin(revision: bigint): void {
    this.#nextRevision ??= revision
  }

  /** Ends it: a feed without cursors keeps nothing. */
  close(): void {
    this.#isClosed = true
    this.#onClose()
  }
}

function makeWaiting(): { readonly promise: Promise<void>; readonly wake: () => void } {
  let wake: (() => void) | undefined
  const promise = new Promise<void>((resolve) => {
    wake = resolve
  })
  return { promise, wake: () => wake?.() }
}

/** Rows of an event are the machine's own: a follower that wrote into one would change the state of this node alone. */
function freeze(row: object | undefined): void {
  if (row !== undefined && !ArrayBuffer.isView(row)) Object.freeze(row)
}
