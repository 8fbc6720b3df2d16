// What a row of each kind takes in memory: what V8 says, fresh and restored from a checkpoint, beside what the quota counts
// (src/tables/row-bytes.ts). The counted figure should be the higher one, and not by much.
//
//   node --expose-gc --import tsx scripts/row-bytes.ts [--rows 100000] [--only WORD]
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { BankAndKeys } from '../src/api/bank-and-keys.js'
import { registerAuthorityMessage } from '../src/app/bank/signing.js'
import { UsedIds } from '../src/app/used-ids.js'
import { formatTable } from '../src/cli/output.js'
import { Command, Result } from '../src/gen/synod/session/v1/session.js'
import { sessionCodec } from '../src/replication/session-records.js'
import { SESSION_LIMITS } from '../src/replication/session-table.js'
import { Sessions } from '../src/replication/sessions.js'
import type { StateEntry, StateMachine } from '../src/replication/state-machine.js'

type Operation = NonNullable<Command['operation']>

interface Kind {
  readonly name: string
  /** Fewer where a row costs much time. */
  readonly share?: number
  /** Applied first, and not counted. */
  readonly before?: readonly Operation[]
  operation(i: number): Operation
}

const { values } = parseArgs({ options: { rows: { type: 'string', default: '100000' }, only: { type: 'string', default: '' } } })
const ROWS = Number(values.rows)
const DAY_MS = 86_400_000
const { publicKey, privateKey } = generateKeyPairSync('ed25519')
const RAW_KEY = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
const ROOT = { authorityId: 'root', publicKey: RAW_KEY, signerId: '', signature: new Uint8Array() }

const open = (accountId: string, asset = 'EUR'): Operation => ({
  $case: 'openAccount',
  value: { accountId, asset, overdraftLimit: 1_000_000_000_000_000n, requestId: '' },
})
const put = (key: string, bytes: number, requestId = ''): Operation => ({
  $case: 'put',
  value: { key, value: Buffer.alloc(bytes, key), returnPrevious: false, requestId, leaseId: 0n } as never,
})
const transfer = (i: number, pending: boolean): Operation => ({
  $case: 'transfer',
  value: {
    transferId: `transfer-${i}`,
    sourceAccountId: 'alice',
    destinationAccountId: 'bob',
    amount: 1n,
    pending,
    timeout: pending ? { seconds: 864_000n, nanos: 0 } : undefined,
  },
})

const KINDS: readonly Kind[] = [
  { name: 'key of 10 characters, 0 bytes', operation: (i) => put(`key-${1e5 + i}`, 0) },
  { name: 'key of 20 characters, 16 bytes', operation: (i) => put(`user/${1e9 + i}/name`, 16) },
  { name: 'key of 20 characters, 100 bytes', operation: (i) => put(`user/${1e9 + i}/name`, 100) },
  { name: 'key of 20 characters, 1,024 bytes', share: 0.2, operation: (i) => put(`user/${1e9 + i}/name`, 1_024) },
  { name: 'key of 20 characters, 1,100 bytes', share: 0.2, operation: (i) => put(`user/${1e9 + i}/name`, 1_100) },
  { name: 'key of 20 characters, 64 KiB', share: 0.01, operation: (i) => put(`user/${1e9 + i}/name`, 65_536) },
  { name: 'key of 20 Greek characters', operation: (i) => put(`αβγδεζηθικ${1e9 + i}`, 16) },
  { name: 'account', operation: (i) => open(`account-${1e6 + i}`) },
  { name: 'account, an asset of its own', operation: (i) => open(`account-${1e6 + i}`, `asset-${1e6 + i}`) },
  { name: 'hold that ends by itself', before: [open('alice'), open('bob')], operation: (i) => transfer(i, true) },
  { name: 'request id of a put', operation: (i) => put('same', 16, `request-${1e6 + i}`) },
  {
    name: 'authority',
    share: 0.1,
    operation(i) {
      const request = { authorityId: `authority-${i}`, publicKey: RAW_KEY, signerId: 'root', signature: new Uint8Array() }
      return {
        $case: 'registerAuthority',
        value: { ...request, signature: sign(null, registerAuthorityMessage(request), privateKey) },
      }
    },
  },
]

