// The longest time for which a command, or a read, keeps the process from anything else: at the documented limits, on a big state, with
// what is history on a disk. Nothing may take longer than 50 ms (the best of three tries; the worst piece that a try is made of). Where
// Linux tells it, time is the processor's for this thread, so that what else the machine does counts less.
//
//   node --expose-gc --max-old-space-size=8192 --import tsx scripts/apply-cost.ts [--rows 1000000] [--holds 200000] [--only WORD]
import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { BankAndKeys } from '../src/api/bank-and-keys.js'
import { initialAuthority } from '../src/api/initial-authority.js'
import { depositMessage } from '../src/app/bank/signing.js'
import { UsedIds } from '../src/app/used-ids.js'
import { formatTable } from '../src/cli/output.js'
import type { TransferRequest } from '../src/gen/synod/bank/v1/bank.js'
import type { Order } from '../src/gen/synod/common/v1/common.js'
import type { TxnOperation } from '../src/gen/synod/kv/v1/kv.js'
import { Command, Query, Result } from '../src/gen/synod/session/v1/session.js'
import { Applier } from '../src/host/apply/applier.js'
import { makeBallot } from '../src/paxos/ballot.js'
import type { Genesis } from '../src/paxos/types.js'
import { encodeOpenSession, encodeSessionCommand } from '../src/replication/envelope.js'
import { sessionCodec } from '../src/replication/session-records.js'
import { Sessions } from '../src/replication/sessions.js'
import type { HistoryReader, StateEntry } from '../src/replication/state-machine.js'
import { type LevelDatabase, openDatabase } from '../src/storage/leveldb/database.js'
import { entryKey } from '../src/storage/record-keys.js'
import { seal, unseal } from '../src/storage/records.js'
import { NO_CHECKPOINT } from '../src/storage/storage.js'

type Operation = NonNullable<Command['operation']>
type QueryOperation = NonNullable<Query['query']>

const { values: flags } = parseArgs({
  options: {
    rows: { type: 'string', default: '1000000' },
    holds: { type: 'string', default: '200000' },
    only: { type: 'string', default: '' },
  },
})
const ROWS = Number(flags.rows)
const HOLDS = Number(flags.holds)
const TRIES = 3
const LIMIT_MS = 50
const BATCH = 8_190
const MIB = 1 << 20
const DAY_MS = 86_400_000
/** All answers of so many full ones are kept: more than 64 MiB would not be. */
const KEPT_SESSIONS = 20
const STEP_ENTRIES = 250
const STEP_BYTES = 256 * 1_024

const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const GENESIS: Genesis = {
  clusterId: 'apply-cost',
  members: [{ nodeId: 1, dataDirId: 'dir-1', peerAddress: 'n1:1', clientAddress: '' }],
  initialCommands: [
    initialAuthority({ authorityId: 'mint', publicKey: publicKey.export({ format: 'der', type: 'spki' }).subarray(-32) }),
  ],
  windowSlots: 64,
  quotaBytes: 0,
  level: 1,
  levelVersion: '',
}

/** History as the storage keeps it: in LevelDB, sealed. */
class Disk implements HistoryReader {
  readonly #path = mkdtempSync(join(tmpdir(), 'apply-cost-'))
  #db: LevelDatabase | undefined

  async open(): Promise<void> {
    this.#db = await openDatabase(join(this.#path, 'db'), 'create')
  }

  read(key: string): Uint8Array | undefined {
    const bytes = entryKey('history', 0, key)
    const record = this.db.getSync(bytes)
    return record && unseal(bytes, record)
  }

