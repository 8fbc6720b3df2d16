import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { brokenBankInvariants } from '../../src/app/bank/bank-audit.js'
import { Order } from '../../src/gen/synod/common/v1/common.js'
import { Command, Result } from '../../src/gen/synod/session/v1/session.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import { type SessionOutcome, Sessions } from '../../src/replication/sessions.js'
import type { StateEntry, StateMachine } from '../../src/replication/state-machine.js'
import { CheckpointDisk } from '../app/checkpoint-disk.js'
import { dump, fakeCrypto, GOOD } from '../app/fixture.js'
import { Random } from '../app/random.js'
import { INITIAL_COMMAND, randomCommand } from '../app/random-commands.js'
import { TOKEN } from '../support/token.js'

const SEEDS = 4
const COMMANDS = 600

interface Node {
  readonly machine: BankAndKeys
  readonly sessions: Sessions
  readonly disk: CheckpointDisk
}

/** A machine restored from what the disk holds. */
function start(disk = new CheckpointDisk()): Node {
  const machine = new BankAndKeys(fakeCrypto)
  const sessions = new Sessions(machine, sessionCodec)
  disk.restore(sessions)
  return { machine, sessions, disk }
}

/** A node that starts on a copy of the disk. */
function restart({ disk }: Node): Node {
  return start(disk.copy())
}

function saveCheckpoint({ sessions, disk }: Node): void {
  disk.save(sessions)
}

interface Step {
  readonly clientId: number
  readonly token: Uint8Array
  readonly requestNumber: number
  readonly firstUnacknowledged: number
  readonly command: Uint8Array
  readonly quotaBytes: number
  readonly slot: number
  readonly timeMs: number
}

function carryOut({ sessions }: Node, { slot, timeMs, ...request }: Step): SessionOutcome {
  return sessions.apply(request, { slot, timeMs, level: 1 })
}

function isRefusedForQuota(outcome: SessionOutcome): boolean {
  if (outcome.kind !== 'result') return false
  const { outcome: result } = Result.decode(outcome.result)
  return result?.$case === 'refusal' && result.value.reason === 'QUOTA_EXCEEDED'
}

/** Commands of three clients, some of them retries. */
function* steps(random: Random, isTight: boolean): Generator<Step> {
  const sent = new Map<number, Uint8Array[]>([1, 2, 3].map((clientId) => [clientId, []]))
  let timeMs = 1_000_000
  for (let slot = 1; slot <= COMMANDS; slot++) {
    timeMs += random.below(2_000)
    const clientId = 1 + random.below(3)
    const commands = sent.get(clientId) ?? []
    // Half of the histories have a quota that they reach, and that changes.
    const quotaBytes = isTight && random.chance(0.03) ? 4_000 + random.below(8_000) : 0
    const isRetry = commands.length > 0 && random.chance(0.1)
    if (!isRetry) commands.push(Command.encode(randomCommand(random)).finish())
    const requestNumber = isRetry ? Math.max(1, commands.length - random.below(3)) : commands.length
    const firstUnacknowledged = Math.max(1, requestNumber - random.below(4))
    yield {
      clientId,
      token: TOKEN,
      requestNumber,
      firstUnacknowledged,
      command: commands[requestNumber - 1] ?? new Uint8Array(0),
      quotaBytes,
      slot,
      timeMs,
    }
  }
}

/** Every account's movements, page by page, both ways. */
function* movementPages({ machine }: Node): Generator {
  for (const accountId of ['alice', 'bob', 'carol', 'dave', 'nobody']) {
    for (const order of [Order.ASCENDING, Order.DESCENDING]) {
      let pageToken = ''
      do {
        const value = { accountId, pageSize: 7, pageToken, order, consistency: 0 as const }
        const { outcome } = machine.read({ query: { $case: 'listMovements', value } })
        yield outcome
        pageToken = outcome?.$case === 'listMovements' ? outcome.value.nextPageToken : ''
      } while (pageToken !== '')
    }
  }
}

