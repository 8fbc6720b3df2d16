import assert from 'node:assert/strict'
import { test } from 'node:test'
import { sessionCodec } from '../../src/replication/session-records.js'
import { SESSION_LIMITS, type SessionLimits } from '../../src/replication/session-table.js'
import { type SessionOutcome, Sessions } from '../../src/replication/sessions.js'
import type { Moment, Restoration, StateEntry, StateMachine } from '../../src/replication/state-machine.js'
import { bytes } from '../app/fixture.js'
import { TOKEN } from '../support/token.js'

const OTHER_TOKEN = TOKEN.map((byte) => byte + 1)
const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
/** Bytes that the deadline of a session with a name of one digit takes. */
const DEADLINE = 176 + 1 + 56

/** Answers how often it was asked to do anything, and what; a result of as many bytes as an 'n bytes' command says. */
class Counter implements StateMachine {
  applied = 0

  apply(command: Uint8Array, { slot }: Moment): Uint8Array {
    this.applied++
    const text = Buffer.from(command).toString()
    return text.endsWith('bytes') ? new Uint8Array(Number.parseInt(text, 10)) : bytes(`${this.applied}: ${text} in ${slot}`)
  }

  query(): Uint8Array {
    return bytes(String(this.applied))
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'applied', value: bytes(String(this.applied)), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.applied = 0
    return {
      load: (entries) => {
        for (const { value } of entries) this.applied = Number(Buffer.from(value ?? bytes('')).toString())
      },
      finish: () => {},
    }
  }
}

class Fixture {
  readonly counter = new Counter()
  readonly sessions: Sessions
  timeMs = HOUR_MS
  slot = 0

  constructor(limits: Partial<SessionLimits> = {}) {
    this.sessions = new Sessions(this.counter, sessionCodec, { ...SESSION_LIMITS, ...limits })
  }

  /** The next slot, with all that is due in it. */
  next(): Moment {
    const at = { slot: ++this.slot, timeMs: this.timeMs, level: 1 }
    this.sessions.onSlot(at)
    return at
  }

  open(): number {
    return this.sessions.openSession(TOKEN, this.next())
  }

  run(clientId: number, requestNumber: number, { text = 'do', acknowledged = 0, token = TOKEN } = {}): SessionOutcome {
    const request = { clientId, token, requestNumber, firstUnacknowledged: acknowledged + 1, command: bytes(text) }
    return this.sessions.apply(request, this.next())
  }

  text(clientId: number, requestNumber: number, options = {}): string {
    const outcome = this.run(clientId, requestNumber, options)
    return outcome.kind === 'result' ? Buffer.from(outcome.result).toString() : outcome.kind
  }
}

/** All entries as a checkpoint on disk would hold them. */
function checkpoint(sessions: Sessions, stored = new Map<string, Uint8Array>()): Map<string, Uint8Array> {
  for (const { key, value } of sessions.changes()) {
    if (value === undefined) stored.delete(key)
    else stored.set(key, value)
  }
  sessions.onCheckpointed()
  return stored
}

function restored(stored: Map<string, Uint8Array>): Fixture {
  const fixture = new Fixture()
  const restoration = fixture.sessions.restore({ read: () => undefined })
  const entries = Array.from(stored, ([key, value]) => ({ key, value, keyspace: 'state' }) as const)
  restoration.load(entries.toSorted((a, b) => (a.key < b.key ? -1 : 1)))
  restoration.finish()
  return fixture
}

test('client ids count from 1', () => {
  const fixture = new Fixture()
  assert.deepEqual([fixture.open(), fixture.open(), fixture.open()], [1, 2, 3])
})

test('a retry gets the first result and the first slot, and nothing is done again', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  const first = fixture.run(client, 1)
  fixture.run(client, 2)
  assert.deepEqual(fixture.run(client, 1), first)
  assert.deepEqual([first.kind === 'result' && first.slot, fixture.counter.applied], [2, 2])
})

test('clients number their requests for themselves, in any order', () => {
  const fixture = new Fixture()
  const [a, b] = [fixture.open(), fixture.open()]
  const texts = [fixture.text(a, 2), fixture.text(b, 2), fixture.text(a, 1), fixture.text(b, 2), fixture.text(a, 2)]
  assert.deepEqual(texts, ['1: do in 3', '2: do in 4', '3: do in 5', '2: do in 4', '1: do in 3'])
})

