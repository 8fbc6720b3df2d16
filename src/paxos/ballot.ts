import { assert } from './assert.js'
import type { Ballot, NodeId } from './types.js'

/** Node ids take the low 16 bits, rounds the 37 above: a ballot stays a safe integer. */
const NODE_ID_SPAN = 65_536
export const NODE_ID_MAX = NODE_ID_SPAN - 1
export const ROUND_MAX = 2 ** 37 - 1
export const NO_BALLOT: Ballot = 0

export function makeBallot(round: number, nodeId: NodeId): Ballot {
  assert(Number.isInteger(round) && round >= 1 && round <= ROUND_MAX, 'a round is 1 to 2^37 - 1')
  assert(Number.isInteger(nodeId) && nodeId >= 1 && nodeId <= NODE_ID_MAX, 'a node id is 1 to 65,535')
  return round * NODE_ID_SPAN + nodeId
}

export function roundOf(ballot: Ballot): number {
  return Math.floor(ballot / NODE_ID_SPAN)
}

export function nodeOf(ballot: Ballot): NodeId {
  return ballot % NODE_ID_SPAN
}

/** The lowest ballot of `nodeId` that is higher than `ballot`. */
export function nextBallot(ballot: Ballot, nodeId: NodeId): Ballot {
  const round = roundOf(ballot)
  return nodeId > nodeOf(ballot) && round >= 1 ? makeBallot(round, nodeId) : makeBallot(round + 1, nodeId)
}

/** The form for people: `3.1` is round 3 of node 1. */
export function formatBallot(ballot: Ballot): string {
  return ballot === NO_BALLOT ? '-' : `${roundOf(ballot)}.${nodeOf(ballot)}`
}
