import type { PeerRefusal } from '../../host/admission.js'
import type { Message } from '../../paxos/messages.js'
import { Node } from '../../paxos/node.js'
import type { NodeId } from '../../paxos/types.js'
import { decodeFrame, encodeMessages } from '../../protocol/peer.js'
import { Checker } from '../checkers/checker.js'
import { check, Violation } from '../checkers/violation.js'
import { FaultTotals } from '../plan/faults.js'
import type { ClusterPlan } from '../plan/plan.js'
import { Random } from '../random.js'
import { EventTrace, formatTime } from '../trace/event-trace.js'
import { GOOD_LINK, Network, type Packet } from './network.js'
import { type SoftwareVersion, toNextFrame } from './next-version.js'
import { Scheduler } from './scheduler.js'
import { SimulatedDisk } from './simulated-disk.js'
import { EPOCH_MS, SimulatedNode } from './simulated-node.js'
import type { NodeParts, SimulatedNodeSettings } from './simulated-node-settings.js'

export interface ClusterSettings {
  readonly seed: number
  readonly plan: ClusterPlan
  /** Commands applied before everything else, as slot 0. */
  readonly initialCommands: readonly Uint8Array[]
  readonly makeApplication: NodeParts['makeApplication']
  /** Called with a line for each event. */
  readonly print?: ((line: string) => void) | undefined
  /** True if the trace keeps every event. Default: false. */
  readonly records?: boolean | undefined
  /** Parts that replace the real ones. */
  readonly parts?: Partial<NodeParts> | undefined
  /** True if a machine may throw: that stops its node, and violates nothing. Default: false. */
  readonly mayFailToApply?: boolean | undefined
  /** As for Checker. Default: true. */
  readonly looksInside?: boolean | undefined
}

const COMMANDS_PER_SLOT = 3
/** The time until a broken link is made again. */
const RELINK_MS = 5

const REAL_PARTS: Omit<NodeParts, 'makeApplication'> = {
  makeNode: (settings) => new Node(settings),
  makeDisk: (settings) => new SimulatedDisk(settings),
}

/** Nodes with their disks and their network, in virtual time. One seed determines everything. */
export class SimulatedCluster {
  readonly scheduler = new Scheduler()
  readonly totals = new FaultTotals()
  readonly checker: Checker
  readonly trace: EventTrace
  readonly network: Network
  readonly nodes: readonly SimulatedNode[]
  readonly random: Random
  eventCount = 0
  #failure: Violation | undefined
  /** The last step before the failure. */
  #failureStep = 0