test('what is acknowledged is forgotten and never done again', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  for (const number of [1, 2, 3]) fixture.run(client, number)
  assert.equal(fixture.text(client, 4, { acknowledged: 2 }), '4: do in 5')
  assert.equal(fixture.text(client, 2), 'alreadyAcknowledged')
  assert.equal(fixture.text(client, 3), '3: do in 4')
  // An old acknowledgement on a late message takes nothing back.
  assert.equal(fixture.text(client, 1, { acknowledged: 0 }), 'alreadyAcknowledged')
  assert.equal(fixture.counter.applied, 4)
})

test('an acknowledgement that jumps ahead is no work, and counts; one beyond what was asked is refused and forgets nothing', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  fixture.run(client, 1)
  const far = 1 + 2 ** 20
  assert.equal(fixture.text(client, far + 1), 'beyondAsked')
  assert.equal(fixture.text(client, Number.MAX_SAFE_INTEGER, { acknowledged: Number.MAX_SAFE_INTEGER - 1 }), 'beyondAsked')
  assert.equal(fixture.text(client, 5, { acknowledged: 9 }), 'beyondAsked')
  assert.equal(fixture.text(client, 1), '1: do in 2')
  assert.equal(fixture.text(client, far, { acknowledged: far - 1 }), '2: do in 7')
  assert.equal(fixture.text(client, 1), 'alreadyAcknowledged')
})

test('a client that nobody opened, or that was away for an hour of log time, is told so', () => {
  const fixture = new Fixture()
  assert.equal(fixture.text(1, 1), 'sessionExpired')
  const [away, here] = [fixture.open(), fixture.open()]
  fixture.run(away, 1)
  fixture.timeMs += HOUR_MS - 1
  fixture.run(here, 1)
  assert.equal(fixture.sessions.sessionCount, 2)
  fixture.timeMs++
  assert.equal(fixture.text(here, 2), '3: do in 6')
  assert.equal(fixture.text(away, 1), 'sessionExpired')
  assert.equal(fixture.sessions.sessionCount, 1)
})

test('a session ends to the millisecond though nothing comes, and one that was used since ends an hour after that', () => {
  const fixture = new Fixture()
  const [idle, used] = [fixture.open(), fixture.open()]
  fixture.timeMs += HOUR_MS - 1
  fixture.run(used, 1)
  const usedMs = fixture.timeMs
  assert.equal(fixture.sessions.nextDeadlineMs, usedMs + 1)
  fixture.timeMs++
  fixture.next()
  assert.deepEqual([fixture.sessions.sessionCount, fixture.sessions.nextDeadlineMs], [1, usedMs + HOUR_MS])
  assert.equal(fixture.text(idle, 1), 'sessionExpired')
  fixture.timeMs = usedMs + HOUR_MS
  fixture.next()
  assert.deepEqual([fixture.sessions.sessionCount, fixture.sessions.nextDeadlineMs], [0, undefined])
})

test('sessions and the machine share the ends of a slot, and the earlier deadline of the two is the next', () => {
  const fixture = new Fixture()
  const endsMax: number[] = []
  Object.assign(fixture.counter, { nextDeadlineMs: 5, onSlot: (_at: Moment, max: number) => endsMax.push(max) })
  for (let i = 0; i < 1_300; i++) fixture.open()
  assert.equal(fixture.sessions.nextDeadlineMs, 5)
  endsMax.length = 0
  fixture.timeMs += HOUR_MS
  for (let i = 0; i < 3; i++) fixture.next()
  assert.deepEqual(endsMax, [0, 700, 1_000])
})

test('a session keeps 8,192 unacknowledged results; past them a number is refused for good, and another one when some are acknowledged', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  for (let number = 1; number <= 8_192; number++) fixture.run(client, number)
  assert.equal(fixture.text(client, 8_193), 'sessionFull')
  assert.equal(fixture.counter.applied, 8_192)
  assert.equal(fixture.text(client, 8_192), '8192: do in 8193')
  assert.equal(fixture.text(client, 8_193, { acknowledged: 2 }), 'sessionFull')
  assert.equal(fixture.text(client, 8_194, { acknowledged: 2 }), '8193: do in 8197')
})

