import { Checkpoint, type IncomingCheckpoint } from '../../gen/synod/storage/v1/storage.js'
import type { Announcement } from '../../paxos/types.js'
import { checkpointHeaderFromWire, checkpointHeaderToWire } from '../../protocol/checkpoint.js'
import { membershipsFromWire, membershipToWire } from '../../protocol/membership-codec.js'
import { announcementFromWire } from '../../protocol/roster.js'
import { CHECKPOINT_KEY, type Generation, INCOMING_KEY } from '../record-keys.js'
import { RecordTally } from '../record-tally.js'
import { decoding, RecordError, sealCheckpoint, sealIncoming, unsealCheckpoint, unsealIncoming } from '../records.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointInfo } from '../storage.js'

/** Tallies of a checkpoint's entries. */
export interface EntryTallies {
  readonly state: RecordTally
  readonly history: RecordTally
  /** Bytes of all entries, keys and records. */
  readonly bytes: number
}

export function noEntries(): EntryTallies {
  return { state: new RecordTally(), history: new RecordTally(), bytes: 0 }
}

/** Contents of the checkpoint record. */
export interface CheckpointState {
  readonly info: CheckpointInfo
  readonly generation: Generation
  readonly tallies: EntryTallies
  readonly marks: ReadonlyMap<string, number>
  /** Addresses of nodes. */
  readonly announcements: readonly Announcement[]
}

export function sealCheckpointState({ info, generation, tallies, marks, announcements }: CheckpointState): Buffer {
  return sealCheckpoint({
    ...info,
    state: tallies.state.toRecord(),
    history: tallies.history.toRecord(),
    generation,
    memberships: info.memberships.map(membershipToWire),
    marks: Array.from(marks, ([dataDirId, writeNumber]) => ({ dataDirId, writeNumber })),
    entryBytes: tallies.bytes,
    skippedSlots: info.skippedSlots.map((slot) => ({ slot })),
    announcements: [...announcements],
  })
}

/** @throws RecordError */
export function unsealCheckpointState(record: Buffer): CheckpointState {
  return checkpointStateOf(unsealCheckpoint(record))
}

function checkpointStateOf(wire: Checkpoint): CheckpointState {
  const { appliedUpTo, timeMs, stateDigest, boundarySlots, boundaryCommands, boundaryBytes, level, levelVersion } = wire
  const { generation } = wire
  const skippedSlots = wire.skippedSlots.map(({ slot }) => slot)
  if (generation !== 0 && generation !== 1)
    throw new RecordError(`the checkpoint is of generation ${generation}, which never existed`)
  const memberships = decoding(CHECKPOINT_KEY, () => {
    return wire.memberships.length === 0 ? [] : membershipsFromWire(wire.memberships, 'memberships')
  })
  return {
    info: {
      appliedUpTo,
      timeMs,
      stateDigest,
      memberships,
      boundarySlots,
      boundaryCommands,
      boundaryBytes,
      skippedSlots,
      level,
      levelVersion,
    },
    generation,
    tallies: { state: new RecordTally(wire.state), history: new RecordTally(wire.history), bytes: wire.entryBytes },
    marks: new Map(wire.marks.map(({ dataDirId, writeNumber }) => [dataDirId, writeNumber])),
    announcements: decoding(CHECKPOINT_KEY, () =>
      wire.announcements.map((one, i) => announcementFromWire(one, `announcements[${i}]`)),
    ),
  }
}

/** Returns the state of a storage without a checkpoint. */
export function noCheckpointState(): CheckpointState {
  return checkpointStateOf(Checkpoint.create())
}

/** Contents of the progress record of a checkpoint from a peer: the part received so far. */
export interface IncomingState {
  readonly header: CheckpointHeader
  /** The last key received, in its form of generation 0. */
  readonly lastKey: Buffer
  readonly tallies: EntryTallies
}

export function sealIncomingState({ header, lastKey, tallies }: IncomingState): Buffer {
  return sealIncoming({
    header: checkpointHeaderToWire(header),
    lastKey,
    state: tallies.state.toRecord(),
    history: tallies.history.toRecord(),
    entryBytes: tallies.bytes,
  })
}

/** @throws RecordError */
export function unsealIncomingState(record: Buffer): IncomingState {
  const wire: IncomingCheckpoint = unsealIncoming(record)
  return {
    header: decoding(INCOMING_KEY, () => checkpointHeaderFromWire(wire.header, 'header')),
    lastKey: Buffer.from(wire.lastKey),
    tallies: { state: new RecordTally(wire.state), history: new RecordTally(wire.history), bytes: wire.entryBytes },
  }
}

export function endOf({ state, history }: EntryTallies): CheckpointEnd {
  return { stateCount: state.count, stateSum: state.sum, historyCount: history.count, historySum: history.sum }
}

export function infoOf(header: CheckpointHeader): CheckpointInfo {
  const {
    slot: appliedUpTo,
    timeMs,
    stateDigest,
    memberships,
    boundarySlots,
    boundaryCommands,
    boundaryBytes,
    skippedSlots,
    level,
    levelVersion,
  } = header
  return {
    appliedUpTo,
    timeMs,
    stateDigest,
    memberships,
    boundarySlots,
    boundaryCommands,
    boundaryBytes,
    skippedSlots,
    level,
    levelVersion,
  }
}
