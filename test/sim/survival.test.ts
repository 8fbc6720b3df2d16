import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { type MembershipChange, NOOP, type Value } from '../../src/paxos/types.js'
import { Checker } from '../../src/sim/checkers/checker.js'
import type { SimulatedNode } from '../../src/sim/cluster/simulated-node.js'
import { Survival } from '../../src/sim/nemesis/survival.js'
import { genesisOf } from './book.js'

interface Machine {
  readonly id: number
  haltCode: string | undefined
  readonly disk: { isCorrupted: boolean; isOlderCopy: boolean }
}

const BALLOT = makeBallot(1, 1)
const WINDOW = 2

/**
 * Returns a cluster of five machines, of which the first `nodeCount` are members; the changes are chosen one after the other, and
 * in force.
 */
function clusterOf(nodeCount: number, changes: readonly MembershipChange[] = []) {
  const checker = new Checker({ looksInside: true })
  const genesis = genesisOf(nodeCount, WINDOW)
  const ids = [1, 2, 3, 4, 5]
  for (const id of ids) checker.onDirectory(id, `d${id}`)
  for (const id of ids.slice(0, nodeCount)) checker.onWritten(id, [{ kind: 'genesis', genesis }])
  const choose = (slot: number, value: Value): void => {
    for (const id of ids.slice(0, nodeCount)) {
      checker.onWritten(id, [
        { kind: 'promised', ballot: BALLOT },
        { kind: 'accepted', entry: { slot, ballot: BALLOT, value } },
      ])
    }
  }
  for (const [i, change] of changes.entries()) {
    choose(2 * i + 1, { kind: 'membership', epoch: i + 2, change })
    choose(2 * i + 2, NOOP)
    // All of them know it on disk to be in force.
    for (const id of ids.slice(0, nodeCount)) checker.onWritten(id, [{ kind: 'decidedUpTo', slot: 2 * i + 2 }])
  }
  const machines = ids.map((id): Machine => ({ id, haltCode: undefined, disk: { isCorrupted: false, isOlderCopy: false } }))
  const nodes = machines as unknown as readonly SimulatedNode[]
  return { checker, machines, survival: new Survival({ nodes, checker }) }
}

const ADD_4: MembershipChange = { kind: 'add', nodeId: 4, peerAddress: 'p', clientAddress: '' }
const BIND_4: MembershipChange = { kind: 'bind', nodeId: 4, dataDirId: 'd4' }

test('of three nodes one may be lost, and no other until it votes again from another directory', () => {
  const { checker, machines, survival } = clusterOf(3)
  assert.ok(survival.survives(3))
  survival.onRuined(3)
  checker.onDirectory(3, 'new')
  assert.ok(survival.isGone(machines[2] as unknown as SimulatedNode))
  assert.ok(!survival.survives(2))
  assert.ok(survival.survives(3), 'it is lost already')
  assert.ok(!survival.canRemove(2), 'the other one of two would be no majority')
  assert.ok(survival.canRemove(3))
})

test('damage counts as long as it is on the disk', () => {
  const { machines, survival } = clusterOf(3)
  const [first] = machines
  assert.ok(first !== undefined)
  first.disk.isCorrupted = true
  assert.ok(!survival.survives(2))
  first.disk.isCorrupted = false
  assert.ok(survival.survives(2))
  first.haltCode = 'REMOVED'
  assert.ok(!survival.survives(2))
})

test('a node about to leave may be a member or not, and a learner may vote soon: a majority must be left in every case', () => {
  const { survival } = clusterOf(3)
  survival.leaving = 2
  assert.deepEqual(survival.voterLists, [
    [1, 2, 3],
    [1, 3],
    [1, 2, 3],
    [1, 3],
  ])
  assert.ok(!survival.survives(3), 'the two that are left would be one of two')
  survival.leaving = undefined
  const grown = clusterOf(3, [ADD_4, BIND_4])
  assert.deepEqual(grown.survival.voterLists, [
    [1, 2, 3],
    [1, 2, 3, 4],
  ])
  grown.survival.onRuined(4)
  assert.ok(grown.survival.survives(4))
  assert.ok(!grown.survival.survives(3), 'with the learner, two of four would be gone')
})

test('a membership no longer counts once a majority of the next one has it on disk that it has ended', () => {
  const { checker, survival } = clusterOf(3)
  const choose = (slot: number, value: Value): void => {
    for (const id of [1, 2, 3]) checker.onWritten(id, [{ kind: 'accepted', entry: { slot, ballot: BALLOT, value } }])
  }
  for (const id of [1, 2, 3]) checker.onWritten(id, [{ kind: 'promised', ballot: BALLOT }])
  choose(1, { kind: 'membership', epoch: 2, change: { kind: 'remove', nodeId: 1 } })
  choose(2, NOOP)
  const before = [1, 2, 3]
  checker.onWritten(1, [{ kind: 'decidedUpTo', slot: 2 }])
  checker.onWritten(2, [{ kind: 'decidedUpTo', slot: 2 }])
  assert.deepEqual(survival.voterLists, [before, before, [2, 3], [2, 3]], 'node 2 alone is no majority of two')
  assert.ok(!checker.isDispensable(1))
  checker.onWritten(3, [{ kind: 'decidedUpTo', slot: 2 }])
  assert.deepEqual(survival.voterLists, [
    [2, 3],
    [2, 3],
  ])
  assert.ok(checker.isDispensable(1))
})

test('a directory that was put back is dangerous until its node has stopped', () => {
  const { machines, survival } = clusterOf(3)
  const [first] = machines
  assert.ok(first !== undefined)
  first.disk.isOlderCopy = true
  assert.ok(survival.hasImpostor)
  first.haltCode = 'OLDER_COPY'
  assert.ok(!survival.hasImpostor)
})
