import type { Acceptor } from '../../src/paxos/acceptor.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import { LogClock } from '../../src/paxos/log-clock.js'
import { Membership } from '../../src/paxos/membership.js'
import { Memberships } from '../../src/paxos/memberships.js'
import type { Message } from '../../src/paxos/messages.js'
import type { Outbox } from '../../src/paxos/outbox.js'
import type { Ballot, LogEntry, MembershipRecord, NodeId, RecoveredState, Slot, Value } from '../../src/paxos/types.js'
import { batch, describeMessage, describeRecord } from './describe.js'

// For tests of one role by itself: what it finds at start, and what it wrote to its outbox.

export function options(change: Partial<CoreOptions> = {}): CoreOptions {
  return { ...DEFAULT_OPTIONS, ...change }
}

export function recovered(change: Partial<RecoveredState> = {}): RecoveredState {
  return { genesis: undefined, promised: 0, decidedUpTo: 0, accepted: [], compactedUpTo: 0, ...change }
}

/** These vote, from the first slot on. */
export function membershipsOf(nodeIds: readonly NodeId[], windowSlots = DEFAULT_OPTIONS.windowSlots): Memberships {
  return new Memberships([recordOf(nodeIds)], windowSlots)
}

export function membershipOf(nodeIds: readonly NodeId[]): Membership {
  return new Membership(recordOf(nodeIds))
}

function recordOf(nodeIds: readonly NodeId[]): MembershipRecord {
  const members = nodeIds
    .toSorted((a, b) => a - b)
    .map((nodeId) => ({
      nodeId,
      dataDirId: `dir-${nodeId}`,
      peerAddress: `peer-${nodeId}:1`,
      clientAddress: `client-${nodeId}:1`,
      votesFrom: 1,
      returning: false,
    }))
  return { epoch: 1, fromSlot: 1, members, lastNodeId: Math.max(...nodeIds) }
}

/** A clock of the log that has not heard anybody, for a node whose own clocks stand at 0. */
export function clockOf(memberships: Memberships): LogClock {
  return new LogClock({ memberships: () => memberships.governing, nowMs: () => 0, wallMs: () => 0, freshMs: 1_000, timeMs: 0 })
}

/** Makes the acceptor vote in every slot. */
export function voting(acceptor: Acceptor): Acceptor {
  acceptor.votesFrom = 1
  return acceptor
}

export function entry(slot: Slot, ballot: Ballot, value: Value = batch(`v${slot}`)): LogEntry {
  return { slot, ballot, value }
}

function lines(messages: readonly { to: NodeId; message: Message }[]): string[] {
  return messages.map(({ to, message }) => `n${to} ${describeMessage(message)}`)
}

/** Everything since the last look: what may leave at once, what is written, what waits for the disk. */
export function outcome(out: Outbox): { now: string[]; records: string[]; onceDurable: string[] } {
  const ready = out.take(true)
  return { now: lines(ready.messages), records: ready.records.map(describeRecord), onceDurable: lines(ready.onceDurable) }
}
