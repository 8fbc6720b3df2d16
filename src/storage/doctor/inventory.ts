import { NO_BALLOT, nodeOf, roundOf } from '../../paxos/ballot.js'
import type { MembershipRecord, NodeId, Slot } from '../../paxos/types.js'
import type { Identity } from '../directory/data-directory.js'
import { otherGeneration } from '../record-keys.js'
import type { Census, RecordCount } from './census.js'
import type { Contents } from './verify.js'

/** An overview of a database, for people. */
export interface Inventory {
  /** The owner that the database names. */
  readonly owner: Identity
  /** The number of the newest write in the database. */
  readonly lastWrite: number
  /** Undefined before there is a cluster. */
  readonly clusterId: string | undefined
  /** The newest decided membership that this node knows. */
  readonly membership: MembershipRecord | undefined
  /** The acceptor's promise; undefined for none. */
  readonly promised: { readonly round: number; readonly nodeId: NodeId } | undefined
  readonly decidedUpTo: Slot
  /** The slot of the last checkpoint. */
  readonly appliedUpTo: Slot
  readonly compactedUpTo: Slot
  /** Level of the log after appliedUpTo; 0 before there is a checkpoint. */
  readonly level: number
  /** Slots up to appliedUpTo that an operator has skipped; the last 1,024. */
  readonly skippedSlots: readonly Slot[]
  readonly log: RecordCount
  readonly state: RecordCount
  readonly history: RecordCount
  readonly checkpoint: { readonly timeMs: number; readonly stateDigest: number; readonly generation: 0 | 1 }
  /** A checkpoint from a peer that is not complete. */
  readonly incoming: { readonly slot: Slot; readonly bytesTotal: number; readonly received: RecordCount } | undefined
  /** Entries of an earlier checkpoint that are not deleted yet. */
  readonly leftOver: RecordCount
}

/** Returns the inventory of a database that was read in full. */
export function inventoryOf(contents: Contents, census: Census): Inventory {
  const { owner, head, genesis, checkpoint, incoming, lastNumber } = contents
  const { generation } = checkpoint
  const { appliedUpTo, timeMs, stateDigest, memberships } = checkpoint.info
  const { decidedUpTo, promised, compactedUpTo } = head
  const other = otherGeneration(generation)
  const besides = sumOf(census.entries('state', other), census.entries('history', other))
  return {
    owner: { nodeId: owner.nodeId, dataDirId: owner.dataDirId },
    lastWrite: lastNumber,
    clusterId: genesis?.clusterId,
    membership: census.latestMembership({ genesis, memberships, appliedUpTo, decidedUpTo }),
    promised: promised === NO_BALLOT ? undefined : { round: roundOf(promised), nodeId: nodeOf(promised) },
    decidedUpTo,
    appliedUpTo,
    compactedUpTo,
    level: checkpoint.info.level,
    skippedSlots: checkpoint.info.skippedSlots,
    log: census.log,
    state: census.entries('state', generation),
    history: census.entries('history', generation),
    checkpoint: { timeMs, stateDigest, generation },
    incoming: incoming && { slot: incoming.header.slot, bytesTotal: incoming.header.bytes, received: besides },
    leftOver: incoming === undefined ? besides : { count: 0, bytes: 0 },
  }
}

function sumOf(a: RecordCount, b: RecordCount): RecordCount {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes }
}
