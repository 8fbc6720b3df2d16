import type { PeerRefusal } from '../../host/admission.js'
import type { CoreOptions } from '../../paxos/core-options.js'
import type { MemberAddresses } from '../../paxos/membership-changes.js'
import type { Node, NodeSettings } from '../../paxos/node.js'
import type { NodeId } from '../../paxos/types.js'
import type { Checker } from '../checkers/checker.js'
import type { FaultTotals } from '../plan/faults.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import type { Network, Packet } from './network.js'
import type { SoftwareVersion } from './next-version.js'
import type { Scheduler } from './scheduler.js'
import type { SimulatedApplication } from './simulated-application.js'
import type { DiskSettings, SimulatedDisk } from './simulated-disk.js'
import type { TransferSource } from './simulated-transfer.js'
import type { StateLimits } from './state-limits.js'

export interface SimulatedNodeSettings {
  readonly id: NodeId
  /** The members that it is started with: their addresses at the time when its own were last set. */
  readonly members: () => readonly MemberAddresses[]
  readonly options: CoreOptions
  readonly initialCommands: readonly Uint8Array[]
  /** True if the node is no initial member, and waits to be added. */
  readonly isSpare: boolean
  /** The boundaries at which checkpoints begin. */
  readonly boundaries: { readonly slotsMax: number; readonly commandsMax: number }
  readonly logSlotsMax: number
  readonly limits: StateLimits
  /** The node's memory for state, and so the cluster's quota, in bytes; 0: none. */
  readonly quotaBytes: number
  /** The duration of the host's turn: inputs within one turn share a drain. */
  readonly turnMsMax: number
  readonly tickMs: number
  readonly disk: Omit<DiskSettings, 'nodeId'>
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly checker: Checker
  readonly trace: EventTrace
  readonly network: Network
  /** Returns the current address of a node. */
  readonly addressOf: (id: NodeId) => string
  /** Returns the process of another node, if it runs. */
  readonly peer: (id: NodeId) => TransferSource | undefined
  readonly send: (packet: Packet) => void
  /** Called when a node refuses its peer, which is then told. */
  readonly onRefused: (what: { readonly by: NodeId; readonly peer: NodeId; readonly refusal: PeerRefusal }) => void
  /** Called when the node can be reached. */
  readonly onListening: () => void
  /** True if a machine may throw: that stops its node, and violates nothing. */
  readonly mayFailToApply: boolean
  /** Called with an error that only a bug can cause. */
  readonly onBug: (error: Error) => void
  /** Makes the parts of a node; tests replace them with defective ones. */
  readonly parts: NodeParts
}

export interface NodeParts {
  readonly makeNode: (settings: NodeSettings) => Node
  readonly makeDisk: (settings: DiskSettings) => SimulatedDisk
  readonly makeApplication: (version: SoftwareVersion) => SimulatedApplication
}

/** The machine on which a process runs. */
export interface Machine {
  /** The members that the process is started with. */
  readonly members: readonly MemberAddresses[]
  readonly version: SoftwareVersion
  readonly disk: SimulatedDisk
  readonly wallMs: () => number
  readonly turnMsMax: () => number
  /** Called when the process reaches the step at which it is to be killed. */
  readonly onDeath: () => void
  /** Called when the process has found its directory damaged, and set it aside. */
  readonly onSetAside: () => void
  /** Called when the process has stopped by itself. */
  readonly onStopped: (error: Error) => void
}
