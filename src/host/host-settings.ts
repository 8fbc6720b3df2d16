import type { Logger } from 'pino'
import type { Observer } from '../observer/observer.js'
import type { Node } from '../paxos/node.js'
import type { Storage } from '../storage/storage.js'
import type { Applier } from './apply/applier.js'
import type { CheckpointWanted } from './checkpoint/checkpoint-receiver.js'
import type { CoreListener } from './core-changes.js'
import type { MembershipCalls } from './membership/membership-calls.js'
import type { Outlet } from './peers/peer-port.js'
import type { PeerTalk } from './peers/peer-talk.js'
import type { ReadIndexWaiters } from './requests/read-index-waiters.js'
import type { Requester } from './requests/requester.js'
import type { SessionDesk } from './requests/session-desk.js'
import type { Runtime } from './runtime.js'
import type { LaggardHolds } from './watches/laggard-holds.js'
import type { MajorityWatch } from './watches/majority-watch.js'
import type { Watch } from './watches/watches.js'

export interface HostSettings {
  readonly node: Node
  readonly storage: Storage
  readonly runtime: Runtime
  readonly outlet: Outlet
  readonly talk: PeerTalk
  readonly applier: Applier
  readonly requester: Requester
  readonly desk: SessionDesk
  readonly readIndexWaiters: ReadIndexWaiters
  readonly membershipCalls: MembershipCalls
  readonly watches: Watch
  readonly majorityWatch: Pick<MajorityWatch, 'onJoin'>
  readonly laggardHolds: Pick<LaggardHolds, 'onAsked'>
  /** The core looks at the clock at least so often, in ms. */
  readonly tickIntervalMs: number
  /** One page of the log is read for a peer at a time, of about so many bytes. */
  readonly pageBytesMax: number
  /** Fills the state machine, and the applier, anew with the checkpoint that the storage holds: see installState. @throws StorageError */
  readonly reload: () => Promise<void>
  readonly observer?: Observer | undefined
  readonly logger: Logger
}

/** Told of what the host cannot do by itself. */
export interface HostListener extends CoreListener {
  /** This node needs a checkpoint of a peer; told again as long as it does. */
  onCheckpointWanted(wanted: CheckpointWanted): void
  /** Called once: the node has stopped and must not be used. */
  onFailed(error: Error): void
}

/** Before start(), when nothing happens. */
export const NO_LISTENER: HostListener = Object.freeze({
  onFormed: () => {},
  onMembershipsChanged: () => {},
  onLeaderChanged: () => {},
  onCheckpointWanted: () => {},
  onFailed: () => {},
})