  constructor(settings: ClusterSettings) {
    const { seed, plan, print, records, parts, makeApplication, looksInside = true } = settings
    this.random = new Random(seed)
    this.checker = new Checker({
      looksInside,
      nowMs: () => this.scheduler.nowMs,
      boundaries: boundariesOf(plan.checkpointEverySlots),
      latestTimeMs: (voters) => this.#latestTimeMs(voters),
    })
    this.trace = new EventTrace({ clock: this.scheduler, print, records })
    const nodeIds = Array.from({ length: plan.nodeCount + plan.spareCount }, (_, i) => i + 1)
    this.network = new Network({
      nodeIds,
      quality: plan.link,
      random: this.random.fork(),
      scheduler: this.scheduler,
      totals: this.totals,
      trace: this.trace,
      deliver: (packet) => this.node(packet.to).receive(packet),
      carry: (packet) => this.#carry(packet, plan.encodesMessages),
    })
    this.nodes = nodeIds.map((id) => this.#makeNode(id, settings, { ...REAL_PARTS, makeApplication, ...parts }))
  }

  get nowMs(): number {
    return this.scheduler.nowMs
  }

  /** @throws RangeError if there is no such node */
  node(id: NodeId): SimulatedNode {
    const node = this.nodes[id - 1]
    if (node === undefined) throw new RangeError(`there is no node ${id}`)
    return node
  }

  /** The node that leads in the highest ballot. */
  get leader(): SimulatedNode | undefined {
    const leaders = this.nodes.filter((node) => node.isLeading)
    return leaders.toSorted((a, b) => (b.core?.leadingBallot ?? 0) - (a.core?.leadingBallot ?? 0))[0]
  }

  /** Starts every initial member, at about the same time. */
  start(): void {
    for (const node of this.nodes.filter(({ isCommissioned }) => isCommissioned))
      this.scheduler.after(this.random.between(0, 20), () => node.start())
  }

  /** Runs for a duration of virtual time. @throws Violation */
  async run(durationMs: number): Promise<void> {
    await this.runUntil(() => false, durationMs)
  }

  /** Runs until `isDone`, but not longer than `durationMsMax`. Returns true if it got there. @throws Violation */
  async runUntil(isDone: () => boolean, durationMsMax: number): Promise<boolean> {
    const untilMs = this.scheduler.nowMs + durationMsMax
    for (;;) {
      this.#throwFailure()
      if (isDone()) return true
      if (!this.scheduler.step(untilMs)) return false
      this.eventCount++
      await settled()
    }
  }

  /** Makes the links among these nodes as good as possible from now on, and starts each of them. @throws Violation */
  heal(core: readonly SimulatedNode[]): void {
    this.note(`healed: ${core.map((node) => `n${node.id}`).join(' ')}`)
    // The other nodes' disks, too: a slow leader outside the quorum violates nothing, but makes everything slow.
    for (const { disk } of this.nodes) disk.isSlow = false
    for (const { disk } of core) disk.heal()
    for (const node of core) {
      for (const other of core) {
        if (other === node) continue
        this.network.mend(node.id, other.id)
        this.network.setQuality(node.id, other.id, GOOD_LINK)
      }
    }
    for (const node of core) {
      node.spare()
      node.wake()
      node.software.useNewest()
      node.start()
    }
  }

  /** Makes all links as good as possible from now on. */
  connectAll(): void {
    this.note('all links are healed')
    for (const from of this.nodes) {
      for (const to of this.nodes) {
        if (to === from) continue
        this.network.mend(from.id, to.id)
        this.network.setQuality(from.id, to.id, GOOD_LINK)
      }
    }
  }

  /** Records the last event: the violation, or undefined if everything held. */
  conclude(failure: string | undefined): void {
    const { trace } = this
    trace.tell({ kind: 'verdict', failure, atStep: failure === undefined ? 0 : this.#failureStep || trace.count })
  }

  note(text: string): void {
    this.trace.tell({ kind: 'note', text })
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Records a bug: a node that stops on an error has broken an invariant of its own, or changed a message that others hold. */
  protected onBug(error: Error): void {
    if (this.#failure !== undefined) return
    this.#failureStep = this.trace.count
    this.#failure =
      error instanceof Violation
        ? error
        : new Violation(`at ${formatTime(this.scheduler.nowUs).trim()} ${error.message}`, { cause: error })
  }

  #makeNode(id: NodeId, { plan, initialCommands, mayFailToApply = false }: ClusterSettings, parts: NodeParts): SimulatedNode {
    const { scheduler, totals, checker, trace } = this
    const initialIds = Array.from({ length: plan.nodeCount }, (_, i) => i + 1)
    const isSpare = id > plan.nodeCount
    return new SimulatedNode({
      id,
      members: () => {
        const { memberships } = checker
        const known = memberships.isFormed ? memberships.latest.members.map((m) => m.nodeId) : initialIds
        return [...new Set([...known, id])].map((nodeId) => this.node(nodeId).addresses)
      },
      addressOf: (nodeId) => this.node(nodeId).addresses.peerAddress,
      isSpare,
      options: plan.options,
      initialCommands,
      boundaries: boundariesOf(plan.checkpointEverySlots),
      logSlotsMax: plan.logSlotsMax,
      limits: plan.limits,
      quotaBytes: plan.quotaBytes,
      turnMsMax: plan.turnMsMax,
      tickMs: plan.tickMs,
      disk: {
        random: this.random.fork(),
        scheduler,
        totals,
        trace,
        syncMsMean: plan.syncMsMean,
        onWritten: (records) => checker.onWritten(id, records),
      },
      random: this.random.fork(),
      scheduler,
      totals,
      checker,
      trace,
      network: this.network,
      peer: (peerId) => this.node(peerId).checkpointSource,
      send: (packet) => this.#send(packet),
      onRefused: ({ by, peer, refusal }) => this.#onRefused(by, peer, refusal),
      onListening: () => this.#onListening(id),
      onBug: (error) => this.onBug(error),
      mayFailToApply,
      parts,
    })
  }

  /**
   * Returns the upper bound of log time: the clocks of a majority of voters must have been that far ahead, at some time. (Log
   * time that they once allowed advances by elapsed time.) No minority moves it further, whichever voters were heard.
   */
  #latestTimeMs(voters: readonly NodeId[]): number {
    const minority = Math.floor((voters.length - 1) / 2)
    const ahead = voters.map((id) => this.node(id).mostAheadMs).toSorted((a, b) => b - a)
    return EPOCH_MS + this.nowMs + (ahead[minority] ?? 0)
  }

  #carry({ from, message }: Packet, encodesMessages: boolean): Message {
    const { running } = this.node(from).software
    return encodesMessages || running === 'next' ? throughCodec(message, running) : message
  }

  /** Tells a node that a peer refuses it, after the time that the answer takes. */
  #onRefused(by: NodeId, peer: NodeId, refusal: PeerRefusal): void {
    this.network.travel(by, peer, { onArrival: () => this.node(peer).onRefused(by, refusal), onLost: () => undefined })
  }

  /** Links are made again by themselves. Nodes then tell each other their addresses, which matters once one of them has moved. */
  #onListening(id: NodeId): void {
    if (!this.nodes.some((node) => node.hasMoved)) return
    this.scheduler.after(RELINK_MS, () => {
      for (const node of this.nodes) {
        if (node.id === id || !node.isUp || !this.node(id).isUp) continue
        node.onRelinked(id)
        this.node(id).onRelinked(node.id)
      }
    })
  }

  #send(packet: Packet): void {
    const { core } = this.node(packet.from)
    this.network.send(packet)
    if (core !== undefined) this.checker.onSent(packet.from, packet.message, { core })
  }
}

/**
 * Returns checkpoint boundaries. A busy cluster has more commands than slots: each of the two bounds should be the deciding one
 * now and then.
 */
function boundariesOf(slotsMax: number): SimulatedNodeSettings['boundaries'] {
  return { slotsMax, commandsMax: COMMANDS_PER_SLOT * slotsMax }
}

/** Resolves when everything that waits only for promises has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve)
  })
}

/** Returns the message that the receiver's codec decodes from what the sender's has encoded. */
function throughCodec(message: Message, version: SoftwareVersion): Message {
  const frame = encodeMessages([message])
  const [decoded] = decodeFrame(version === 'next' ? toNextFrame(frame) : frame).messages
  check(decoded !== undefined, () => `the codec lost a ${message.kind}`)
  return decoded
}