/** Once all garbage is gone: that of buffers takes some turns of the event loop. */
async function heapBytes(): Promise<number> {
  assert(gc, 'run with node --expose-gc')
  for (let i = 0; i < 5; i++) {
    gc()
    await delay(20)
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function apply(machine: BankAndKeys, operation: Operation, slot: number): void {
  const command = Command.encode({ operation }).finish()
  const { outcome } = Result.decode(machine.apply(command, { slot, timeMs: DAY_MS, level: 1 }))
  assert(outcome?.$case !== 'refusal', outcome?.$case === 'refusal' ? outcome.value.message : '')
}

/** The machine keeps on disk what is history; of the rest, the next line of a checkpoint as a disk gives it back. */
function checkpoint(machine: BankAndKeys): StateEntry[] {
  const entries: StateEntry[] = []
  for (const { key, value, keyspace } of machine.changes()) {
    if (keyspace === 'state' && value !== undefined) entries.push({ key, value: Buffer.from(value), keyspace })
  }
  machine.onCheckpointed()
  return entries
}

function machineWith({ before = [] }: Kind): BankAndKeys {
  const machine = new BankAndKeys()
  apply(machine, { $case: 'registerAuthority', value: ROOT }, 0)
  for (const first of before) apply(machine, first, 1)
  return machine
}

async function measure(kind: Kind): Promise<string[]> {
  const rows = Math.round(ROWS * (kind.share ?? 1))
  const fresh = machineWith(kind)
  const countedBefore = fresh.stateBytes
  const heapBefore = await heapBytes()
  for (let i = 0; i < rows; i++) apply(fresh, kind.operation(i), 2 + i)
  checkpoint(fresh)
  const heapFresh = (await heapBytes()) - heapBefore
  const counted = fresh.stateBytes - countedBefore
  const heapRestored = await measureRestored(kind, rows, fresh.stateBytes)
  return [kind.name, ...[heapFresh, heapRestored, counted].map((bytes) => String(Math.round(bytes / rows)))]
}

async function measureRestored(kind: Kind, rows: number, stateBytes: number): Promise<number> {
  const machine = machineWith(kind)
  for (let i = 0; i < rows; i++) apply(machine, kind.operation(i), 2 + i)
  const entries = checkpoint(machine)
  const keys = entries.map(({ key }) => Buffer.from(`machine/${key}`))
  const restored = new BankAndKeys()
  const heapBefore = await heapBytes()
  const restoration = restored.restore({ read: () => undefined })
  for (const [i, { value, keyspace }] of entries.entries()) {
    restoration.load([{ key: keys[i]?.toString().slice('machine/'.length) ?? '', value, keyspace }])
  }
  restoration.finish()
  const heap = (await heapBytes()) - heapBefore
  assert.equal(restored.stateBytes, stateBytes)
  assert(machine.stateBytes === stateBytes && entries.length === keys.length)
  return heap
}

/** Sessions, or the answers of one, around a machine that keeps nothing. */
interface SessionKind {
  readonly name: string
  readonly share?: number
  /** Before what is counted. */
  readonly sessions: number
  readonly fill: (sessions: Sessions, i: number) => void
}

const NOTHING: StateMachine = {
  apply: (command) => command.slice(),
  query: () => new Uint8Array(),
  changes: () => [],
  onCheckpointed: () => {},
  restore: () => ({ load: () => {}, finish: () => {} }),
}
const AT = { slot: 1, timeMs: DAY_MS, level: 1 }
const tokenOf = (i: number): Uint8Array => Buffer.from(String(i).padStart(16, '0'))
const ROOMY = { ...SESSION_LIMITS, sessionCountMax: Number.POSITIVE_INFINITY, answerBytesMax: Number.POSITIVE_INFINITY }
const ANSWERING_SESSIONS = 100

function ask(sessions: Sessions, i: number, bytes: number): void {
  const clientId = 1 + (i % ANSWERING_SESSIONS)
  const requestNumber = 1 + Math.floor(i / ANSWERING_SESSIONS)
  const command = new Uint8Array(bytes).fill(i)
  sessions.apply({ clientId, token: tokenOf(clientId - 1), requestNumber, firstUnacknowledged: 1, command }, AT)
}

const SESSION_KINDS: readonly SessionKind[] = [
  { name: 'session', sessions: 0, fill: (sessions, i) => sessions.openSession(tokenOf(i), AT) },
  { name: 'answer of 0 bytes', sessions: ANSWERING_SESSIONS, fill: (sessions, i) => ask(sessions, i, 0) },
  { name: 'answer of 30 bytes', sessions: ANSWERING_SESSIONS, fill: (sessions, i) => ask(sessions, i, 30) },
  { name: 'answer of 1,000 bytes', share: 0.2, sessions: ANSWERING_SESSIONS, fill: (sessions, i) => ask(sessions, i, 1_000) },
]

async function measureSessions({ name, share = 1, sessions: opened, fill }: SessionKind): Promise<string[]> {
  const rows = Math.round(ROWS * share)
  const fresh = new Sessions(NOTHING, sessionCodec, ROOMY)
  for (let i = 0; i < opened; i++) fresh.openSession(tokenOf(i), AT)
  const countedBefore = fresh.stateBytes
  const heapBefore = await heapBytes()
  for (let i = 0; i < rows; i++) fill(fresh, i)
  const heapFresh = (await heapBytes()) - heapBefore
  const counted = fresh.stateBytes - countedBefore
  const entries = [...fresh.changes()].map(({ key, value, keyspace }) => ({ key, value: value && Buffer.from(value), keyspace }))
  const heapStored = await heapBytes()
  const restored = new Sessions(NOTHING, sessionCodec, ROOMY)
  const restoration = restored.restore({ read: () => undefined })
  restoration.load(entries)
  restoration.finish()
  const heapRestored = (await heapBytes()) - heapStored
  assert.equal(restored.stateBytes, fresh.stateBytes)
  assert(entries.length > 0)
  return [name, ...[heapFresh, heapRestored, counted].map((bytes) => String(Math.round(bytes / rows)))]
}

/** Those that no checkpoint has yet: what a checkpoint has, counts two bytes, which are the filter's. */
async function measureUsedIds(): Promise<string[]> {
  const used = new UsedIds(() => undefined)
  const heapBefore = await heapBytes()
  for (let i = 0; i < ROWS; i++) used.add(`request-${1e6 + i}`, { slot: i })
  const heap = (await heapBytes()) - heapBefore
  return ['request id, until a checkpoint has it', String(Math.round(heap / ROWS)), '', String(used.writtenBytes / ROWS)]
}

const lines: string[][] = []
for (const kind of KINDS) if (kind.name.includes(values.only)) lines.push(await measure(kind))
for (const kind of SESSION_KINDS) if (kind.name.includes(values.only)) lines.push(await measureSessions(kind))
lines.push(await measureUsedIds())
process.stdout.write(`${formatTable(['row', 'fresh', 'restored', 'counted'], lines)}\n`)
