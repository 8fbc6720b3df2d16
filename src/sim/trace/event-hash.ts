import type { Message } from '../../paxos/messages.js'
import type { DurableRecord, LogEntry, MembershipChange, MembershipRecord, Value } from '../../paxos/types.js'
import { sizeOf } from '../../paxos/value.js'
import type { Fate, TraceEvent, WriteOutcome } from './trace-events.js'

const PRIME = 0x01000193
const PRIME_2 = 0x85ebca6b
const BASIS = 0x811c9dc5
const BASIS_2 = 0x9747b28c

/** These numbers stand for words in the hash: changing one changes every hash. */
const FATES: Readonly<Record<Fate, number>> = { delivered: 1, waits: 2, lost: 3, cut: 4, refused: 5, down: 6 }
const OUTCOMES: Readonly<Record<WriteOutcome, number>> = { synced: 1, buffered: 2, failed: 3, lost: 4, kept: 5 }
const CHANGES: Readonly<Record<MembershipChange['kind'], number>> = {
  add: 1,
  bind: 2,
  promote: 3,
  remove: 4,
  reset: 5,
  update: 6,
}
const PARTS = { header: 1, page: 2, end: 3 } as const
const PHASES = { joining: 1, following: 2, polling: 3, scouting: 4, leading: 5 } as const

/**
 * The hash of a run's events. It uses 32-bit integer arithmetic only, so that it is the same on every machine and in every
 * version of Node, and allocates nothing for the frequent events. Of a value only the size and the time are included: the effects
 * of its commands are in the digest of each applied slot.
 */
export class EventHash {
  #low = BASIS
  #high = BASIS_2

  /** Returns 16 hexadecimal digits. */
  toString(): string {
    return [this.#high, this.#low].map((half) => (half >>> 0).toString(16).padStart(8, '0')).join('')
  }

  add(atUs: number, event: TraceEvent): void {
    this.#mix(atUs)
    this.#addEvent(event)
  }

  #addEvent(event: TraceEvent): void {
    switch (event.kind) {
      case 'sent':
        this.#mix4(1, event.from, event.to, event.copyOf)
        return this.#addMessage(event.message)
      case 'ended':
        return this.#mix4(2, event.sentStep, event.to, FATES[event.fate])
      case 'started':
        return this.#mix4(3, event.node, 0, 0)
      case 'recovered':
        this.#mix4(23, event.node, event.promised, event.decidedUpTo)
        return this.#mix(event.appliedUpTo)
      case 'handOverAsked':
        return this.#mix4(24, event.node, 0, 0)
      case 'stopAsked':
        return this.#mix4(25, event.node, 0, 0)
      case 'crashed':
        return this.#mix4(4, event.node, 0, 0)
      case 'paused':
        return this.#mix4(5, event.node, Number(event.clockStops), 0)
      case 'woke':
        return this.#mix4(6, event.node, 0, 0)
      case 'stopped':
        return this.#mix4(7, event.node, 0, 0)
      case 'halted':
        this.#mix4(8, event.node, 0, 0)
        return this.#mixText(event.code)
      case 'directoryLost':
        return this.#mix4(9, event.node, 0, 0)
      case 'directorySetAside':
        return this.#mix4(31, event.node, 0, 0)
      case 'fetchBegun':
        return this.#mix4(32, event.node, event.peer, 2 * event.minSlot + Number(event.resumes))
      case 'fetchPart':
        return this.#mix4(33, event.node, event.peer, 4 * event.count + PARTS[event.part])
      case 'fetchEnded':
        this.#mix4(34, event.node, event.peer, 0)
        return this.#mixText(event.outcome)
      case 'phase':
        return this.#mix4(10, event.node, PHASES[event.phase], event.ballot)
      case 'promised':
        return this.#mix4(11, event.node, event.ballot, 0)
      case 'decided':
        return this.#mix4(12, event.node, event.upTo, 0)
      case 'applied':
        this.#mix4(13, event.node, event.slot, event.digest)
        return this.#addValue(event.value)
      case 'writeBegun':
        this.#mix4(14, event.node, event.records.length, event.checkpointUpTo)
        this.#mix4(event.changeCount, Number(event.isSynced), Number(event.isInstall), 0)
        for (const record of event.records) this.#addRecord(record)
        return
      case 'writeEnded':
        return this.#mix4(15, event.node, event.begunStep, OUTCOMES[event.outcome])
      case 'asked':
        this.#mix4(16, event.node, event.attempt, event.request)
        return this.#mixText(event.client)
      case 'tryFailed':
        this.#mix4(17, event.request, 0, 0)
        this.#mixText(event.client)
        return this.#mixText(event.reason)
      case 'gaveUp':
        this.#mix4(26, event.request, 0, 0)
        return this.#mixText(event.client)
      case 'sessionOpened':
        this.#mix4(27, event.node, event.clientId, 0)
        return this.#mixText(event.client)
      case 'clientDied':
        this.#mix4(28, 0, 0, 0)
        return this.#mixText(event.client)
      case 'clientLeft':
        this.#mix4(29, 0, 0, 0)
        return this.#mixText(event.client)
      case 'clientBack':
        this.#mix4(30, 0, 0, 0)
        return this.#mixText(event.client)
      case 'answered':
        this.#mix4(18, event.node, event.slot, event.request)
        this.#mixText(event.client)
        return this.#mixBytes(event.result)
      case 'faultBegun':
        this.#mix4(19, event.nodes.length, Number(event.isMomentary), 0)
        for (const node of event.nodes) this.#mix(node)
        this.#mixText(event.fault)
        return this.#mixText(event.detail)
      case 'faultEnded':
        return this.#mix4(20, event.begunStep, 0, 0)
      case 'note':
        this.#mix4(21, 0, 0, 0)
        return this.#mixText(event.text)
      case 'verdict':
        this.#mix4(22, event.atStep, 0, 0)
        return this.#mixText(event.failure ?? '')
    }
  }

