import type { CheckpointHeader as WireHeader } from '../gen/synod/peer/v1/peer.js'
import type { Genesis, MembershipRecord, Slot } from '../paxos/types.js'
import { membershipsFromWire, membershipToWire } from './membership-codec.js'
import { counter, genesisFromWire, genesisToWire, optionalText, PeerCodecError, slot, text } from './peer-fields.js'

/** Where a checkpoint stands. */
export interface CheckpointInfo {
  /** The log's level after appliedUpTo, with the version of the binary that raised it; 0 before the cluster is formed. */
  readonly level: number
  readonly levelVersion: string
  /** The state is that after this slot; 0 before the first checkpoint. */
  readonly appliedUpTo: Slot
  /** The log's clock there, ms since 1970. */
  readonly timeMs: number
  /** The rolling digest of all results up to there. */
  readonly stateDigest: number
  /** Those that govern the slots above appliedUpTo, as known there; empty before the cluster is formed. */
  readonly memberships: readonly MembershipRecord[]
  /** Since the last checkpoint boundary, which is at the same slots on every node. */
  readonly boundarySlots: number
  readonly boundaryCommands: number
  readonly boundaryBytes: number
  /** Slots up to appliedUpTo that an operator has had skipped, ascending, the last 1,024. */
  readonly skippedSlots: readonly Slot[]
}

/** The header of a checkpoint that goes from one node to another. */
export interface CheckpointHeader {
  /** Two checkpoints with the same id have the same entries, from whichever node. */
  readonly checkpointId: string
  readonly clusterId: string
  /** The state is that after this slot. */
  readonly slot: Slot
  /** The log's clock there, ms since 1970. */
  readonly timeMs: number
  readonly stateDigest: number
  readonly genesis: Genesis
  /** Those that govern the slots above `slot`, as known there. */
  readonly memberships: readonly MembershipRecord[]
  /** Since the last checkpoint boundary. */
  readonly boundarySlots: number
  readonly boundaryCommands: number
  readonly boundaryBytes: number
  /** Slots up to `slot` that an operator has had skipped, ascending, the last 1,024. */
  readonly skippedSlots: readonly Slot[]
  /** The level in force after `slot`. */
  readonly level: number
  /** Version of the binary that raised it; may be empty. */
  readonly levelVersion: string
  /** Bytes of all its entries, keys and records. */
  readonly bytes: number
}

/** Entries as they stand in a database, each record with its own checksum; in the order of their keys. */
export interface CheckpointPage {
  readonly keys: readonly Uint8Array[]
  readonly records: readonly Uint8Array[]
}

/** The counts and sums of all entries. */
export interface CheckpointEnd {
  readonly stateCount: number
  readonly stateSum: number
  readonly historyCount: number
  readonly historySum: number
}

export function checkpointHeaderToWire(header: CheckpointHeader): WireHeader {
  return {
    ...header,
    genesis: genesisToWire(header.genesis),
    memberships: header.memberships.map(membershipToWire),
    skippedSlots: header.skippedSlots.map((skipped) => ({ slot: skipped })),
  }
}

/** @throws PeerCodecError */
export function checkpointHeaderFromWire(wire: WireHeader | undefined, field: string): CheckpointHeader {
  if (wire === undefined) throw new PeerCodecError(field, 'must be set')
  const { timeMs, stateDigest, boundarySlots, boundaryCommands, boundaryBytes, bytes } = wire
  const genesis = genesisFromWire(wire.genesis, `${field}.genesis`)
  if (wire.clusterId !== genesis.clusterId) throw new PeerCodecError(`${field}.cluster_id`, 'must be that of the genesis')
  return {
    checkpointId: text(wire.checkpointId, `${field}.checkpoint_id`),
    clusterId: genesis.clusterId,
    slot: slot(wire.slot, `${field}.slot`),
    timeMs,
    stateDigest,
    genesis,
    memberships: membershipsFromWire(wire.memberships, `${field}.memberships`),
    boundarySlots,
    boundaryCommands,
    boundaryBytes,
    skippedSlots: wire.skippedSlots.map((skipped) => skipped.slot),
    level: counter(wire.level, `${field}.level`),
    levelVersion: optionalText(wire.levelVersion, `${field}.level_version`),
    bytes,
  }
}
