// A state machine that throws: a bug that every node has. The nodes stop and say why, and go on after an operator has resolved
// the slot.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Answer, MemberError, SessionRequest } from '../../src/host/api.js'
import type { SessionName } from '../../src/replication/session-table.js'
import type { Restoration, StateEntry, StateMachine } from '../../src/replication/state-machine.js'
import { SimulatedCluster } from '../../src/sim/cluster/simulated-cluster.js'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { QUIET_PLAN } from '../../src/sim/plan/plan.js'

const TIMEOUT_MS = 2_000

/** A state machine that keeps every word, and throws after it has kept the unbearable one. */
class Words implements StateMachine {
  /** The word at which it throws; '' for none. */
  static unbearable = 'bomb'
  #words: string[] = []

  apply(command: Uint8Array): Uint8Array {
    const word = Buffer.from(command).toString()
    this.#words.push(word)
    if (word === Words.unbearable) throw new Error('unbearable')
    return this.query()
  }

  query(): Uint8Array {
    return Buffer.from(this.#words.join(' '))
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'words', value: this.query(), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.#words = []
    return {
      load: (entries) => {
        for (const { value } of entries)
          this.#words = Buffer.from(value ?? [])
            .toString()
            .split(' ')
            .filter(Boolean)
      },
      finish: () => {},
    }
  }
}

function newCluster(plan: Partial<typeof QUIET_PLAN> = {}): SimulatedCluster {
  const cluster = new SimulatedCluster({
    seed: 7,
    plan: { ...QUIET_PLAN, nodeCount: 3, ...plan },
    initialCommands: [],
    makeApplication: () => ({ machine: new Words(), brokenInvariants: () => [] }),
    mayFailToApply: true,
  })
  Words.unbearable = 'bomb'
  cluster.start()
  return cluster
}

async function until(cluster: SimulatedCluster, isSo: () => boolean): Promise<void> {
  assert.ok(await cluster.runUntil(isSo, 10_000), `it never came to this: ${String(isSo)}`)
}

/** Asks, and waits for the outcome. */
async function ask<T>(cluster: SimulatedCluster, begin: (settle: (outcome: T) => void) => void): Promise<T | undefined> {
  let told: T | undefined
  begin((outcome) => {
    told = outcome
  })
  await cluster.runUntil(() => told !== undefined, TIMEOUT_MS + 500)
  return told
}

function say(cluster: SimulatedCluster, node: SimulatedNode, request: Omit<SessionRequest, 'command'> & { word: string }) {
  const { word, ...rest } = request
  return ask<Answer | MemberError>(cluster, (settle) => node.submit({ ...rest, command: Buffer.from(word) }, TIMEOUT_MS, settle))
}

function textOf(outcome: Answer | MemberError | undefined): string {
  if (outcome === undefined) return 'nothing'
  return 'result' in outcome ? Buffer.from(outcome.result).toString() : outcome.code
}

/** Returns the leader and an open session. */
async function ready(cluster: SimulatedCluster): Promise<{ leader: SimulatedNode; session: SessionName }> {
  await until(cluster, () => cluster.leader !== undefined)
  const leader = cluster.leader as SimulatedNode
  const session = await ask<SessionName | MemberError>(cluster, (settle) => leader.openSession(TIMEOUT_MS, settle))
  assert.ok(session !== undefined && 'token' in session)
  return { leader, session }
}

test('a machine that throws stops every node, at every start, until the slot is skipped; a skipped slot is never carried out', async () => {
  const cluster = newCluster()
  const { leader, session } = await ready(cluster)
  const named = (requestNumber: number, word: string) => ({ ...session, requestNumber, firstUnacknowledged: 1, word })
  assert.equal(textOf(await say(cluster, leader, named(1, 'before'))), 'before')
  assert.ok(!['before bomb', 'before'].includes(textOf(await say(cluster, leader, named(2, 'bomb')))))
  await until(cluster, () => cluster.nodes.every(({ isUp }) => !isUp))
  assert.deepEqual(
    cluster.nodes.map(({ haltCode }) => haltCode),
    ['APPLY_FAILED', 'APPLY_FAILED', 'APPLY_FAILED'],
  )
  const [first, second, third] = cluster.nodes as [SimulatedNode, SimulatedNode, SimulatedNode]

  // The machine could apply it now, but nothing is applied before an operator has resolved it.
  Words.unbearable = ''
  first.forgetHalt()
  first.start()
  await until(cluster, () => !first.isUp)
  assert.equal(first.haltCode, 'APPLY_FAILED')
  Words.unbearable = 'bomb'

  for (const node of [first, second]) await resolved(cluster, node.resolveApplyFailure('skip'))
  for (const node of [first, second]) node.start()
  await until(cluster, () => cluster.leader !== undefined)
  const { leader: next } = cluster
  assert.ok(next !== undefined)
  assert.equal(
    textOf(await say(cluster, next, named(2, 'bomb'))),
    'OUTCOME_UNKNOWN',
    'a retry of what was skipped is not carried out',
  )
  assert.equal(textOf(await say(cluster, next, named(1, 'before'))), 'before', 'what was answered is remembered')
  assert.equal(textOf(await say(cluster, next, named(3, 'after'))), 'before after', 'nothing is left of what was half done')

  // The last node has the slot as it was: it stops there, too, until it is resolved.
  third.forgetHalt()
  third.start()
  await until(cluster, () => !third.isUp)
  await resolved(cluster, third.resolveApplyFailure('skip'))
  third.start()
  await until(cluster, () => third.appliedUpTo === next.appliedUpTo)
  assert.deepEqual(new Set(cluster.nodes.map((node) => node.member?.status().stateDigest)).size, 1)
})

test('nodes that never reached the slot learn that it is skipped, from the log or from a checkpoint', async () => {
  for (const logSlotsMax of [1_000, 1]) {
    const cluster = newCluster({ logSlotsMax, checkpointEverySlots: 5 })
    const { session } = await ready(cluster)
    const late = cluster.nodes.find((node) => node !== cluster.leader) as SimulatedNode
    const others = cluster.nodes.filter((node) => node !== late)
    late.crash()
    await until(cluster, () => cluster.leader !== undefined)
    await say(cluster, cluster.leader as SimulatedNode, { ...session, requestNumber: 1, firstUnacknowledged: 1, word: 'bomb' })
    await until(cluster, () => others.every(({ haltCode }) => haltCode === 'APPLY_FAILED'))
    for (const node of others) await resolved(cluster, node.resolveApplyFailure('skip'))
    for (const node of others) node.start()
    await until(cluster, () => cluster.leader !== undefined)
    for (let requestNumber = 2; requestNumber < 30; requestNumber++) {
      const request = { ...session, requestNumber, firstUnacknowledged: 1, word: `w${requestNumber}` }
      assert.match(textOf(await say(cluster, cluster.leader as SimulatedNode, request)), /w/)
    }
    late.start()
    await until(cluster, () => late.appliedUpTo > 0 && late.appliedUpTo === cluster.leader?.appliedUpTo)
    assert.equal(textOf(await ask(cluster, (settle) => late.read(new Uint8Array(), TIMEOUT_MS, settle))).includes('bomb'), false)
    assert.equal(new Set(cluster.nodes.map((node) => node.member?.status().stateDigest)).size, 1)
  }
})

test('a slot that another version can carry out is tried again', async () => {
  const cluster = newCluster()
  const { leader, session } = await ready(cluster)
  const request = { ...session, requestNumber: 1, firstUnacknowledged: 1, word: 'bomb' }
  await say(cluster, leader, request)
  await until(cluster, () => cluster.nodes.every(({ haltCode }) => haltCode === 'APPLY_FAILED'))
  Words.unbearable = ''
  for (const node of cluster.nodes) await resolved(cluster, node.resolveApplyFailure('retry'))
  for (const node of cluster.nodes) node.start()
  await until(cluster, () => cluster.leader !== undefined)
  assert.equal(textOf(await say(cluster, cluster.leader as SimulatedNode, request)), 'bomb')
})

/** Lets time pass until the resolution is done. */
async function resolved(cluster: SimulatedCluster, resolving: Promise<void>): Promise<void> {
  let isDone = false
  const done = resolving.finally(() => {
    isDone = true
  })
  await cluster.runUntil(() => isDone, 5_000)
  await done
}
