import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Settlement } from '../../../src/paxos/leader/settlement.js'
import { Memberships } from '../../../src/paxos/memberships.js'
import { SettledEpoch } from '../../../src/paxos/settled-epoch.js'
import type { NodeId, Slot } from '../../../src/paxos/types.js'
import { membershipsOf } from '../role.js'

const WINDOW = 4

/** Three voters of which node 3 is removed in slot 1: from slot 5 on the members are 1 and 2. */
function removing() {
  const memberships = membershipsOf([1, 2, 3], WINDOW)
  memberships.onDecided(1, { kind: 'membership', epoch: 2, change: { kind: 'remove', nodeId: 3 } })
  const settled = new SettledEpoch(memberships)
  const durable = new Map<NodeId, Slot>()
  const settlement = new Settlement({
    self: 1,
    memberships,
    settled,
    progress: { durableUpTo: (nodeId) => durable.get(nodeId) ?? 0 },
    watermark: {
      get durableUpTo() {
        return durable.get(1) ?? 0
      },
    },
  })
  return { memberships, settled, settlement, durable }
}

test('nothing is settled before there is a genesis, and the first membership always is', () => {
  assert.equal(new SettledEpoch(new Memberships()).isCurrent, false)
  assert.equal(new SettledEpoch(membershipsOf([1, 2])).isCurrent, true)
})

test('a membership is settled once a majority of its voters has on disk that it is in force', () => {
  const { memberships, settled, settlement, durable } = removing()
  memberships.forget(4)
  assert.deepEqual([settled.isCurrent, settlement.update()], [false, false])
  durable.set(1, 4)
  durable.set(3, 4)
  assert.equal(settlement.update(), false, 'node 3 has no say in it any more')
  durable.set(2, 3)
  assert.equal(settlement.update(), false, 'the last slot before it is not on disk')
  durable.set(2, 4)
  assert.equal(settlement.update(), true)
  assert.deepEqual([settled.isCurrent, settled.epoch], [true, 2])
  assert.equal(settlement.update(), false, 'only once is it news')
})

test('a settled membership stays settled', () => {
  const { settled } = removing()
  settled.raiseTo(2)
  settled.raiseTo(1)
  assert.equal(settled.epoch, 2)
})
