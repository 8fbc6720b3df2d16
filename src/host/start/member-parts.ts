import type { Logger } from 'pino'
import type { Observer } from '../../observer/observer.js'
import type { CoreOptions } from '../../paxos/core-options.js'
import type { Node, NodeSettings } from '../../paxos/node.js'
import type { GenesisMember, NodeId } from '../../paxos/types.js'
import type { CommitFeed } from '../../replication/commit-feed.js'
import type { SessionLimits } from '../../replication/session-table.js'
import type { StateMachine } from '../../replication/state-machine.js'
import type { Storage } from '../../storage/storage.js'
import type { CheckpointOptions } from '../apply/boundaries.js'
import type { PeerPort } from '../peers/peer-port.js'
import type { Runtime } from '../runtime.js'

/** The identity of a member, and the machine that it replicates. */
export interface HostedMemberOptions {
  /** This member's number, 1 to 65,535. */
  readonly nodeId: NodeId
  /**
   * Every initial member, this one included, the same list on each: a new cluster forms once all of them have been up at once. With
   * `join`: this member, and some of those that there are. Of a member of a cluster, its own memory counts.
   */
  readonly members: readonly Omit<GenesisMember, 'dataDirId'>[]
  /** Never founds a cluster, but waits to be let into the one that the others are of. Default: false. */
  readonly join?: boolean
  /** Fresh from its constructor; the member restores it and applies to it, and nobody else does. */
  readonly machine: StateMachine
  /** Applied to the machine of a new cluster before anything else. Those of the member with the lowest number count. */
  readonly initialCommands?: readonly Uint8Array[]
  /**
   * The largest state that this member has memory for, in bytes, as the machine counts it (StateMachine.stateBytes). The first quota of a
   * new cluster is the smallest of its members'. Default of a Member: half of what V8's heap limit leaves after 80 MiB. 0: it sets none.
   */
  readonly capacityBytes?: number
  /** The version of this member's program, at most 256 characters: told to people beside the levels that it knows. Default: empty. */
  readonly version?: string
  readonly logger: Logger
  /** Told of what happens in this member. Default: nobody is. */
  readonly observer?: Observer
  readonly options?: Partial<CoreOptions>
}

/** The surroundings of a member: its disk, its peers, time and chance. */
export interface MemberParts {
  readonly storage: Storage
  readonly runtime: Runtime
  readonly port: PeerPort
  readonly checkpoints?: CheckpointOptions
  readonly tickIntervalMs?: number
  /** Limits of the replicated sessions, the same on all nodes of a cluster. Only tests set them. */
  readonly sessionLimits?: SessionLimits
  /** Another core in the place of the real one: for tests. */
  readonly makeNode?: (settings: NodeSettings) => Node
  /** Gets the events of each slot from the first on: for whoever follows it from before the start. */
  readonly feed?: CommitFeed
}
