import type { Accept, CatchUpReply, CoreMessage, Heartbeat } from '../messages.js'
import type { NodeId } from '../types.js'
import type { Parts } from './parts.js'

/** Hands a message of a member to the role that it is for. */
export function receiveAsMember(node: Parts, from: NodeId, m: Exclude<CoreMessage, { kind: 'join' | 'welcome' }>): void {
  const { elections, requests, acceptor, replica, readIndexRequests, out, time } = node
  switch (m.kind) {
    case 'prepare':
      // The next page of its own promise, but it has promised a higher ballot meanwhile: nobody waits for a nack.
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
      // The leader answers; a follower asks it for whoever cannot.
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
  // As if it had been lost, and asked for again.
  if (acceptor.isFull) return
  // Followers take what they accepted in this node's ballot for the decision once it calls the slot decided. Of a slot that a higher
  // ballot decided it must not say so: they may have accepted another value.
  const { leader } = elections
  const isOvertaken = leader !== undefined && m.entries.some((entry) => entry.ballot > leader.ballot)
  if (isOvertaken) elections.becomeFollowing()
  replica.onCatchUpReply(from, m, time.nowMs)
  elections.onLearned()
}
