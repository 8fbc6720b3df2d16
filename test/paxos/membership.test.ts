import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '../../src/paxos/assert.js'
import { Tally } from '../../src/paxos/membership.js'
import { membershipOf } from './role.js'

function members(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i + 1) * 7)
}

for (let count = 1; count <= 31; count++) {
  test(`any two majorities of ${count} share a member`, () => {
    const { quorum } = membershipOf(members(count))
    assert.ok(2 * quorum > count)
    assert.ok(2 * (quorum - 1) <= count, 'and no member is needed in vain')
  })
}

test('a tally counts voters, not replies, and no other nodes, for up to 31 members', () => {
  const membership = membershipOf(members(31).toReversed())
  const tally = new Tally(membership)
  for (let round = 0; round < 3; round++) tally.add(7)
  tally.add(8)
  tally.add(0)
  assert.deepEqual([tally.count, tally.has(7), tally.has(14), tally.has(8)], [1, true, false, false])
  for (const nodeId of membership.voterIds) {
    assert.equal(tally.hasQuorum, tally.count >= 16)
    tally.add(nodeId)
  }
  assert.deepEqual([tally.count, tally.has(31 * 7)], [31, true])
})

test('a membership has 1 to 31 members, each named once, in ascending order', () => {
  for (const nodeIds of [[], members(32), [1, 2, 1]]) assert.throws(() => membershipOf(nodeIds), InvariantError)
  assert.deepEqual(membershipOf([3, 1, 2]).voterIds, [1, 2, 3])
})
