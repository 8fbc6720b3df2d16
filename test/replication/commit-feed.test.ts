import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommitFeed, type FeedCursor, type FeedRead } from '../../src/replication/commit-feed.js'
import { EventLog } from '../../src/replication/event-log.js'
import type { FeedLimits } from '../../src/replication/feed-ring.js'

const ROW = { name: 'row' }

/** A node's feed, and the slots that it applies. */
class Fixture {
  readonly feed: CommitFeed
  log = new EventLog()
  slot = 0

  constructor(limits: Partial<FeedLimits> = {}) {
    this.feed = new CommitFeed({ eventsMax: 1_000, bytesMax: 1 << 20, ...limits })
  }

  /** Applies a slot of so many commands, of so many changes each. `during`: happens in the middle of it. */
  apply(commands = 1, { changes = 1, bytes = 0, during = () => {} } = {}): void {
    this.slot++
    this.feed.onSlotBegun(this.log)
    for (let i = 0; i < commands; i++) {
      this.log.begin()
      for (let n = 0; n < changes; n++) this.log.add(`change ${n}`, undefined, ROW, bytes)
      if (i === 0) during()
    }
    this.feed.onSlotApplied(this.log, this.slot, 1_000 * this.slot)
  }

  /** The node has a checkpoint's state now. */
  restore(revision: bigint, slot: number): void {
    this.log = new EventLog()
    this.log.load(revision)
    this.slot = slot
    this.feed.onRestored(this.log, slot, 1_000 * slot)
  }
}

function tell(read: FeedRead): string {
  if (read.kind === 'events') return `${read.slot}: ${read.events.map(({ revision, sub }) => `${revision}.${sub}`).join(' ')}`
  if (read.kind === 'upToDate') return `up to date at ${read.revision}, slot ${read.slot}`
  return read.kind === 'fallenBehind' ? `held from ${read.firstRevision} on` : read.kind
}

/** Everything that a cursor has to say now. */
function follow(cursor: FeedCursor): string[] {
  const reads: string[] = []
  for (let read = cursor.next(); ; read = cursor.next()) {
    reads.push(tell(read))
    if (read.kind !== 'events') return reads
  }
}

test('a cursor is told of each slot that changes something, once, and how far that goes', () => {
  const fixture = new Fixture()
  const { feed } = fixture
  const cursor = feed.open()
  assert.deepEqual(follow(cursor), ['up to date at 1, slot 0'])
  fixture.apply(2, { changes: 2 })
  fixture.apply(0)
  fixture.apply(1)
  fixture.apply(0)
  assert.deepEqual(follow(cursor), ['1: 2.0 2.1 3.0 3.1', '3: 4.0', 'up to date at 4, slot 4'])
  assert.deepEqual(follow(cursor), ['up to date at 4, slot 4'])
  assert.deepEqual(feed.progress, { revision: 4n, slot: 4, timeMs: 4_000 })
})

test('as long as nobody follows no event is made; what came then is behind every cursor', () => {
  const fixture = new Fixture()
  fixture.apply(3)
  assert.equal(fixture.log.isKept, false)
  assert.deepEqual(follow(fixture.feed.open(2n)), ['held from 5 on'])
  const cursor = fixture.feed.open()
  fixture.apply(1)
  assert.deepEqual(follow(cursor), ['2: 5.0', 'up to date at 5, slot 2'])
})

test('a feed keeps events until its last cursor is closed', () => {
  const fixture = new Fixture()
  const cursors = [fixture.feed.open(), fixture.feed.open()] as const
  fixture.apply()
  for (const cursor of cursors) cursor.close()
  assert.deepEqual(follow(cursors[0]), ['closed'])
  fixture.apply()
  assert.equal(fixture.log.isKept, false)
  assert.deepEqual(follow(fixture.feed.open(2n)), ['held from 4 on'])
})

test('a cursor that is opened in the middle of a slot begins with the next one', () => {
  const fixture = new Fixture()
  let cursor: FeedCursor | undefined
  fixture.apply(2, { during: () => (cursor = fixture.feed.open()) })
  assert.ok(cursor)
  assert.deepEqual(follow(cursor), ['up to date at 3, slot 1'])
  fixture.apply(1)
  assert.deepEqual(follow(cursor), ['2: 4.0', 'up to date at 4, slot 2'])
})

