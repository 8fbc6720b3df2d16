import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeBallot } from '../../../src/paxos/ballot.js'
import { FollowedLeader } from '../../../src/paxos/node/followed-leader.js'
import type { NodeId } from '../../../src/paxos/types.js'
import { options } from '../role.js'

const SILENT_MS = options().electionTimeoutMsMax

/** Node 1, which heard the leader of ballot 3.2 at 0 ms. */
function followerOfNode2(isLinked: (nodeId: NodeId) => boolean = () => true): FollowedLeader {
  const followed = new FollowedLeader({ self: 1, options: options(), isLinked })
  followed.onHeard(makeBallot(3, 2), 0)
  return followed
}

describe('the leader that a node follows', () => {
  it('is unknown before one has been heard, and after an election timeout of silence', () => {
    assert.equal(new FollowedLeader({ self: 1, options: options(), isLinked: () => true }).nodeId(0), 0)
    const followed = followerOfNode2()
    assert.equal(followed.nodeId(SILENT_MS - 1), 2)
    assert.equal(followed.nodeId(SILENT_MS), 0)
    assert.equal(followed.wayThere(SILENT_MS), 0)
  })

  it('is reached directly while it hears this node, however long an answer takes', () => {
    const followed = followerOfNode2()
    followed.onHeardByLeader([1, 3])
    followed.takeDetour(1)
    assert.equal(followed.wayThere(1), 2)
  })

  it('is reached through each member that it hears in turn, then directly again, while it does not hear this node', () => {
    const followed = followerOfNode2()
    followed.onHeardByLeader([3, 4])
    const ways = [1, 2, 3, 4].map((nowMs) => {
      followed.takeDetour(nowMs)
      return followed.wayThere(nowMs)
    })
    assert.deepEqual(ways, [3, 4, 2, 3])
    followed.onHeardByLeader([1, 3, 4])
    assert.equal(followed.wayThere(5), 2, 'it hears this node again')
  })

  it('is reached only over connections that are open', () => {
    const open = new Set([3])
    const followed = followerOfNode2((nodeId) => open.has(nodeId))
    followed.onHeardByLeader([3, 4])
    followed.takeDetour(1)
    assert.equal(followed.wayThere(1), 3)
    open.clear()
    assert.equal(followed.wayThere(1), 2, 'the relay has gone')
    followed.takeDetour(2)
    assert.equal(followed.wayThere(2), 2)
  })

  it('may be silent longer if it was slow recently, and less so with every second', () => {
    const followed = followerOfNode2()
    assert.equal(followed.extraMs, 0)
    followed.onHeard(makeBallot(3, 2), 500)
    assert.equal(followed.extraMs, 1_000)
    assert.equal(followed.nodeId(500 + SILENT_MS + 999), 2)
    for (let ms = 560; ms < 5_000; ms += 60) followed.onHeard(makeBallot(3, 2), ms)
    assert.equal(followed.extraMs, 0)
    followed.onHeard(makeBallot(3, 2), 5_500)
    followed.onHeard(makeBallot(4, 3), 6_000)
    assert.equal(followed.extraMs, 0, 'of another leader nothing is known')
  })

  it('keeps its relay while it is heard; a new leader, or one heard again, is tried directly', () => {
    const followed = followerOfNode2()
    followed.goThrough(3)
    followed.onHeard(makeBallot(3, 2), 1)
    assert.equal(followed.wayThere(1), 3)
    followed.onHeard(makeBallot(3, 2), 1 + SILENT_MS)
    assert.equal(followed.wayThere(1 + SILENT_MS), 2)
    followed.goThrough(2)
    followed.onHeard(makeBallot(4, 3), 2 + SILENT_MS)
    assert.equal(followed.wayThere(2 + SILENT_MS), 3)
  })

  it('may be known to a relay only', () => {
    const followed = new FollowedLeader({ self: 1, options: options(), isLinked: () => true })
    followed.goThrough(3)
    assert.equal(followed.nodeId(0), 0)
    assert.equal(followed.wayThere(0), 3)
    followed.goStraight()
    assert.equal(followed.wayThere(0), 0)
  })

  it('is unknown on a node that leads itself, which ignores lower ballots', () => {
    const followed = followerOfNode2()
    followed.onOwnBallot(makeBallot(4, 1))
    assert.equal(followed.ballot, makeBallot(4, 1))
    assert.equal(followed.nodeId(0), 0)
    assert.equal(followed.wayThere(0), 0)
  })
})
