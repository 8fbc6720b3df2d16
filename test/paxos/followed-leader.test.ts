import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { FollowedLeader } from '../../src/paxos/followed-leader.js'
import { membershipOf, options } from './role.js'

const MEMBERSHIP = membershipOf([1, 2, 3])
const SILENT_MS = options().electionTimeoutMsMax

/** Node 1, which heard the leader of ballot 3.2 at 0 ms. */
function followerOfNode2(): FollowedLeader {
  const followed = new FollowedLeader(1, options())
  followed.onHeard(makeBallot(3, 2), 0)
  return followed
}

describe('the leader that a node follows', () => {
  it('is nobody before one has been heard, and after an election timeout of silence', () => {
    assert.equal(new FollowedLeader(1, options()).nodeId(0), 0)
    const followed = followerOfNode2()
    assert.equal(followed.nodeId(SILENT_MS - 1), 2)
    assert.equal(followed.nodeId(SILENT_MS), 0)
    assert.equal(followed.wayThere(SILENT_MS), 0)
  })

  it('is reached through the next member, and straight again, as often as nothing comes back', () => {
    const followed = followerOfNode2()
    const ways = [1, 2, 3].map((nowMs) => {
      followed.takeDetour(MEMBERSHIP, nowMs)
      return followed.wayThere(nowMs)
    })
    assert.deepEqual(ways, [3, 2, 3])
  })

  it('stays behind its relay while it is heard; a new leader, or one heard again, is tried straight', () => {
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

  it('may be known only to a relay', () => {
    const followed = new FollowedLeader(1, options())
    followed.goThrough(3)
    assert.equal(followed.nodeId(0), 0)
    assert.equal(followed.wayThere(0), 3)
    followed.goStraight()
    assert.equal(followed.wayThere(0), 0)
  })

  it('is nobody for a node that leads itself, and no lower ballot counts any more', () => {
    const followed = followerOfNode2()
    followed.onOwnBallot(makeBallot(4, 1))
    assert.equal(followed.ballot, makeBallot(4, 1))
    assert.equal(followed.nodeId(0), 0)
    assert.equal(followed.wayThere(0), 0)
  })
})