test('a session keeps 4 MiB of unacknowledged results; one large answer it always may', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  for (let number = 1; number <= 4; number++) fixture.run(client, number, { text: `${1024 * 1024} bytes` })
  assert.equal(fixture.text(client, 5), 'sessionFull')
  assert.equal(fixture.text(client, 6, { acknowledged: 5 }), '5: do in 7')
  assert.equal(fixture.run(client, 7, { acknowledged: 6, text: `${8 * 1024 * 1024} bytes` }).kind, 'result')
  assert.equal(fixture.text(client, 8, { acknowledged: 6 }), 'sessionFull')
})

test('a session that goes on asking though it is full is ended', () => {
  const fixture = new Fixture({ answersPerSessionMax: 3 })
  const client = fixture.open()
  const kinds = Array.from({ length: 8 }, (_, i) => fixture.run(client, i + 1).kind)
  assert.deepEqual(kinds, [
    'result',
    'result',
    'result',
    'sessionFull',
    'sessionFull',
    'sessionFull',
    'sessionExpired',
    'sessionExpired',
  ])
})

test('all sessions together keep so many bytes of answers: past them those go that were idle for the longest time', () => {
  const fixture = new Fixture({ answerBytesMax: 12_000 })
  const [a, b, c] = [fixture.open(), fixture.open(), fixture.open()]
  for (const client of [b, a, c]) fixture.run(client, 1, { text: '3000 bytes' })
  assert.equal(fixture.sessions.stateBytes, 3 * (380 + DEADLINE + 350 + 3_000))
  fixture.run(a, 2)
  fixture.run(a, 3, { text: '1000 bytes', acknowledged: 1 })
  assert.equal(fixture.sessions.sessionCount, 3)
  fixture.run(c, 2, { text: '8000 bytes' })
  assert.deepEqual([fixture.text(b, 1), fixture.text(a, 2)], ['sessionExpired', 'sessionExpired'])
  // Alone it may have more.
  fixture.run(c, 3, { text: '9000 bytes' })
  assert.deepEqual(
    [fixture.run(c, 1, { text: '3000 bytes' }).kind, fixture.sessions.stateBytes],
    ['result', 380 + DEADLINE + 3 * 350 + 20_000],
  )
})

test('a session is used and closed by whoever knows its token; nothing is kept of it then', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  fixture.run(client, 1)
  const at = () => ({ slot: ++fixture.slot, timeMs: fixture.timeMs, level: 1 })
  for (const token of [OTHER_TOKEN, TOKEN.subarray(1), new Uint8Array(0)]) {
    assert.equal(fixture.text(client, 2, { token }), 'sessionExpired')
    assert.equal(fixture.sessions.closeSession({ clientId: client, token }, at()), false)
  }
  assert.equal(fixture.text(client, 1), '1: do in 2')
  assert.equal(fixture.sessions.closeSession({ clientId: client, token: TOKEN }, at()), true)
  assert.equal(fixture.sessions.closeSession({ clientId: client, token: TOKEN }, at()), false)
  assert.deepEqual([fixture.sessions.sessionCount, fixture.sessions.stateBytes], [0, 0])
  // A repeat of the opening that comes late opens another.
  assert.notEqual(fixture.open(), client)
  assert.equal(fixture.text(client, 2), 'sessionExpired')
})

test('another command under a number that was used is not answered with what came of the first', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  fixture.run(client, 1, { text: 'pay 1' })
  assert.equal(fixture.text(client, 1, { text: 'pay 2' }), 'idReused')
  assert.equal(fixture.text(client, 1, { text: 'pay 1' }), '1: pay 1 in 2')
  assert.equal(fixture.counter.applied, 1)
})

test('of very many sessions that end at the same time a thousand end in a slot', () => {
  const fixture = new Fixture()
  for (let i = 0; i < 2_500; i++) fixture.open()
  fixture.timeMs += 2 * HOUR_MS
  const counts = Array.from({ length: 4 }, () => {
    // Those that have to wait are over, too.
    assert.equal(fixture.text(2_500, 1), 'sessionExpired')
    return fixture.sessions.sessionCount
  })
  assert.deepEqual(counts, [1_500, 500, 0, 0])
})