test('a cursor begins at any revision that is held, in the middle of a slot too, and waits for one that has not come', () => {
  const fixture = new Fixture()
  fixture.feed.open()
  for (let i = 0; i < 50; i++) fixture.apply(3, { changes: 2 })
  assert.deepEqual(follow(fixture.feed.open(150n)), ['50: 150.0 150.1 151.0 151.1', 'up to date at 151, slot 50'])
  assert.equal(follow(fixture.feed.open(2n)).length, 51)
  for (let revision = 2n; revision <= 151n; revision++) {
    const read = fixture.feed.read(revision)
    assert.ok(
      read.kind === 'events' && read.events[0]?.revision === revision && read.slot === Math.ceil(Number(revision - 1n) / 3),
    )
  }
  const early = fixture.feed.open(153n)
  fixture.apply(1)
  assert.deepEqual(follow(early), ['up to date at 152, slot 51'])
  fixture.apply(1)
  assert.deepEqual(follow(early), ['52: 153.0', 'up to date at 153, slot 52'])
})

test('the ring is bounded in events and in bytes; who has fallen behind is told so, and whole slots go', () => {
  for (const limits of [{ eventsMax: 10 }, { bytesMax: 10 * 250 }]) {
    const fixture = new Fixture(limits)
    const slow = fixture.feed.open()
    for (let i = 0; i < 40; i++) fixture.apply(2, { changes: 2, bytes: 100 })
    // Two slots of four events each.
    assert.deepEqual(follow(slow), ['held from 78 on'])
    slow.seek(78n)
    assert.deepEqual(follow(slow).length, 3)
    // One that is larger than the ring alone is held as long as it is the newest.
    fixture.apply(1, { changes: 30, bytes: 100 })
    const [first = ''] = follow(slow)
    assert.ok(first.startsWith('41: 82.0 ') && first.endsWith(' 82.29'))
    assert.deepEqual(follow(fixture.feed.open(81n)), ['held from 82 on'])
  }
})

test('a checkpoint in the place of the state takes what led there with it, and events go on after it', () => {
  const fixture = new Fixture()
  const [slow, fast] = [fixture.feed.open(), fixture.feed.open()]
  fixture.apply(3)
  follow(fast)
  fixture.restore(90n, 70)
  assert.deepEqual([follow(slow), follow(fast)], [['held from 91 on'], ['held from 91 on']])
  fixture.apply(2)
  slow.seek(91n)
  assert.deepEqual(follow(slow), ['71: 91.0 92.0', 'up to date at 92, slot 71'])
})

test('a log that is replayed after a restart gives the same events under the same revisions', () => {
  const first = new Fixture()
  const before = first.feed.open()
  for (let i = 0; i < 4; i++) first.apply(2)
  const reads = follow(before)
  const again = new Fixture()
  again.feed.open()
  again.restore(5n, 2)
  for (let i = 0; i < 2; i++) again.apply(2)
  assert.deepEqual(follow(again.feed.open(6n)), reads.slice(2))
})

test('all who wait are woken by one promise, once a slot, and only by slots that bring something', async () => {
  const fixture = new Fixture()
  const cursors = [fixture.feed.open(), fixture.feed.open()] as const
  fixture.apply(0)
  const waits = cursors.map((cursor) => cursor.changed())
  assert.equal(waits[0], waits[1])
  let woken = 0
  for (const wait of waits) void wait.then(() => woken++)
  fixture.apply(0)
  await Promise.resolve()
  assert.equal(woken, 0)
  fixture.apply(5)
  assert.equal(woken, 0, 'not while the slot is applied')
  await Promise.all(waits)
  assert.equal(woken, 2)
  // Who comes late need not wait.
  await cursors[0].changed()
  follow(cursors[0])
  assert.notEqual(cursors[0].changed(), waits[0])
})

test('when the node stops all who wait are woken, and told so', async () => {
  const fixture = new Fixture()
  const cursor = fixture.feed.open()
  const wait = cursor.changed()
  fixture.feed.close()
  await wait
  assert.deepEqual([follow(cursor), follow(fixture.feed.open())], [['closed'], ['closed']])
  await cursor.changed()
})

test('a machine without events has a feed that says nothing', () => {
  const feed = new CommitFeed()
  const cursor = feed.open()
  feed.onSlotBegun(undefined)
  feed.onSlotApplied(undefined, 1, 1)
  assert.deepEqual(follow(cursor), ['up to date at 1, slot 0'])
})
