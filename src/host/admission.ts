import type { Genesis } from '../paxos/types.js'
import type { LocalIdentity } from '../transport/peer-link.js'
import type { CallerIdentity } from '../transport/peer-server.js'
import type { PeerRefusal } from '../transport/refusal.js'

export type { CallerIdentity, LocalIdentity }

/** Whether a node may send to this one: not at all, only to ask to be let in, or (undefined) whatever it likes. */
export type Admission = PeerRefusal | 'joinOnly' | undefined

/** DESIGN.md, rule 5: nobody votes from another directory than the membership says. `genesis` is this node's. */
export function admit(caller: CallerIdentity, genesis: Genesis | undefined): Admission {
  if (genesis === undefined) return undefined
  const member = genesis.members.find((m) => m.nodeId === caller.nodeId)
  const isItsDirectory = member?.dataDirId === caller.dataDirId
  // A node that knows of no cluster is welcomed, so that one with a lost directory hears of it; but it is not listened to.
  if (caller.clusterId === '') return isItsDirectory ? undefined : 'joinOnly'
  if (caller.clusterId !== genesis.clusterId) {
    return {
      reason: 'WRONG_CLUSTER',
      message: `node ${caller.nodeId} belongs to cluster ${caller.clusterId}, this one to ${genesis.clusterId}`,
    }
  }
  if (member === undefined) return { reason: 'UNKNOWN_MEMBER', message: `node ${caller.nodeId} is not a member` }
  if (isItsDirectory) return undefined
  return {
    reason: 'DATA_DIR_MISMATCH',
    message: `node ${caller.nodeId} votes from data directory ${member.dataDirId}, not from ${caller.dataDirId}`,
  }
}