test('no record of a session in a checkpoint is larger than an answer and a few hundred KiB, and all of them come back', () => {
  const original = new Fixture({ answerBytesPerSessionMax: 100 * 1024 * 1024 })
  const client = original.open()
  for (let number = 1; number <= 30; number++) original.run(client, number, { text: `${number * 20_000} bytes` })
  const stored = checkpoint(original.sessions)
  assert.ok(Math.max(...Array.from(stored.values(), ({ length }) => length)) < 700_000)
  original.run(client, 31, { acknowledged: 25 })
  checkpoint(original.sessions, stored)
  const copy = restored(stored)
  copy.slot = original.slot
  for (const number of [25, 26, 30, 31]) {
    const text = number === 31 ? 'do' : `${number * 20_000} bytes`
    assert.deepEqual(copy.run(client, number, { text }), original.run(client, number, { text }))
  }
  assert.deepEqual(checkpoint(copy.sessions, new Map(stored)), checkpoint(original.sessions, stored))
  original.sessions.closeSession({ clientId: client, token: TOKEN }, { slot: 100, timeMs: original.timeMs, level: 1 })
  assert.deepEqual([...checkpoint(original.sessions, stored).keys()], ['sessions', 'machine/applied'])
})

test('past 100,000 sessions the one longest idle goes', () => {
  const fixture = new Fixture()
  for (let i = 1; i <= 100_000; i++) fixture.open()
  fixture.run(1, 1)
  fixture.open()
  assert.equal(fixture.sessions.sessionCount, 100_000)
  assert.equal(fixture.text(2, 1), 'sessionExpired')
  assert.equal(fixture.text(1, 1), '1: do in 100001')
})

test('a restored table goes on as the one that never stopped, the order of idleness included', () => {
  const original = new Fixture()
  const clients = [original.open(), original.open(), original.open()]
  for (const client of clients.toReversed()) original.run(client, 1)
  const stored = checkpoint(original.sessions)
  original.run(2, 2, { acknowledged: 1 })
  original.timeMs += HOUR_MS - MINUTE_MS
  original.run(1, 2)
  checkpoint(original.sessions, stored)
  const copy = restored(stored)
  copy.timeMs = original.timeMs
  copy.slot = original.slot
  for (const fixture of [original, copy]) fixture.timeMs += MINUTE_MS
  for (const run of [
    (f: Fixture) => f.text(2, 1),
    (f: Fixture) => f.text(1, 1),
    (f: Fixture) => f.text(1, 2),
    (f: Fixture) => f.text(1, 3, { acknowledged: 2 }),
    (f: Fixture) => f.text(3, 1),
    (f: Fixture) => f.open(),
    (f: Fixture) => f.sessions.sessionCount,
  ]) {
    assert.deepEqual(run(copy), run(original))
  }
  assert.deepEqual(checkpoint(copy.sessions, new Map(stored)), checkpoint(original.sessions, stored))
})

test('all sessions together take an eighth of the quota, or 1 MiB: those that are idle for the longest time go', () => {
  const fixture = new Fixture()
  fixture.sessions.begin({ quotaBytes: 1_000, level: 1, levelVersion: '' })
  const first = fixture.open()
  for (let i = 0; i < 3_000; i++) fixture.open()
  assert.ok(fixture.sessions.stateBytes > 0.99 * 2 ** 20 && fixture.sessions.stateBytes <= 2 ** 20)
  assert.deepEqual(fixture.run(first, 1), { kind: 'sessionExpired' })
  fixture.sessions.begin({ quotaBytes: 64 * 2 ** 20, level: 1, levelVersion: '' })
  for (let i = 0; i < 3_000; i++) fixture.open()
  const last = fixture.open()
  for (let number = 1; number <= 20; number++) fixture.run(last, number, { text: `${2 ** 18} bytes` })
  assert.ok(fixture.sessions.stateBytes > 4 * 2 ** 20 && fixture.sessions.stateBytes <= 8 * 2 ** 20)
  assert.equal(fixture.run(last, 20, { text: `${2 ** 18} bytes` }).kind, 'sessionFull', 'one of them has a bound of its own')
})
