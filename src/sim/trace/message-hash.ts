import type { Message } from '../../paxos/messages.js'
import type { DurableRecord, LogEntry, MembershipChange, MembershipRecord, Value } from '../../paxos/types.js'
import { sizeOf } from '../../paxos/value.js'
import type { HashMixer } from './hash-mixer.js'

/** These numbers stand for words in the hash: changing one changes every hash. */
const CHANGES: Readonly<Record<MembershipChange['kind'], number>> = {
  add: 1,
  bind: 2,
  promote: 3,
  remove: 4,
  reset: 5,
  update: 6,
}

export function hashMessage(into: HashMixer, m: Message): void {
  switch (m.kind) {
    case 'prepare':
      return into.mix4(1, m.ballot, m.fromSlot, 0)
    case 'promise':
      into.mix4(2, m.ballot, m.fromSlot, m.decidedUpTo)
      into.mix(m.nextSlot)
      into.mix(m.votesFrom)
      return hashEntries(into, m.accepted)
    case 'accept':
      into.mix4(3, m.ballot, m.slot, m.decidedUpTo)
      return hashValue(into, m.value)
    case 'accepted':
      return into.mix4(4, m.ballot, m.slot, 0)
    case 'nack':
      return into.mix4(5, m.ballot, m.promised, 0)
    case 'heartbeat':
      into.mix4(6, m.ballot, m.round, m.decidedUpTo)
      return into.mix(m.settledEpoch)
    case 'heartbeatAck':
      into.mix4(7, m.ballot, m.round, m.decidedUpTo)
      return into.mix(m.durableUpTo)
    case 'decided':
      return into.mix4(8, m.ballot, m.decidedUpTo, 0)
    case 'propose':
      into.mix4(9, m.commands.length, m.hops, m.originNodeId)
      into.mix(m.pageId)
      for (const command of m.commands) into.mix(command.length)
      return
    case 'proposeRefused':
      return into.mix4(27, m.pageId, 0, 0)
    case 'catchUp':
      return into.mix4(10, m.fromSlot, m.toSlot, 0)
    case 'catchUpReply':
      into.mix4(11, m.decidedUpTo, m.compactedUpTo, m.hasMore ? 1 : 0)
      return hashEntries(into, m.entries)
    case 'readIndex':
      return into.mix4(12, m.readId, 0, 0)
    case 'readIndexReply':
      return into.mix4(13, m.readId, m.slot, 0)
    case 'poll':
      return into.mix4(14, m.pollId, 0, 0)
    case 'pollReply':
      into.mix4(15, m.pollId, Number(m.granted), m.promised)
      return into.mix4(m.leaderId, m.decidedUpTo, 0, 0)
    case 'takeOver':
      return into.mix4(16, m.ballot, 0, 0)
    case 'join':
      into.mix4(17, m.capacityBytes, m.levelMax, 0)
      into.mixText(m.dataDirId)
      into.mixText(m.replacesDataDirId)
      into.mix4(m.formation?.members.length ?? 0, m.formation?.initialCommandCount ?? 0, 0, 0)
      into.mixText(m.formation?.initialDigest ?? '')
      for (const { nodeId, peerAddress, clientAddress } of m.formation?.members ?? []) {
        into.mix(nodeId)
        for (const text of [peerAddress, clientAddress]) into.mixText(text)
      }
      return
    case 'welcome':
      into.mix4(18, m.genesis.members.length, m.memberships.length, m.settledEpoch)
      into.mix4(m.genesis.quotaBytes, m.genesis.level, 0, 0)
      into.mixText(m.genesis.levelVersion)
      into.mixText(m.genesis.clusterId)
      for (const membership of m.memberships) hashMembership(into, membership)
      return
    case 'changeMembership':
      into.mix4(19, m.requestId, 0, 0)
      return hashChange(into, m.change)
    case 'changeMembershipRefused':
      into.mix4(20, m.requestId, 0, 0)
      return into.mixText(m.reason)
    case 'handOver':
      return into.mix4(21, m.toNodeId, 0, 0)
    case 'roster':
      into.mix4(26, m.memberships.length, m.announcements.length, Number(m.asks))
      into.mix4(m.levelMin, m.levelMax, 0, 0)
      into.mixText(m.version)
      for (const membership of m.memberships) hashMembership(into, membership)
      into.mixText(m.clusterId)
      for (const { nodeId, dataDirId, version, peerAddress, clientAddress } of m.announcements) {
        into.mix4(nodeId, version, 0, 0)
        for (const text of [dataDirId, peerAddress, clientAddress]) into.mixText(text)
      }
      return
    case 'recall':
      return into.mix4(22, m.writeNumber, m.recallId, 0)
    case 'recalled':
      return into.mix4(23, m.writeNumber, m.recallId, 0)
    case 'mark':
      into.mix4(24, m.marks.length, 0, 0)
      for (const { dataDirId, writeNumber } of m.marks) {
        into.mix(writeNumber)
        into.mixText(dataDirId)
      }
      return
    case 'digest':
      return into.mix4(25, m.slot, m.stateDigest, 0)
    case 'skippedSlots':
      return into.mix4(26, m.appliedUpTo, m.slots.length, m.slots.at(-1) ?? 0)
  }
}

export function hashRecord(into: HashMixer, record: DurableRecord): void {
  switch (record.kind) {
    case 'genesis':
      into.mix(1)
      return into.mixText(record.genesis.clusterId)
    case 'promised':
      into.mix(2)
      return into.mix(record.ballot)
    case 'accepted':
      into.mix(3)
      return hashEntry(into, record.entry)
    case 'learned':
      into.mix(4)
      return hashEntry(into, record.entry)
    case 'decidedUpTo':
      into.mix(5)
      return into.mix(record.slot)
  }
}

function hashEntries(into: HashMixer, entries: readonly LogEntry[]): void {
  into.mix(entries.length)
  for (const entry of entries) hashEntry(into, entry)
}

function hashEntry(into: HashMixer, entry: LogEntry): void {
  into.mix(entry.slot)
  into.mix(entry.ballot)
  hashValue(into, entry.value)
}

export function hashValue(into: HashMixer, value: Value): void {
  if (value.kind === 'noop') return into.mix(0)
  if (value.kind === 'batch') return into.mix4(value.commands.length, sizeOf(value), value.timeMs, 0)
  into.mix(value.epoch)
  hashChange(into, value.change)
}

function hashChange(into: HashMixer, change: MembershipChange): void {
  into.mix4(CHANGES[change.kind], change.nodeId, 0, 0)
  if (change.kind === 'bind') into.mixText(change.dataDirId)
  if (change.kind === 'update') into.mixText(`${change.peerAddress} ${change.clientAddress}`)
  if (change.kind !== 'reset') return
  into.mixText(change.dataDirId)
  into.mixText(change.newDataDirId)
}

function hashMembership(into: HashMixer, { epoch, fromSlot, members, lastNodeId }: MembershipRecord): void {
  into.mix4(epoch, fromSlot, members.length, lastNodeId)
  for (const { nodeId, votesFrom, dataDirId, returning } of members) {
    into.mix4(nodeId, votesFrom, Number(returning), 0)
    into.mixText(dataDirId)
  }
}
