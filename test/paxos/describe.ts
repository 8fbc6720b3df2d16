import { formatBallot } from '../../src/paxos/ballot.js'
import type { Message } from '../../src/paxos/messages.js'
import type { DurableRecord, LogEntry, MembershipChange, Value } from '../../src/paxos/types.js'

const decoder = new TextDecoder()
const encoder = new TextEncoder()

export function bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

export function batch(...commands: string[]): Value {
  return { kind: 'batch', timeMs: 0, commands: commands.map(bytes) }
}

/** `noop`, or the commands of a batch as text. */
export function describeValue(value: Value): string {
  if (value.kind === 'membership') return `${describeChange(value.change)} (membership ${value.epoch})`
  return value.kind === 'noop' ? 'noop' : value.commands.map((command) => decoder.decode(command)).join('+')
}

function describeChange(change: MembershipChange): string {
  return `${change.kind} n${change.nodeId}`
}

function describeEntries(entries: readonly LogEntry[]): string {
  if (entries.length === 0) return 'nothing'
  return entries.map(({ slot, ballot, value }) => `${slot}=${describeValue(value)} (${formatBallot(ballot)})`).join(', ')
}

/** One line for people. */
export function describeMessage(m: Message): string {
  switch (m.kind) {
    case 'prepare':
      return `prepare ${formatBallot(m.ballot)} from ${m.fromSlot}`
    case 'promise': {
      const more = m.nextSlot === 0 ? '' : `, more from ${m.nextSlot}`
      return `promise ${formatBallot(m.ballot)} from ${m.fromSlot}: accepted ${describeEntries(m.accepted)}, decided up to ${m.decidedUpTo}${more}`
    }
    case 'accept':
      return `accept ${formatBallot(m.ballot)} ${m.slot}=${describeValue(m.value)}, decided up to ${m.decidedUpTo}`
    case 'accepted':
      return `accepted ${formatBallot(m.ballot)} ${m.slot}`
    case 'nack':
      return `nack ${formatBallot(m.ballot)}, promised ${formatBallot(m.promised)}`
    case 'heartbeat':
      return `heartbeat ${formatBallot(m.ballot)} round ${m.round}, decided up to ${m.decidedUpTo}`
    case 'heartbeatAck':
      return `heartbeatAck ${formatBallot(m.ballot)} round ${m.round}, decided up to ${m.decidedUpTo}`
    case 'decided':
      return `decided ${formatBallot(m.ballot)} up to ${m.decidedUpTo}`
    case 'propose':
      return `propose ${m.commands.map((command) => decoder.decode(command)).join('+')}`
    case 'proposeRefused':
      return `proposeRefused ${m.pageId}`
    case 'catchUp':
      return `catchUp ${m.fromSlot} to ${m.toSlot}`
    case 'catchUpReply':
      return `catchUpReply ${describeEntries(m.entries)}, decided up to ${m.decidedUpTo}`
    case 'readIndex':
      return 'readIndex'
    case 'readIndexReply':
      return `readIndexReply ${m.slot}`
    case 'poll':
      return 'poll'
    case 'pollReply':
      return `pollReply ${m.granted ? 'yes' : `no, n${m.leaderId} leads`}`
    case 'takeOver':
      return `takeOver ${formatBallot(m.ballot)}`
    case 'join':
      return `join ${m.dataDirId}`
    case 'welcome':
      return `welcome to ${m.genesis.clusterId}`
    case 'changeMembership':
      return `changeMembership ${describeChange(m.change)}`
    case 'changeMembershipRefused':
      return `changeMembershipRefused ${m.reason}`
    case 'handOver':
      return `handOver to n${m.toNodeId}`
    case 'roster':
      return `roster of ${m.announcements.length}`
    case 'recall':
    case 'recalled':
      return `${m.kind} ${m.writeNumber}`
    case 'mark':
      return `mark ${m.marks.map(({ writeNumber }) => writeNumber).join(' ')}`
    case 'digest':
      return `digest of ${m.slot}`
    case 'skippedSlots':
      return `skipped ${m.slots.join(', ')}`
  }
}

export function describeRecord(record: DurableRecord): string {
  switch (record.kind) {
    case 'genesis':
      return `genesis of ${record.genesis.clusterId}`
    case 'promised':
      return `promised ${formatBallot(record.ballot)}`
    case 'accepted':
    case 'learned':
      return `${record.kind} ${describeEntries([record.entry])}`
    case 'decidedUpTo':
      return `decided up to ${record.slot}`
  }
}