  #addMessage(m: Message): void {
    switch (m.kind) {
      case 'prepare':
        return this.#mix4(1, m.ballot, m.fromSlot, 0)
      case 'promise':
        this.#mix4(2, m.ballot, m.fromSlot, m.decidedUpTo)
        this.#mix(m.nextSlot)
        this.#mix(m.votesFrom)
        return this.#addEntries(m.accepted)
      case 'accept':
        this.#mix4(3, m.ballot, m.slot, m.decidedUpTo)
        return this.#addValue(m.value)
      case 'accepted':
        return this.#mix4(4, m.ballot, m.slot, 0)
      case 'nack':
        return this.#mix4(5, m.ballot, m.promised, 0)
      case 'heartbeat':
        this.#mix4(6, m.ballot, m.round, m.decidedUpTo)
        return this.#mix(m.settledEpoch)
      case 'heartbeatAck':
        this.#mix4(7, m.ballot, m.round, m.decidedUpTo)
        return this.#mix(m.durableUpTo)
      case 'decided':
        return this.#mix4(8, m.ballot, m.decidedUpTo, 0)
      case 'propose':
        this.#mix4(9, m.commands.length, m.hops, m.originNodeId)
        this.#mix(m.pageId)
        for (const command of m.commands) this.#mix(command.length)
        return
      case 'proposeRefused':
        return this.#mix4(27, m.pageId, 0, 0)
      case 'catchUp':
        return this.#mix4(10, m.fromSlot, m.toSlot, 0)
      case 'catchUpReply':
        this.#mix4(11, m.decidedUpTo, m.compactedUpTo, m.hasMore ? 1 : 0)
        return this.#addEntries(m.entries)
      case 'readIndex':
        return this.#mix4(12, m.readId, 0, 0)
      case 'readIndexReply':
        return this.#mix4(13, m.readId, m.slot, 0)
      case 'poll':
        return this.#mix4(14, m.pollId, 0, 0)
      case 'pollReply':
        this.#mix4(15, m.pollId, Number(m.granted), m.promised)
        return this.#mix4(m.leaderId, m.decidedUpTo, 0, 0)
      case 'takeOver':
        return this.#mix4(16, m.ballot, 0, 0)
      case 'join':
        this.#mix4(17, m.capacityBytes, m.levelMax, 0)
        this.#mixText(m.dataDirId)
        this.#mixText(m.replacesDataDirId)
        this.#mix4(m.formation?.members.length ?? 0, m.formation?.initialCommandCount ?? 0, 0, 0)
        this.#mixText(m.formation?.initialDigest ?? '')
        for (const { nodeId, peerAddress, clientAddress } of m.formation?.members ?? []) {
          this.#mix(nodeId)
          for (const text of [peerAddress, clientAddress]) this.#mixText(text)
        }
        return
      case 'welcome':
        this.#mix4(18, m.genesis.members.length, m.memberships.length, m.settledEpoch)
        this.#mix4(m.genesis.quotaBytes, m.genesis.level, 0, 0)
        this.#mixText(m.genesis.levelVersion)
        this.#mixText(m.genesis.clusterId)
        for (const membership of m.memberships) this.#addMembership(membership)
        return
      case 'changeMembership':
        this.#mix4(19, m.requestId, 0, 0)
        return this.#addChange(m.change)
      case 'changeMembershipRefused':
        this.#mix4(20, m.requestId, 0, 0)
        return this.#mixText(m.reason)
      case 'handOver':
        return this.#mix4(21, m.toNodeId, 0, 0)
      case 'roster':
        this.#mix4(26, m.memberships.length, m.announcements.length, Number(m.asks))
        this.#mix4(m.levelMin, m.levelMax, 0, 0)
        this.#mixText(m.version)
        for (const membership of m.memberships) this.#addMembership(membership)
        this.#mixText(m.clusterId)
        for (const { nodeId, dataDirId, version, peerAddress, clientAddress } of m.announcements) {
          this.#mix4(nodeId, version, 0, 0)
          for (const text of [dataDirId, peerAddress, clientAddress]) this.#mixText(text)
        }
        return
      case 'recall':
        return this.#mix4(22, m.writeNumber, m.recallId, 0)
      case 'recalled':
        return this.#mix4(23, m.writeNumber, m.recallId, 0)
      case 'mark':
        this.#mix4(24, m.marks.length, 0, 0)
        for (const { dataDirId, writeNumber } of m.marks) {
          this.#mix(writeNumber)
          this.#mixText(dataDirId)
        }
        return
      case 'digest':
        return this.#mix4(25, m.slot, m.stateDigest, 0)
      case 'skippedSlots':
        return this.#mix4(26, m.appliedUpTo, m.slots.length, m.slots.at(-1) ?? 0)
    }
  }

  #addRecord(record: DurableRecord): void {
    switch (record.kind) {
      case 'genesis':
        this.#mix(1)
        return this.#mixText(record.genesis.clusterId)
      case 'promised':
        this.#mix(2)
        return this.#mix(record.ballot)
      case 'accepted':
        this.#mix(3)
        return this.#addEntry(record.entry)
      case 'learned':
        this.#mix(4)
        return this.#addEntry(record.entry)
      case 'decidedUpTo':
        this.#mix(5)
        return this.#mix(record.slot)
    }
  }

  #addEntries(entries: readonly LogEntry[]): void {
    this.#mix(entries.length)
    for (const entry of entries) this.#addEntry(entry)
  }

  #addEntry(entry: LogEntry): void {
    this.#mix(entry.slot)
    this.#mix(entry.ballot)
    this.#addValue(entry.value)
  }

  #addValue(value: Value): void {
    if (value.kind === 'noop') return this.#mix(0)
    if (value.kind === 'batch') return this.#mix4(value.commands.length, sizeOf(value), value.timeMs, 0)
    this.#mix(value.epoch)
    this.#addChange(value.change)
  }

  #addChange(change: MembershipChange): void {
    this.#mix4(CHANGES[change.kind], change.nodeId, 0, 0)
    if (change.kind === 'bind') this.#mixText(change.dataDirId)
    if (change.kind === 'update') this.#mixText(`${change.peerAddress} ${change.clientAddress}`)
    if (change.kind !== 'reset') return
    this.#mixText(change.dataDirId)
    this.#mixText(change.newDataDirId)
  }

  #addMembership({ epoch, fromSlot, members, lastNodeId }: MembershipRecord): void {
    this.#mix4(epoch, fromSlot, members.length, lastNodeId)
    for (const { nodeId, votesFrom, dataDirId, returning } of members) {
      this.#mix4(nodeId, votesFrom, Number(returning), 0)
      this.#mixText(dataDirId)
    }
  }

  #mixBytes(bytes: Uint8Array): void {
    this.#mix(bytes.length)
    for (const byte of bytes) this.#mix(byte)
  }

  #mixText(text: string): void {
    this.#mix(text.length)
    for (let i = 0; i < text.length; i++) this.#mix(text.charCodeAt(i))
  }

  #mix4(a: number, b: number, c: number, d: number): void {
    this.#mix(a)
    this.#mix(b)
    this.#mix(c)
    this.#mix(d)
  }

  /** @param number a whole number up to 2^53 */
  #mix(number: number): void {
    const word = number | 0
    let low = this.#low ^ word
    // Times and ballots have more than 32 bits.
    if (word !== number) low ^= Math.imul(Math.floor(number / 2 ** 32), PRIME_2)
    low = Math.imul(low, PRIME)
    this.#low = low ^ (low >>> 15)
    this.#high = (Math.imul(this.#high ^ this.#low, PRIME_2) + word) | 0
  }
}
