import assert from 'node:assert/strict'
import { test } from 'node:test'
import { InvariantError } from '../../src/paxos/assert.js'
import {
  formatBallot,
  makeBallot,
  NO_BALLOT,
  NODE_ID_MAX,
  nextBallot,
  nodeOf,
  ROUND_MAX,
  roundOf,
} from '../../src/paxos/ballot.js'

const ROUNDS = [1, 2, 65_535, 65_536, ROUND_MAX]
const NODE_IDS = [1, 2, NODE_ID_MAX]

test('a ballot gives back its round and its node, and stays a safe integer', () => {
  for (const round of ROUNDS) {
    for (const nodeId of NODE_IDS) {
      const ballot = makeBallot(round, nodeId)
      assert.deepEqual([roundOf(ballot), nodeOf(ballot), Number.isSafeInteger(ballot)], [round, nodeId, true])
      assert.equal(formatBallot(ballot), `${round}.${nodeId}`)
    }
  }
})

test('ballots are ordered by round, then by node, all above none', () => {
  const ordered = ROUNDS.flatMap((round) => NODE_IDS.map((nodeId) => makeBallot(round, nodeId)))
  assert.deepEqual(
    ordered.toSorted((a, b) => a - b),
    ordered,
  )
  assert.equal(new Set([NO_BALLOT, ...ordered]).size, ordered.length + 1)
  assert.ok(NO_BALLOT < Math.min(...ordered))
})

test('the next ballot of a node is its lowest above the given one', () => {
  const cases = [
    ['-', 1, '1.1'],
    ['1.1', 1, '2.1'],
    ['1.1', 2, '1.2'],
    ['1.2', 1, '2.1'],
    ['3.2', 3, '3.3'],
  ] as const
  for (const [before, nodeId, after] of cases) {
    const [round, node] = before === '-' ? [0, 0] : (before.split('.').map(Number) as [number, number])
    const ballot = before === '-' ? NO_BALLOT : makeBallot(round, node)
    assert.equal(formatBallot(nextBallot(ballot, nodeId)), after)
  }
})

test('no ballot is made out of bounds', () => {
  for (const [round, nodeId] of [
    [0, 1],
    [1.5, 1],
    [ROUND_MAX + 1, 1],
    [1, 0],
    [1, NODE_ID_MAX + 1],
  ] as const) {
    assert.throws(() => makeBallot(round, nodeId), InvariantError)
  }
  assert.throws(() => nextBallot(makeBallot(ROUND_MAX, 2), 1), InvariantError)
  assert.equal(formatBallot(NO_BALLOT), '-')
})
