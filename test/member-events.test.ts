import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { pino } from 'pino'
import { freePorts } from '../src/cli/ports.js'
import {
  Deadlines,
  EventLog,
  type FeedCursor,
  Member,
  type Moment,
  type Restoration,
  type StateEntry,
  type StateMachine,
} from '../src/member.js'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes)
const TTL_MS = 200

/** Notes that are gone after a while: a command is a note, each an event when it comes and when it goes. */
class Notes implements StateMachine {
  events = new EventLog()
  #deadlines = new Deadlines(['note'])

  apply(command: Uint8Array, { timeMs }: Moment): Uint8Array {
    this.events.begin()
    this.#deadlines.set('note', decode(command), timeMs + TTL_MS)
    this.events.add('came', undefined, { text: decode(command) })
    return encode('')
  }

  query(): Uint8Array {
    return encode(String(this.#deadlines.size))
  }

  get nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextMs
  }

  onSlot({ timeMs }: Moment, endsMax: number): void {
    for (let ends = 0; ends < endsMax; ends++) {
      const due = this.#deadlines.takeDue(timeMs)
      if (due === undefined) return
      this.events.begin()
      this.events.add('went', { text: due.id }, undefined)
    }
  }

  changes(): Iterable<StateEntry> {
    const rows = Array.from(this.#deadlines.takeChanges(), ({ key, row }) => ({ key, value: row && encode(String(row.atMs)) }))
    const revision = { key: 'revision', value: encode(String(this.events.revision)) }
    return [...rows, revision].map((entry) => ({ ...entry, keyspace: 'state' as const }))
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.events = new EventLog()
    this.#deadlines = new Deadlines(['note'])
    return {
      load: (entries) => {
        for (const { key, value } of entries) {
          if (key === 'revision') this.events.load(BigInt(decode(value)))
          else this.#deadlines.load(key, Number(decode(value)))
        }
      },
      finish: () => {},
    }
  }
}

async function startAlone(t: TestContext): Promise<() => Promise<Member>> {
  const directory = await mkdtemp(join(tmpdir(), 'synod-member-events-'))
  const [port] = await freePorts(1)
  const listenAddress = `127.0.0.1:${port}`
  let member: Member | undefined
  t.after(async () => {
    await member?.stop()
    await rm(directory, { recursive: true })
  })
  return async () => {
    member = await Member.start({
      nodeId: 1,
      directory,
      listenAddress,
      members: [{ nodeId: 1, peerAddress: listenAddress, clientAddress: '' }],
      machine: new Notes(),
      logger: pino({ level: 'silent' }),
    })
    return member
  }
}

/** Waits for so many events. */
async function follow(cursor: FeedCursor, count: number): Promise<string[]> {
  const told: string[] = []
  while (told.length < count) {
    const read = cursor.next()
    if (read.kind === 'upToDate') await cursor.changed()
    else if (read.kind === 'events') told.push(...read.events.map(({ revision, kind }) => `${revision} ${kind}`))
    else assert.fail(read.kind)
  }
  return told
}

test('a member tells what its machine changes to whoever follows, ends what is due though nobody writes, and goes on after a restart', async (t) => {
  const start = await startAlone(t)
  const member = await start()
  const cursor = member.events()
  await member.invoke(encode('a'))
  await member.invoke(encode('b'))
  const told = await follow(cursor, 4)
  // On a slow machine the first is gone before the second comes.
  const orders = [
    ['2 came', '3 came', '4 went', '5 went'],
    ['2 came', '3 went', '4 came', '5 went'],
  ]
  assert.ok(
    orders.some((order) => isDeepStrictEqual(order, told)),
    told.join(),
  )
  assert.equal(decode((await member.query(encode(''))).result), '0')
  const isTold = assert.rejects(follow(cursor, 1), /closed/)
  await member.stop()
  await isTold
  const again = await start()
  const later = again.events()
  assert.deepEqual(again.events(2n).next(), { kind: 'fallenBehind', firstRevision: 6n })
  await again.invoke(encode('c'))
  assert.deepEqual(await follow(later, 2), ['6 came', '7 went'])
})