test('a node that restarts from checkpoints, whenever they were made, answers, behaves and stores as one that never stopped', () => {
  let historyReads = 0
  let copiesWritten = 0
  let quotaRefusals = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = new Random(seed)
    // One never makes a checkpoint, one makes them at once, and one in pieces while it goes on, and starts again now and then.
    const steady = start()
    const eager = start()
    let restarted = start()
    for (const node of [steady, eager, restarted]) {
      node.machine.apply(Command.encode(INITIAL_COMMAND).finish(), { slot: 0, timeMs: 0, level: 1 })
      for (let i = 0; i < 3; i++) node.sessions.openSession(TOKEN, { slot: 0, timeMs: 1_000_000, level: 1 })
    }
    for (const node of [eager, restarted]) saveCheckpoint(node)
    let digest = ''
    let sinceCheckpoint: Step[] = []
    let sinceBegin: Step[] = []
    for (const step of steps(random, seed % 2 === 0)) {
      const where = `seed ${seed}, slot ${step.slot}`
      const outcome = carryOut(steady, step)
      for (const node of [eager, restarted]) assert.deepEqual(carryOut(node, step), outcome, where)
      if (isRefusedForQuota(outcome)) quotaRefusals++
      sinceCheckpoint.push(step)
      sinceBegin.push(step)
      if (!restarted.disk.isBusy && random.chance(0.2)) {
        restarted.disk.begin(restarted.sessions)
        sinceBegin = []
        saveCheckpoint(eager)
        digest = eager.disk.digest()
      } else if (restarted.disk.isBusy && restarted.disk.walk(random.below(12)) && random.chance(0.3)) {
        if (sinceBegin.length > 2) copiesWritten++
        restarted.disk.commit(restarted.sessions)
        sinceCheckpoint = [...sinceBegin]
        assert.equal(restarted.disk.digest(), digest, where)
      }
      if (!random.chance(0.03)) continue
      restarted.disk.abandon()
      historyReads += restarted.disk.readCount
      restarted = restart(restarted)
      for (const again of sinceCheckpoint) carryOut(restarted, again)
      assert.deepEqual(dump(restarted.machine.books), dump(steady.machine.books), where)
      for (const name of ['stateBytes', 'quotaBytes'] as const) {
        assert.equal(restarted.sessions[name], steady.sessions[name], `${name}, ${where}`)
      }
      assert.deepEqual([...movementPages(restarted)], [...movementPages(steady)], where)
      assert.deepEqual(brokenBankInvariants(restarted.machine.books.bank.ledger), [], where)
    }
    restarted.disk.abandon()
    restarted = restart(restarted)
    for (const again of sinceCheckpoint) carryOut(restarted, again)
    for (const node of [steady, eager, restarted]) saveCheckpoint(node)
    assert.deepEqual([steady.disk.digest(), restarted.disk.digest()], [eager.disk.digest(), eager.disk.digest()], `seed ${seed}`)
  }
  assert.ok(
    historyReads > 1_000 && copiesWritten > 20,
    `much was read back, and much changed while it was being written: ${historyReads}, ${copiesWritten}`,
  )
  assert.ok(quotaRefusals > 50, `the quota was reached: ${quotaRefusals}`)
})

test('who asks a restarted node again gets the first results', () => {
  const node = start()
  let slot = 0
  const run = ({ machine }: Node, operation: Command['operation']) =>
    Result.decode(machine.apply(Command.encode({ operation }).finish(), { slot: slot++, timeMs: 1_000 + slot, level: 1 }))
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
  const node = start()
  node.machine.apply(Command.encode(INITIAL_COMMAND).finish(), { slot: 0, timeMs: 0, level: 1 })
  saveCheckpoint(node)
  assert.deepEqual(
    Array.from(restart(node).sessions.changes(), ({ key }) => key),
    ['sessions', 'machine/counters'],
  )
})

test('a checkpoint is what the state was when it was taken, however late it is written', () => {
  const node = start()
  const machine: StateMachine = node.machine
  const put = (text: string) => {
    const value = { key: 'k', value: Buffer.from(text), returnPrevious: false, requestId: '' }
    machine.apply(Command.encode({ operation: { $case: 'put', value } }).finish(), { slot: 1, timeMs: 1, level: 1 })
  }
  put('before')
  const changes = machine.changes()
  put('after')
  const entry = Array.from(changes).find(({ key }) => key === 'key/k')
  assert.match(Buffer.from(entry?.value ?? '').toString(), /before/)
})

test('an entry of a kind that this version does not know stops the restart', () => {
  const entries: StateEntry[] = [{ key: 'lease/1', value: new Uint8Array(0), keyspace: 'state' }]
  const noHistory = { read: () => undefined }
  assert.throws(() => start().machine.restore(noHistory).load(entries), /unknown kind, "lease\/1"/)
  assert.throws(() => start().sessions.restore(noHistory).load(entries), /every entry of a checkpoint is known/)
})

test('a state that another takes the place of is let go of before that comes: memory has no room for two', () => {
  const node = start()
  node.machine.apply(Command.encode(INITIAL_COMMAND).finish(), { slot: 0, timeMs: 0, level: 1 })
  const empty = start().sessions.stateBytes
  node.sessions.openSession(TOKEN, { slot: 1, timeMs: 1, level: 1 })
  for (const [i, requestId] of ['r1', 'r2'].entries()) {
    const value = { key: `key-${i}`, value: new Uint8Array(100), returnPrevious: false, requestId }
    const command = Command.encode({ operation: { $case: 'put', value } }).finish()
    const request = { clientId: 1, token: TOKEN, requestNumber: i + 1, firstUnacknowledged: 1, command }
    assert.equal(node.sessions.apply(request, { slot: 2 + i, timeMs: 1, level: 1 }).kind, 'result')
  }
  saveCheckpoint(node)
  const full = node.sessions.stateBytes
  const restoration = node.sessions.restore(node.disk)
  assert.equal(node.sessions.stateBytes, empty)
  assert.equal(node.sessions.sessionCount, 0)
  restoration.load(node.disk.entries('state'))
  restoration.finish()
  // Ids that were used once count, too, for ever: by what a checkpoint has of them, on every node the same.
  assert.equal(node.sessions.stateBytes, full)
})
