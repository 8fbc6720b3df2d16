import { makeBallot } from '../../src/paxos/ballot.js'
import type { DurableRecord, Genesis, LogEntry, Member, MembershipRecord, Slot } from '../../src/paxos/types.js'
import type { StateEntry } from '../../src/replication/state-machine.js'
import type { CheckpointInfo, Storage } from '../../src/storage/storage.js'

// Sample records for the tests of storages, and helpers to read what they find.

export const GENESIS: Genesis = {
  clusterId: '8a6e0804-2bd0-4672-b79d-d97027f9071a',
  members: [1, 2, 3].map((nodeId) => ({
    nodeId,
    dataDirId: `00000000-0000-4000-8000-00000000000${nodeId}`,
    peerAddress: `127.0.0.1:720${nodeId}`,
    clientAddress: `127.0.0.1:710${nodeId}`,
  })),
  initialCommands: [Uint8Array.of(1, 2, 3), new Uint8Array()],
  windowSlots: 64,
  quotaBytes: 5_000_000,
  level: 2,
  levelVersion: '1.2.3',
}

/** Who governs the slots after the genesis, and after one change. */
const MEMBERSHIPS = genesisMemberships()

function genesisMemberships(): MembershipRecord[] {
  const members = GENESIS.members.map((member) => ({ ...member, votesFrom: 1, returning: false }))
  const learner = { ...members[2], nodeId: 4, dataDirId: '', votesFrom: 0, returning: true } as Member
  return [
    { epoch: 1, fromSlot: 1, members, lastNodeId: 3 },
    { epoch: 2, fromSlot: 70, members: [...members, learner], lastNodeId: 4 },
  ]
}

export function infoAt(appliedUpTo: Slot, stateDigest = appliedUpTo): CheckpointInfo {
  const counted = {
    boundarySlots: 1,
    boundaryCommands: 2,
    boundaryBytes: 3,
    skippedSlots: [2, 5],
    level: 3,
    levelVersion: '1.3.0',
  }
  return { appliedUpTo, timeMs: 1_000 + appliedUpTo, stateDigest, memberships: MEMBERSHIPS, ...counted }
}

export const BALLOT = makeBallot(1, 1)
export const HIGHER = makeBallot(1, 2)
export const HIGHEST = makeBallot(7, 1)

export function entry(slot: Slot, ballot = BALLOT, bytes = 10): LogEntry {
  return { slot, ballot, value: { kind: 'batch', timeMs: 1_000 + slot, commands: [new Uint8Array(bytes).fill(slot)] } }
}

export function accepted(slot: Slot, ballot = BALLOT, bytes = 10): DurableRecord {
  return { kind: 'accepted', entry: entry(slot, ballot, bytes) }
}

export function decidedUpTo(slot: Slot): DurableRecord {
  return { kind: 'decidedUpTo', slot }
}

/** Votes for slots from 1 and their decision. */
export function decidedSlots(count: number, bytes = 10): DurableRecord[] {
  return [...Array.from({ length: count }, (_, i) => accepted(i + 1, BALLOT, bytes)), decidedUpTo(count)]
}

export async function entriesOf(storage: Storage): Promise<StateEntry[]> {
  const entries: StateEntry[] = []
  for await (const page of storage.loadCheckpoint()) {
    for (const { key, value, keyspace } of page) entries.push({ key, value: value && Uint8Array.from(value), keyspace })
  }
  return entries
}

export function state(
  entries: Record<string, readonly number[] | undefined>,
  keyspace: StateEntry['keyspace'] = 'state',
): StateEntry[] {
  return Object.entries(entries).map(([key, bytes]) => ({ key, value: bytes && Uint8Array.from(bytes), keyspace }))
}

export function history(entries: Record<string, readonly number[] | undefined>): StateEntry[] {
  return state(entries, 'history')
}

/** State entries of so many accounts, in the order of their keys. */
export function accounts(count: number): StateEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    key: `account/${String(i).padStart(6, '0')}`,
    value: Uint8Array.of(i % 256, 1),
    keyspace: 'state',
  }))
}
