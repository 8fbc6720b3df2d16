export { addressClash, tooHighForNewCluster } from '../paxos/membership-changes.js'

import type { AuthorityConfig } from '../api/initial-authority.js'
import type { NodeId } from '../paxos/types.js'

/** One member of the cluster, as every node's configuration names it. */
export interface MemberConfig {
  /** 1 to 65,535. */
  readonly nodeId: NodeId
  /** host:port where the other nodes reach it. */
  readonly peerAddress: string
  /** host:port where clients reach it. */
  readonly clientAddress: string
}

/** The configuration of one node. */
export interface ServerConfig {
  /** One of `members`. */
  readonly nodeId: NodeId
  readonly dataDirectory: string
  /** host:port to listen on for clients, and for the other nodes. */
  readonly clientListen: string
  readonly peerListen: string
  /** All members of the cluster, this node among them. Read when the cluster is formed; later its own memory counts. */
  readonly members: readonly MemberConfig[]
  /** Read when the cluster is formed, by the node that forms it. */
  readonly authorities: readonly AuthorityConfig[]
  /** Joins a cluster that has let it in as a new member: it never founds one. `members` are some of those that are there, and this one. */
  readonly join?: boolean
  /** True: damaged contents of the data directory are moved aside and fetched anew from the other members. Default: true. */
  readonly repair?: boolean
  /** Checkpoints never go to members that lag behind faster, all together, in bytes per second, above 0. 64 MiB unless told. */
  readonly transferBytesPerSecondMax?: number
}
