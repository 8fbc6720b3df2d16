import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { Command, Result } from '../../src/gen/synod/session/v1/session.js'
import { brokenBankInvariants } from '../../src/machine/invariants.js'
import { type SessionOutcome, Sessions } from '../../src/machine/sessions.js'
import type { StateMachine } from '../../src/machine/state-machine.js'
import { BankAndKeys } from '../../src/wire/bank-and-keys.js'
import { sessionCodec } from '../../src/wire/state.js'
import { dump, fakeCrypto, GOOD } from '../machine/fixture.js'
import { Random } from '../machine/random.js'
import { INITIAL_COMMAND, randomCommand } from '../machine/random-commands.js'

const SEEDS = 4
const COMMANDS = 600

interface Node {
  readonly machine: BankAndKeys
  readonly sessions: Sessions
  /** What its disk holds. */
  readonly stored: Map<string, Uint8Array>
}

function fresh(stored = new Map<string, Uint8Array>()): Node {
  const machine = new BankAndKeys(fakeCrypto)
  return { machine, sessions: new Sessions(machine, sessionCodec), stored }
}

function saveCheckpoint({ sessions, stored }: Node): void {
  for (const { key, value } of sessions.changes()) {
    assert.ok(Buffer.byteLength(key) <= 8_192)
    if (value === undefined) stored.delete(key)
    else stored.set(key, Uint8Array.from(value))
  }
}

/** A node that starts on a copy of the disk, its entries in key order as LevelDB would give them. */
function restart({ stored }: Node): Node {
  const node = fresh(new Map(stored))
  const entries = Array.from(stored, ([key, value]) => ({ key, value: Uint8Array.from(value) }))
  node.sessions.restore(entries.toSorted((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key))))
  return node
}

function digest(stored: Map<string, Uint8Array>): string {
  const hash = createHash('sha256')
  for (const [key, value] of Array.from(stored).toSorted(([a], [b]) => (a < b ? -1 : 1))) hash.update(key).update(value)
  return hash.digest('hex')
}

interface Step {
  readonly clientId: number
  readonly requestNumber: number
  readonly firstUnacknowledged: number
  readonly command: Uint8Array
  readonly slot: number
  readonly timeMs: number
}

function carryOut({ sessions }: Node, { slot, timeMs, ...request }: Step): SessionOutcome {
  return sessions.apply(request, { slot, timeMs })
}

/** Commands of three clients, some of them retries. */
function* steps(random: Random): Generator<Step> {
  const sent = new Map<number, Uint8Array[]>([1, 2, 3].map((clientId) => [clientId, []]))
  let timeMs = 1_000_000
  for (let slot = 1; slot <= COMMANDS; slot++) {
    timeMs += random.below(2_000)
    const clientId = 1 + random.below(3)
    const commands = sent.get(clientId) ?? []
    const isRetry = commands.length > 0 && random.chance(0.1)
    if (!isRetry) commands.push(Command.encode(randomCommand(random)).finish())
    const requestNumber = isRetry ? Math.max(1, commands.length - random.below(3)) : commands.length
    const firstUnacknowledged = Math.max(1, requestNumber - random.below(4))
    yield {
      clientId,
      requestNumber,
      firstUnacknowledged,
      command: commands[requestNumber - 1] ?? new Uint8Array(0),
      slot,
      timeMs,
    }
  }
}

test('a node that restarts from a checkpoint answers, behaves and checkpoints as one that never stopped', () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed)
    const steady = fresh()
    let restarted = fresh()
    for (const node of [steady, restarted]) {
      node.machine.apply(Command.encode(INITIAL_COMMAND).finish(), { slot: 0, timeMs: 0 })
      for (let i = 0; i < 3; i++) node.sessions.openSession({ slot: 0, timeMs: 1_000_000 })
    }
    for (const step of steps(random)) {
      assert.deepEqual(carryOut(restarted, step), carryOut(steady, step), `seed ${seed}, slot ${step.slot}`)
      // The one that goes on saves at other times than the one that restarts.
      if (random.chance(0.01)) saveCheckpoint(steady)
      if (!random.chance(0.02)) continue
      saveCheckpoint(restarted)
      restarted = restart(restarted)
      assert.deepEqual(brokenBankInvariants(restarted.machine.typed.bank.ledger), [])
      assert.deepEqual(dump(restarted.machine.typed), dump(steady.machine.typed))
    }
    for (const node of [steady, restarted]) saveCheckpoint(node)
    assert.equal(digest(restarted.stored), digest(steady.stored), `seed ${seed}`)
  }
})

test('who asks a restarted node again gets the first results', () => {
  const node = fresh()
  let slot = 0
  const run = ({ machine }: Node, operation: Command['operation']) =>
    Result.decode(machine.apply(Command.encode({ operation }).finish(), { slot: slot++, timeMs: 1_000 + slot }))
  run(node, INITIAL_COMMAND.operation)
  const deposit = { asset: 'EUR', amount: 10n, authorityId: 'mint', signature: GOOD }
  const transfer = { sourceAccountId: 'a', destinationAccountId: 'b', amount: 4n, timeout: undefined }
  const operations: Command['operation'][] = [
    ...['a', 'b'].map((accountId) => {
      return { $case: 'openAccount', value: { accountId, asset: 'EUR', overdraftLimit: 5n, requestId: accountId } } as const
    }),
    { $case: 'deposit', value: { ...deposit, depositId: 'd', accountId: 'a' } },
    { $case: 'transfer', value: { ...transfer, transferId: 't', pending: false } },
    { $case: 'transfer', value: { ...transfer, transferId: 'p', pending: true } },
    { $case: 'postTransfer', value: { transferId: 'p', amount: 3n } },
    { $case: 'withdraw', value: { withdrawalId: 'w', accountId: 'a', amount: 7n } },
    { $case: 'withdraw', value: { withdrawalId: 'refused', accountId: 'a', amount: 100n } },
  ]
  const first = operations.map((operation) => run(node, operation))
  run(node, { $case: 'deposit', value: { ...deposit, depositId: 'later', accountId: 'a' } })
  saveCheckpoint(node)
  const restarted = restart(node)
  assert.deepEqual(
    operations.map((operation) => run(restarted, operation)),
    first,
  )
})

test('a restored machine has nothing new to save but its counters', () => {
  const node = fresh()
  node.machine.apply(Command.encode(INITIAL_COMMAND).finish(), { slot: 0, timeMs: 0 })
  saveCheckpoint(node)
  assert.deepEqual(
    Array.from(restart(node).sessions.changes(), ({ key }) => key),
    ['sessions', 'machine/counters'],
  )
})

test('a checkpoint is what the state was when it was taken, however late it is written', () => {
  const node = fresh()
  const machine: StateMachine = node.machine
  const put = (text: string) => {
    const value = { key: 'k', value: Buffer.from(text), returnPrevious: false, requestId: '' }
    machine.apply(Command.encode({ operation: { $case: 'put', value } }).finish(), { slot: 1, timeMs: 1 })
  }
  put('before')
  const changes = machine.changes()
  put('after')
  const entry = Array.from(changes).find(({ key }) => key === 'key/k')
  assert.match(Buffer.from(entry?.value ?? '').toString(), /before/)
})

test('an entry of a kind that this version does not know stops the restart', () => {
  assert.throws(() => fresh().machine.restore([{ key: 'lease/1', value: new Uint8Array(0) }]), /unknown kind, "lease\/1"/)
  assert.throws(
    () => fresh().sessions.restore([{ key: 'lease/1', value: new Uint8Array(0) }]),
    /every entry of a checkpoint is known/,
  )
})
