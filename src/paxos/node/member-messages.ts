import type { Accept, CatchUpReply, CoreMessage, Heartbeat } from '../messages.js'
import type { NodeId } from '../types.js'
import type { Parts } from './parts.js'

/** Passes a member's message to the role that handles it. */
export function receiveAsMember(node: Parts, from: NodeId, m: Exclude<CoreMessage, { kind: 'join' | 'welcome' }>): void {
  const { elections, requests, acceptor, replica, readIndexRequests, out, time } = node
  switch (m.kind) {
    case 'prepare':
      // The next page of this node's own promise, which it has overtaken with a higher one: it needs no Nack from itself.
      if (from === node.self && m.ballot < acceptor.promised) return
      acceptor.onPrepare(from, m)
      return elections.onPromisedTo(m.ballot)
    case 'promise':
      return elections.onPromise(from, m)
    case 'accept':
      return onAccept(node, from, m)
    case 'accepted':
      return elections.leader?.onAccepted(from, m)
    case 'nack':
      return elections.onNack(m)
    case 'heartbeat':
      return onHeartbeat(node, from, m)
    case 'heartbeatAck':
      return elections.leader?.onHeartbeatAck(from, m, time.nowMs)
    case 'decided':
      if (elections.hearLeader(from, m.ballot)) replica.onWatermark(from, m.ballot, m.decidedUpTo, time.nowMs)
      return
    case 'propose':
      return requests.onPropose(m)
    case 'proposeRefused':
      return out.refusePage(m.pageId)
    case 'catchUp':
      return replica.onCatchUp(from, m)
    case 'catchUpReply':
      return onCatchUpReply(node, from, m)
    case 'readIndex':
      // The leader answers; a follower asks the leader for a node that cannot reach it.
      if (elections.leader === undefined) readIndexRequests.add(from, m.readId)
      else elections.leader.readIndex(from, m.readId)
      return
    case 'readIndexReply':
      return readIndexRequests.onReply(m)
    case 'poll':
      return elections.onPoll(from, m)
    case 'pollReply':
      return elections.onPollReply(from, m)
    case 'takeOver':
      return elections.onTakeOver(from, m.ballot)
    case 'changeMembership':
      return requests.onChangeMembership(from, m)
    case 'changeMembershipRefused':
      return out.refuse(m)
    case 'handOver':
      if (m.toNodeId !== node.self) elections.leader?.handOver(m.toNodeId)
  }
}

function onAccept({ self, elections, acceptor, clock, replica, time }: Parts, from: NodeId, m: Accept): void {
  if (from !== self && !elections.hearLeader(from, m.ballot)) return
  acceptor.onAccept(from, m)
  if (m.value.kind === 'batch') clock.onSeen(m.value.timeMs)
  replica.onWatermark(from, m.ballot, m.decidedUpTo, time.nowMs)
}

function onHeartbeat(node: Parts, from: NodeId, m: Heartbeat): void {
  const { elections, settled, followed, replica, votingRight, watermark, out, time } = node
  if (!elections.hearLeader(from, m.ballot)) return
  settled.raiseTo(m.settledEpoch)
  followed.onHeardByLeader(m.heard)
  replica.onHeartbeat(from, m.ballot, m.decidedUpTo, time.nowMs)
  out.send(from, {
    kind: 'heartbeatAck',
    ballot: m.ballot,
    round: votingRight.isKnownTo(m.decidedUpTo) ? m.round : 0,
    decidedUpTo: replica.decidedUpTo,
    durableUpTo: watermark.durableUpTo,
    wallMs: time.wallMs,
  })
}

function onCatchUpReply({ acceptor, elections, replica, time }: Parts, from: NodeId, m: CatchUpReply): void {
  // Ignored as if it had been lost: it will be requested again.
  if (acceptor.isFull) return
  // Once a leader announces a slot as decided, followers take the value that they accepted in its ballot for the decision. So it must not
  // announce a slot that a higher ballot has decided: the value may be another one.
  const { leader } = elections
  const isOvertaken = leader !== undefined && m.entries.some((entry) => entry.ballot > leader.ballot)
  if (isOvertaken) elections.becomeFollowing()
  replica.onCatchUpReply(from, m, time.nowMs)
  elections.onLearned()
}
