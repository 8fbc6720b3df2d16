import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type SessionOutcome, Sessions } from '../../src/machine/sessions.js'
import type { Moment, Restoration, StateEntry, StateMachine } from '../../src/machine/state-machine.js'
import { sessionCodec } from '../../src/wire/state.js'
import { bytes } from './fixture.js'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

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
  readonly sessions = new Sessions(this.counter, sessionCodec)
  timeMs = HOUR_MS
  slot = 0

  open(): number {
    this.slot++
    return this.sessions.openSession({ slot: this.slot, timeMs: this.timeMs })
  }

  run(clientId: number, requestNumber: number, { text = 'do', acknowledged = 0 } = {}): SessionOutcome {
    this.slot++
    const request = { clientId, requestNumber, firstUnacknowledged: acknowledged + 1, command: bytes(text) }
    return this.sessions.apply(request, { slot: this.slot, timeMs: this.timeMs })
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
  restoration.load(Array.from(stored, ([key, value]) => ({ key, value, keyspace: 'state' })))
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

test('an acknowledgement that jumps far ahead is no work, and counts', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  fixture.run(client, 1)
  assert.equal(fixture.text(client, Number.MAX_SAFE_INTEGER, { acknowledged: Number.MAX_SAFE_INTEGER - 1 }), '2: do in 3')
  assert.equal(fixture.text(client, 1), 'alreadyAcknowledged')
  assert.equal(fixture.text(client, 5, { acknowledged: 9 }), 'alreadyAcknowledged')
})

test('a client that nobody opened, or that was away for an hour of log time, is told so', () => {
  const fixture = new Fixture()
  assert.equal(fixture.text(1, 1), 'sessionExpired')
  const [away, here] = [fixture.open(), fixture.open()]
  fixture.run(away, 1)
  fixture.timeMs += HOUR_MS - 1
  fixture.run(here, 1)
  fixture.timeMs += MINUTE_MS
  assert.equal(fixture.text(here, 2), '3: do in 6')
  assert.equal(fixture.text(away, 1), 'sessionExpired')
  assert.equal(fixture.sessions.sessionCount, 1)
})

test('sessions are swept once a minute of log time, no oftener', () => {
  const fixture = new Fixture()
  const [a, b] = [fixture.open(), fixture.open()]
  fixture.timeMs += MINUTE_MS - 1
  fixture.run(a, 1)
  fixture.timeMs += HOUR_MS - MINUTE_MS
  fixture.run(b, 1) // sweeps: a has 1 ms more to go
  fixture.timeMs += MINUTE_MS - 1
  assert.equal(fixture.text(a, 1), '1: do in 3')
})

test('a session keeps 8,192 unacknowledged results; past them nothing is done until some are acknowledged', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  for (let number = 1; number <= 8_192; number++) fixture.run(client, number)
  assert.equal(fixture.text(client, 8_193), 'overloaded')
  assert.equal(fixture.counter.applied, 8_192)
  assert.equal(fixture.text(client, 8_192), '8192: do in 8193')
  assert.equal(fixture.text(client, 8_193, { acknowledged: 1 }), '8193: do in 8196')
})

test('a session keeps 64 MiB of unacknowledged results', () => {
  const fixture = new Fixture()
  const client = fixture.open()
  for (let number = 1; number <= 64; number++) fixture.run(client, number, { text: `${1024 * 1024} bytes` })
  assert.equal(fixture.text(client, 65), 'overloaded')
  assert.equal(fixture.text(client, 65, { acknowledged: 1 }), '65: do in 67')
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