  get db(): LevelDatabase {
    assert(this.#db !== undefined)
    return this.#db
  }

  async close(): Promise<void> {
    await this.db.close()
    rmSync(this.#path, { recursive: true })
  }
}

const results: [what: string, ms: number][] = []

/** Tells each as soon as it is known: all of them take minutes. */
function note(...found: [what: string, ms: number][]): void {
  for (const [what, ms] of found) process.stderr.write(`${what}: ${ms.toFixed(1)} ms\n`)
  results.push(...found)
}

const THREAD_TIME = '/proc/thread-self/schedstat'
/** Costs 0.1 ms: not while the state is built. */
let isPrecise = false

function nowMs(): number {
  return isPrecise ? Number(readFileSync(THREAD_TIME, 'latin1').split(' ')[0]) / 1e6 : performance.now()
}

/** Runs `work` and gives for how long. */
function timed(work: () => unknown): number {
  const beganMs = nowMs()
  work()
  return nowMs() - beganMs
}

/** As CheckpointWriter walks them. */
function* stepsOf(changes: Iterable<StateEntry>): Generator<StateEntry[], undefined> {
  let step: StateEntry[] = []
  let bytes = 0
  for (const { key, value, keyspace } of changes) {
    if (value !== undefined) bytes += seal(entryKey(keyspace, 0, key), value).length
    step.push({ key, value, keyspace })
    if (step.length < STEP_ENTRIES && bytes < STEP_BYTES) continue
    yield step
    step = []
    bytes = 0
  }
  if (step.length > 0) yield step
}

/** A node's machine with its sessions, applied to slot by slot; remembers the longest piece. */
class World {
  readonly machine = new BankAndKeys()
  readonly sessions = new Sessions(this.machine, sessionCodec)
  readonly applier: Applier
  timeMs = DAY_MS
  longestMs = 0
  #lastBytes: Uint8Array = new Uint8Array()
  #clientId = 1
  #requestNumber = 0
  readonly #token = new Uint8Array(16).fill(7)
  readonly #disk: Disk
  /** State entries of the checkpoints so far, as a disk has them. */
  readonly state = new Map<string, Uint8Array>()

  constructor(disk: Disk) {
    this.#disk = disk
    this.sessions.restore(disk).finish()
    this.applier = new Applier({
      sessions: this.sessions,
      checkpoint: NO_CHECKPOINT,
      genesis: GENESIS,
      listener: {
        onOpened: (_, clientId) => {
          this.#clientId = clientId
          this.#requestNumber = 0
        },
        onClosed: () => {},
        onLevel: () => {},
        onOutcome: (_, outcome) => {
          assert(outcome.kind === 'result' || outcome.kind === 'answer', outcome.kind)
          this.#lastBytes = outcome.result
        },
        isAwaited: () => true,
      },
    })
    this.applier.applyInitial(this.machine, GENESIS)
    this.slot([encodeOpenSession(this.#token)])
  }

  get lastResult(): Result {
    return Result.decode(this.#lastBytes)
  }

  /** Log time goes on; the session may have ended then. */
  wait(ms: number): void {
    this.timeMs += ms
    this.slot([encodeOpenSession(this.#token)])
  }

  /** Applies one slot, a piece at a time. */
  slot(commands: Uint8Array[]): void {
    const slot = this.applier.appliedUpTo + 1
    this.applier.enqueue([{ slot, ballot: makeBallot(1, 1), value: { kind: 'batch', timeMs: this.timeMs, commands } }])
    while (this.applier.appliedUpTo < slot) {
      this.longestMs = Math.max(
        this.longestMs,
        timed(() => this.applier.run(() => true)),
      )
    }
  }

  envelope(operation: Operation): Uint8Array {
    this.#requestNumber++
    return encodeSessionCommand({
      clientId: this.#clientId,
      token: this.#token,
      requestNumber: this.#requestNumber,
      firstUnacknowledged: this.#requestNumber,
      command: Command.encode({ operation }).finish(),
    })
  }

  /** One command in a slot of its own. Gives what it was refused for, or the empty string. */
  do(operation: Operation): string {
    this.slot([this.envelope(operation)])
    const { outcome } = this.lastResult
    return outcome?.$case === 'refusal' ? outcome.value.reason : ''
  }

  must(operation: Operation): void {
    assert.equal(this.do(operation), '')
  }

  /** Many commands, some hundred a slot. */
  load(count: number, operation: (i: number) => Operation): void {
    for (let i = 0; i < count; i += 500) {
      this.slot(Array.from({ length: Math.min(500, count - i) }, (_, j) => this.envelope(operation(i + j))))
    }
  }

  /** All of a checkpoint; gives the longest step of it, and how long taking and ending it took. */
  async checkpoint(): Promise<{ takeMs: number; stepMs: number; endMs: number }> {
    let taken: ReturnType<Applier['checkpoint']> | undefined
    const takeMs = timed(() => {
      taken = this.applier.checkpoint()
    })
    const steps = stepsOf((taken as NonNullable<typeof taken>).changes)
    let stepMs = 0
    for (;;) {
      const found: IteratorResult<StateEntry[], undefined>[] = []
      stepMs = Math.max(
        stepMs,
        timed(() => found.push(steps.next())),
      )
      const step = found[0]?.value
      if (step === undefined) break
      const batch = this.#disk.db.batch()
      for (const { key, value, keyspace } of step) {
        const bytes = entryKey(keyspace, 0, key)
        if (keyspace === 'state') {
          if (value === undefined) this.state.delete(key)
          else this.state.set(key, Uint8Array.from(value))
        } else if (value === undefined) batch.del(bytes)
        else batch.put(bytes, seal(bytes, value))
      }
      await batch.write({ sync: false })
    }
    const endMs = timed(() => this.applier.onCheckpointed())
    return { takeMs, stepMs, endMs }
  }

  read(query: QueryOperation): Result {
    const request: Query = { query }
    let result: Uint8Array = new Uint8Array()
    this.longestMs = Math.max(
      this.longestMs,
      timed(() => {
        result = this.machine.query(Query.encode(request).finish())
      }),
    )
    return Result.decode(result)
  }
}

/** The best of three tries. `run` gives how long a try's longest piece was, or has the world tell. */
function measure(world: World, what: string, run: (attempt: number) => number | void): void {
  if (!what.includes(flags.only)) return
  let bestMs = Number.POSITIVE_INFINITY
  for (let attempt = 0; attempt < TRIES; attempt++) {
    gc?.()
    world.longestMs = 0
    const ms = run(attempt)
    bestMs = Math.min(bestMs, ms ?? world.longestMs)
  }
  note([what, bestMs])
}

const put = (key: string, value: Uint8Array, requestId = '', returnPrevious = false): Operation & { $case: 'put' } => ({
  $case: 'put',
  value: { key, value, returnPrevious, requestId },
})
const del = (target: { $case: 'key' | 'prefix'; value: string }, returnPrevious = false): Operation & { $case: 'delete' } => ({
  $case: 'delete',
  value: { target, returnPrevious, requestId: '', all: target.value === '' },
})
const open = (accountId: string, overdraftLimit = 1n << 50n): Operation & { $case: 'openAccount' } => ({
  $case: 'openAccount',
  value: { accountId, asset: 'EUR', overdraftLimit, requestId: '' },
})
const txn = (then: Operation[], requestId = ''): Operation => ({
  $case: 'txn',
  // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
  value: { compare: [], then: then.map((operation) => ({ operation }) as TxnOperation), else: [], requestId },
})

/** Ids as long as the bound on a batch's answer allows: 244 bytes a transfer. */
const longId = (kind: string, i: number): string => `${kind}-${i}-`.padEnd(80, 'x')
function transferOf(id: string, i: number, timeoutSeconds = 0n): TransferRequest {
  return {
    transferId: id.padEnd(80, 'y'),
    sourceAccountId: longId('account', i % ROWS),
    destinationAccountId: longId('account', (i * 7 + 1) % ROWS),
    amount: 1n,
    pending: timeoutSeconds > 0n,
    timeout: timeoutSeconds > 0n ? { seconds: timeoutSeconds, nanos: 0 } : undefined,
  }
}
interface BatchOptions {
  readonly from?: number
  readonly count?: number
  readonly timeoutSeconds?: bigint
  readonly linked?: number
  readonly last?: Partial<TransferRequest>
}

const batch = (
  name: string,
  { from = 0, count = BATCH, timeoutSeconds = 0n, linked = 0, last }: BatchOptions = {},
): Operation => {
  const transfers = Array.from({ length: count }, (_, i) => transferOf(`${name}-${from + i}`, (from + i) * 13, timeoutSeconds))
  transfers[count - 1] = { ...transferOf(`${name}-${from + count - 1}`, (from + count - 1) * 13, timeoutSeconds), ...last }
  const linkedGroups =
    linked === 0 ? [] : Array.from({ length: Math.floor(count / linked) }, (_, i) => ({ first: i * linked, count: linked }))
  return { $case: 'transferBatch', value: { transfers, linkedGroups } }
}

const disk = new Disk()
await disk.open()
const world = new World(disk)

const beganMs = performance.now()
world.load(ROWS, (i) => open(longId('account', i)))
const VALUE = new Uint8Array(100).fill(65)
const digits = String(ROWS - 1).length
world.load(ROWS, (i) => put(`many/${i % 10 < 3 ? 'x' : 'y'}/${String(i).padStart(digits, '0')}`, VALUE))
for (let i = 0; i < HOLDS; i += BATCH) {
  world.must(batch('hold', { from: i, count: Math.min(BATCH, HOLDS - i), timeoutSeconds: 1_000_000n }))
  if (i % (10 * BATCH) === 0) await world.checkpoint()
}
for (let i = 0; i < 5; i++) world.must(batch('stored', { from: i * BATCH }))
for (let attempt = 0; attempt < TRIES; attempt++) world.must(batch(`stored-linked-${attempt}`, { linked: BATCH }))
for (let attempt = 0; attempt < TRIES; attempt++) world.must(batch(`to-post-${attempt}`, { timeoutSeconds: 2_000_000n }))
world.must(open('busy'))
world.must(open('other'))
await world.checkpoint()
isPrecise = existsSync(THREAD_TIME)
process.stderr.write(
  `state of ${Math.round(world.sessions.stateBytes / MIB)} MiB, ${((performance.now() - beganMs) / 1_000).toFixed(0)} s\n`,
)

// --- The bank
measure(world, 'TransferBatch, all fresh', (n) => world.must(batch(`fresh-${n}`)))
measure(world, 'TransferBatch, all fresh and pending, with an end', (n) =>
  world.must(batch(`pending-${n}`, { timeoutSeconds: 3_000_000n })),
)
measure(world, 'TransferBatch, all repeats, in memory', () => world.must(batch('fresh-0')))
measure(world, 'TransferBatch, all repeats, on disk', (n) => world.must(batch('stored', { from: n * BATCH })))
measure(world, 'TransferBatch, all refused', (n) => {
  const operation = batch(`refused-${n}`) as Extract<Operation, { $case: 'transferBatch' }>
  const transfers = operation.value.transfers.map((t) => ({ ...t, sourceAccountId: 'nobody'.padEnd(80, 'z') }))
  world.must({ ...operation, value: { ...operation.value, transfers } })
})
measure(world, 'TransferBatch, linked', (n) => world.must(batch(`linked-${n}`, { linked: BATCH })))
measure(world, 'TransferBatch, linked in pairs', (n) => world.must(batch(`pairs-${n}`, { linked: 2 })))
measure(world, 'TransferBatch, linked, the last one refused', (n) => {
  world.must(batch(`rolled-${n}`, { linked: BATCH, timeoutSeconds: 3_000_000n, last: { sourceAccountId: 'nobody' } }))
})
measure(world, 'TransferBatch, linked, all repeats on disk', (n) => world.must(batch(`stored-linked-${n}`, { linked: BATCH })))
measure(world, 'TransferBatch, all fresh, near the quota', (n) => {
  world.sessions.begin({ ...GENESIS, quotaBytes: world.sessions.stateBytes + 8 * MIB })
  world.must(batch(`near-${n}`, { timeoutSeconds: 3_000_000n }))
  world.sessions.begin(GENESIS)
})
measure(world, 'TransferBatch, linked, past the quota', (n) => {
  world.sessions.begin({ ...GENESIS, quotaBytes: world.sessions.stateBytes + 1 })
  world.must(batch(`past-${n}`, { linked: BATCH, timeoutSeconds: 3_000_000n }))
  world.sessions.begin(GENESIS)
})
measure(world, 'a slot of 8,192 posts of holds on disk', (n) => {
  const posts = Array.from({ length: BATCH }, (_, i) =>
    world.envelope({
      $case: 'postTransfer',
      value: { transferId: `to-post-${n}-${i}`.padEnd(80, 'y'), amount: 0n, requestId: '' } as never,
    }),
  )
  world.slot(posts)
  assert.equal(world.lastResult.outcome?.$case, 'postTransfer')
})
measure(world, 'Txn of 128 deposits', (n) => {
  const deposits = Array.from({ length: 128 }, (_, i) => {
    const request = { depositId: `deposit-${n}-${i}`, accountId: 'busy', asset: 'EUR', amount: 1n, authorityId: 'mint' }
    const signature = sign(null, depositMessage(request), privateKey)
    return { $case: 'deposit' as const, value: { ...request, signature } }
  })
  world.must(txn(deposits))
})
measure(world, 'ListAccounts, a page of 1,000', () => {
  const { outcome } = world.read({ $case: 'listAccounts', value: { pageSize: 1_000, pageToken: '', consistency: 0 } })
  assert(outcome?.$case === 'listAccounts' && outcome.value.accounts.length === 1_000)
})
const listMovements = (accountId: string, order: Order = 0, pageToken = ''): string => {
  const { outcome } = world.read({
    $case: 'listMovements',
    value: { accountId, pageSize: 1_000, pageToken, order, consistency: 0 },
  })
  assert(outcome?.$case === 'listMovements' && outcome.value.movements.length === 1_000)
  return outcome.value.nextPageToken
}
const toBusy = (name: string, count: number): void => {
  for (let i = 0; i < count; i += BATCH) {
    const { value } = batch(name, { from: i, count: Math.min(BATCH, count - i) }) as Extract<
      Operation,
      { $case: 'transferBatch' }
    >
    world.must({
      $case: 'transferBatch',
      value: { ...value, transfers: value.transfers.map((t) => ({ ...t, destinationAccountId: 'busy' })) },
    })
  }
}
await world.checkpoint()
for (const [what, count] of [
  ['a span', 112_000],
  ['four spans', 448_000],
] as const) {
  for (let n = 0; n < TRIES && `ListMovements, first after ${what}`.includes(flags.only); n++) {
    toBusy(`busy-${count}-${n}`, count)
    gc?.()
    world.longestMs = 0
    listMovements('busy', 2)
    note([`ListMovements, the first after ${what} of new movements (try ${n + 1})`, world.longestMs])
    await world.checkpoint()
  }
}
measure(world, 'ListMovements, a page of 1,000 on disk', () => {
  const token = listMovements('busy')
  listMovements('busy', 0, token)
})
measure(world, 'ListMovements, a page of 1,000 on disk, through the log', () => {
  world.must({
    $case: 'query',
    value: {
      query: { $case: 'listMovements', value: { accountId: 'busy', pageSize: 1_000, pageToken: '', order: 0, consistency: 3 } },
    },
  })
})
if ('holds'.includes(flags.only) || 'holds that end'.includes(flags.only)) {
  gc?.()
  world.longestMs = 0
  world.timeMs += 1_000_000_000 + 1
  const { deadlines } = world.machine.books
  const before = deadlines.size
  const slots: number[] = []
  while ((world.machine.nextDeadlineMs ?? Number.POSITIVE_INFINITY) <= world.timeMs) {
    world.longestMs = 0
    world.slot([])
    slots.push(world.longestMs)
  }
  assert(before - deadlines.size >= HOLDS)
  world.wait(0)
  const sorted = slots.toSorted((a, b) => a - b)
  note([`a slot in which 1,000 holds end (the median of ${slots.length} slots)`, sorted[slots.length >> 1] ?? 0])
  note([`a slot in which 1,000 holds end (the longest of ${slots.length} slots)`, sorted.at(-1) ?? 0])
}

// --- Keys
const big = new Uint8Array(31_000).fill(66)
measure(world, 'Put of 1 MiB', (n) => world.must(put(`big-${n}`, new Uint8Array(MIB).fill(n))))
measure(world, 'Put of 1 MiB with a request id', (n) => world.must(put(`big-${n}`, new Uint8Array(MIB).fill(n), `request-${n}`)))
measure(world, 'Put of 1 MiB, the one before given back', (n) =>
  world.must(put(`big-${n}`, new Uint8Array(MIB).fill(n), '', true)),
)
measure(world, 'Txn of 128 puts of 31,000 bytes', (n) =>
  world.must(txn(Array.from({ length: 128 }, (_, i) => put(`txn-${n}-${i}`, big)))),
)
measure(world, 'Txn of 127 puts of 31,000 bytes with a request id, and a refusal', (n) => {
  world.do(txn([...Array.from({ length: 127 }, (_, i) => put(`txn-${n}-${i}`, big)), open('busy')], `txn-${n}`))
})
measure(world, 'Txn of 128 deletes by prefix of 64 keys each', (n) => {
  for (let i = 0; i < 128; i++) world.load(64, (j) => put(`small-${i}/${j}`, VALUE))
  world.longestMs = 0
  world.must(txn(Array.from({ length: 128 }, (_, i) => del({ $case: 'prefix', value: `small-${i}/` }))))
  assert(n < TRIES)
})
measure(world, 'Txn of 128 deletes by prefix of thousands of keys, and a refusal', () => {
  const prefixes = Array.from({ length: 127 }, (_, i) => `many/y/${String(i).padStart(3, '0')}`)
  assert.equal(world.do(txn([...prefixes.map((value) => del({ $case: 'prefix', value })), open('busy')])), 'ACCOUNT_EXISTS')
})
measure(world, 'Txn that deletes everything, and a refusal', () => {
  assert.equal(world.do(txn([del({ $case: 'prefix', value: '' }), open('busy')])), 'ACCOUNT_EXISTS')
})
const list = (value: Partial<Extract<QueryOperation, { $case: 'list' }>['value']>): void => {
  world.read({
    $case: 'list',
    value: {
      prefix: '',
      start: '',
      end: '',
      limit: 0,
      order: 0,
      keysOnly: false,
      countOnly: false,
      pageToken: '',
      consistency: 0,
      ...value,
    },
  })
}
measure(world, 'List, a page of 1,000', () => list({ prefix: 'many/' }))
measure(world, 'List, a page of 3 MiB', () => list({ prefix: 'txn-' }))
measure(world, 'List, the count of all', () => list({ countOnly: true }))
for (const keys of ['x', 'y']) {
  world.longestMs = 0
  world.must(del({ $case: 'prefix', value: `many/${keys}/` }))
  note([`Delete by prefix of ${ROWS * (keys === 'x' ? 0.3 : 0.7)} keys`, world.longestMs])
}
const clearing: number[] = []
while (world.machine.books.keys.cuts.isPending) {
  world.longestMs = 0
  world.slot([])
  clearing.push(world.longestMs)
}
note(['a slot in which 10,000 deleted keys are cleared', Math.max(...clearing)])

// --- Request ids and sessions
if ('request ids'.includes(flags.only)) {
  world.load(100_000, (i) => put('same', new Uint8Array(), `id-${i}`))
  world.longestMs = 0
  world.wait(2 * DAY_MS)
  for (let i = 0; i < 25; i++) world.slot([])
  note(['a slot in which 5,000 first answers expire', world.longestMs])
  for (const ids of [4_096, 32_768, 262_144, 2_097_152, 16_777_216]) {
    let before = 0
    for (const n of [4_096, 32_768, 262_144, 2_097_152, 16_777_216]) if (n < ids) before += n
    const runs = Array.from({ length: TRIES }, () => {
      const used = new UsedIds(() => undefined)
      used.load(before)
      return timed(() => used.add('one more', { slot: 1 }))
    })
    note([`the filter of ids grows by ${ids}`, Math.min(...runs)])
  }
  isPrecise = false
  const fill = (): World => {
    const other = new World(disk)
    for (let i = 0; i < 100_000; i += 1_000) {
      other.slot(Array.from({ length: 1_000 }, (_, j) => encodeOpenSession(Buffer.from(String(i + j).padStart(16, '0')))))
    }
    return other
  }
  const opened = fill()
  note(['opening the 1st to 100,000th session', opened.longestMs])
  isPrecise = existsSync(THREAD_TIME)
  opened.longestMs = 0
  opened.timeMs += DAY_MS
  for (let i = 0; i < 200; i++) opened.slot([encodeOpenSession(Buffer.from(String(i).padStart(16, 'x')))])
  note(['a slot in which 1,000 sessions expire', opened.longestMs])
  isPrecise = false
  const kept = new World(disk)
  for (let s = 0; s < KEPT_SESSIONS; s++) {
    kept.slot([encodeOpenSession(Buffer.from(String(s).padStart(16, '0')))])
    for (let i = 1; i <= 8_191; i += 1) {
      const command = Command.encode({ operation: put('k', new Uint8Array()) }).finish()
      const token = Buffer.from(String(s).padStart(16, '0'))
      kept.slot([encodeSessionCommand({ clientId: s + 2, token, requestNumber: i, firstUnacknowledged: 1, command })])
    }
  }
  note(['filling sessions with 8,191 answers each', kept.longestMs])
  isPrecise = existsSync(THREAD_TIME)
  kept.longestMs = 0
  for (let s = 0; s < 14; s++) {
    const command = Command.encode({ operation: put('k', new Uint8Array()) }).finish()
    const token = Buffer.from(String(s).padStart(16, '0'))
    kept.slot([encodeSessionCommand({ clientId: s + 2, token, requestNumber: 8_192, firstUnacknowledged: 8_192, command })])
  }
  note(['8,191 answers acknowledged at once', kept.longestMs])
  const { takeMs, stepMs, endMs } = await kept.checkpoint()
  note(['a checkpoint of full sessions: its longest step', stepMs], ['taking and ending it', Math.max(takeMs, endMs)])
}

// --- Checkpoints, and taking one in
{
  isPrecise = false
  world.load(ROWS, (i) => put(`more/${i}`, VALUE))
  isPrecise = existsSync(THREAD_TIME)
  const { takeMs, stepMs, endMs } = await world.checkpoint()
  results.push(
    ['a checkpoint: taking it', takeMs],
    ['a checkpoint: its longest step', stepMs],
    ['a checkpoint: ending it', endMs],
  )
  world.must(del({ $case: 'prefix', value: 'more/' }))
  await world.checkpoint()
  const entries = [...world.state].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const sessions = new Sessions(new BankAndKeys(), sessionCodec)
  const restoration = sessions.restore(disk)
  let loadMs = 0
  let page: StateEntry[] = []
  let bytes = 0
  for (const [key, value] of entries) {
    page.push({ key, value, keyspace: 'state' })
    bytes += value.length
    if (page.length < 1_000 && bytes < MIB) continue
    const loaded = page
    loadMs = Math.max(
      loadMs,
      timed(() => restoration.load(loaded)),
    )
    page = []
    bytes = 0
  }
  restoration.load(page)
  note(['a checkpoint of a peer: a page of 1,000 rows, or a MiB', loadMs])
  note(['a checkpoint of a peer: the end of it', timed(() => restoration.finish())])
}

await disk.close()
const lines = results.map(([what, ms]) => [what, ms.toFixed(1), ms > LIMIT_MS ? 'TOO LONG' : ''])
process.stdout.write(`${formatTable(['what', 'ms', ''], lines)}\n`)
if (results.some(([, ms]) => ms > LIMIT_MS)) process.exitCode = 1
