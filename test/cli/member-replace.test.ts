import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { nextStep, type ReplacementStep } from '../../src/cli/member-replace.js'
import type { Membership } from '../../src/client/client.js'

const ADDED = { nodeId: 4, peerAddress: 'd:7201', clientAddress: 'd:7101' }

/** Voters by their numbers; negative ones learn. */
function membershipOf(...ids: readonly number[]): Membership {
  const members = ids.map((id) => {
    const nodeId = Math.abs(id)
    const host = String.fromCharCode(96 + nodeId)
    const addresses = {
      peerAddress: `${host}:7201`,
      clientAddress: `${host}:7101`,
      announcedPeerAddress: '',
      announcedClientAddress: '',
    }
    return {
      nodeId,
      ...addresses,
      dataDirId: `dir-${nodeId}`,
      voter: id > 0,
      votesFrom: id > 0 ? 1 : 0,
      returning: false,
      version: '',
      levelMax: 0,
    }
  })
  return { epoch: 1, fromSlot: 1, members, lastNodeId: Math.max(3, ...members.map(({ nodeId }) => nodeId)), settled: true }
}

const step = (membership: Membership, oldId = 3, added = ADDED): ReplacementStep =>
  nextStep(membership, { oldId, added }, { isCaughtUp: false, isOldUp: false })

describe('the replacement of member 3 by 4', () => {
  const steps: [string, Membership, { isCaughtUp?: boolean; isOldUp?: boolean }, ReplacementStep][] = [
    ['begins with a learner', membershipOf(1, 2, 3), {}, 'add'],
    ['waits for the learner', membershipOf(1, 2, 3, -4), { isOldUp: true }, 'wait'],
    ['removes a dead member before the new one votes', membershipOf(1, 2, 3, -4), { isCaughtUp: true }, 'remove'],
    ['lets a living one vote until the new one does', membershipOf(1, 2, 3, -4), { isCaughtUp: true, isOldUp: true }, 'promote'],
    ['then removes that, too', membershipOf(1, 2, 3, 4), {}, 'remove'],
    ['goes on where the old one is gone already', membershipOf(1, 2, -4), { isCaughtUp: true }, 'promote'],
    ['waits there, too', membershipOf(1, 2, -4), {}, 'wait'],
    ['waits until nobody needs the old one', { ...membershipOf(1, 2, 4), settled: false }, {}, 'settle'],
    ['is done when run once more', membershipOf(1, 2, 4), {}, 'done'],
  ]
  for (const [title, membership, { isCaughtUp = false, isOldUp = false }, expected] of steps) {
    it(title, () => {
      assert.equal(nextStep(membership, { oldId: 3, added: ADDED }, { isCaughtUp, isOldUp }), expected)
    })
  }

  it('is refused where it cannot be', () => {
    assert.throws(() => step(membershipOf(1, 2, 3), 5), /there is no member 5 to replace/)
    assert.throws(() => step({ ...membershipOf(1, 2, 3), lastNodeId: 4 }), /node ids up to 4 have been given/)
    assert.throws(
      () => step(membershipOf(1, 2, 3, 4), 3, { ...ADDED, peerAddress: 'x:1' }),
      /member 4 is there already, at d:7201/,
    )
  })
})
