import type { Memberships } from '../paxos/memberships.js'
import type { Roster } from '../paxos/messages.js'
import type { Member, MembershipRecord } from '../paxos/types.js'
import type { LocalIdentity } from '../transport/peer-link.js'
import type { PeerRefusal } from '../transport/peer-refusal.js'
import type { CallerIdentity } from '../transport/peer-server.js'

export type { CallerIdentity, LocalIdentity, PeerRefusal }

/** The permission of a node to send to this one: none, only to ask to join, or (undefined) everything. */
export type Admission = PeerRefusal | 'joinOnly' | undefined

/** Tells those that are refused who the members are. */
export interface Teller {
  tell(): Roster
}

/** This node's knowledge of its cluster. */
export interface KnownCluster {
  readonly clusterId: string
  /** As far as it has learned. */
  readonly memberships: Memberships
  /** The first of them is settled: see Node.settledEpoch. */
  readonly isMembershipSettled: boolean
  /** The newest membership that it knows, perhaps only from the node that has welcomed it. */
  readonly known: MembershipRecord
}

/**
 * docs/protocol.md, rule 5: nobody votes from another directory than a membership says that governs a slot which is still open, or that will.
 * `cluster` is absent as long as this node knows of none. `teller`: a node of this cluster that is refused is told who its members are.
 */
export function admit(caller: CallerIdentity, cluster: KnownCluster | undefined, teller?: Teller): Admission {
  const admission = cluster && judge(caller, cluster)
  if (admission === undefined || admission === 'joinOnly' || teller === undefined) return admission
  // A node that was away, or restored from a copy, may know no other member.
  return caller.clusterId === cluster?.clusterId ? { ...admission, roster: teller.tell() } : admission
}

function judge(caller: CallerIdentity, cluster: KnownCluster): Admission {
  const { nodeId, clusterId, dataDirId } = caller
  if (clusterId !== '' && clusterId !== cluster.clusterId) {
    return {
      reason: 'WRONG_CLUSTER',
      message: `node ${nodeId} belongs to cluster ${clusterId}, this one to ${cluster.clusterId}`,
    }
  }
  const listed = membersOf(cluster).filter((m) => m.nodeId === nodeId)
  if (listed.length === 0) return admitStranger(caller, cluster)
  if (listed.some((m) => m.dataDirId === dataDirId)) return undefined
  // A node that knows of no cluster is welcomed, so that one with a lost directory hears of it; but it is not listened to. Whoever
  // takes the place of a damaged directory asks for that, too.
  if (clusterId === '' || listed.some((m) => m.dataDirId === '')) return 'joinOnly'
  const expected = listed.at(-1)?.dataDirId
  return { reason: 'DATA_DIR_MISMATCH', message: `node ${nodeId} votes from data directory ${expected}, not from ${dataDirId}` }
}

/** Every member of a membership that governs an open slot, by now or soon; those of the newest one last. One may be named twice. */
export function membersOf({ memberships, known }: Pick<KnownCluster, 'memberships' | 'known'>): Member[] {
  const members = memberships.governing.flatMap((membership) => membership.members)
  return known.epoch > memberships.latest.epoch ? [...members, ...known.members] : members
}

function admitStranger(
  { nodeId, clusterId: itsClusterId }: CallerIdentity,
  { clusterId, known, isMembershipSettled }: KnownCluster,
): Admission {
  const { lastNodeId } = known
  if (nodeId > lastNodeId) {
    // One that was let in is a member, of which this node has not learned yet: its votes count only when it has.
    if (itsClusterId === clusterId) return undefined
    return { reason: 'UNKNOWN_MEMBER', message: `node ${nodeId} is not a member of cluster ${clusterId}; add it first` }
  }
  // Sent away it stops, and nobody may need its vote again after that.
  if (!isMembershipSettled) return 'joinOnly'
  return {
    reason: 'REMOVED',
    message:
      `node ${nodeId} was removed from cluster ${clusterId}, and its number is not given again. To bring this machine back, add it as a ` +
      `new member: with an empty data directory, and an id above ${lastNodeId}.`,
  }
}
