import type { Checker } from '../checkers/checker.js'
import type { Network } from '../cluster/network.js'
import type { Scheduler } from '../cluster/scheduler.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import { COUNTED_IN_EFFECT, type FaultTotals } from '../plan/faults.js'
import { linksCutBy, type Partition } from '../plan/partitions.js'
import type { WorldPlan } from '../plan/plan.js'
import type { DirectedLink, FaultKind, PlannedFault, Target } from '../plan/schedule.js'
import { tellFault } from '../plan/tell-fault.js'
import type { EventTrace } from '../trace/event-trace.js'
import type { TraceStep } from '../trace/trace-events.js'
import { FaultHolds } from './fault-holds.js'
import { NodeStriker, type Undo } from './node-striker.js'
import type { Operator } from './operator.js'
import type { Survival } from './survival.js'

interface Settings {
  readonly plan: Pick<WorldPlan, 'faults' | 'link'>
  readonly nodes: readonly SimulatedNode[]
  readonly network: Network
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly trace: EventTrace
  readonly checker: Checker
  readonly survival: Survival
  readonly operator: Pick<Operator, 'request' | 'isIdle'>
}

/** Faults that are never undone. */
const MOMENTARY: ReadonlySet<FaultKind> = new Set([
  'handOver',
  'clockJump',
  'clockLeap',
  'addMember',
  'removeMember',
  'replaceMember',
  'transferLeadership',
  'raiseLevel',
])

/**
 * Carries out the planned faults of phase one: strikes at the planned time, and undoes each fault when it is over. It draws
 * nothing.
 */
export class Nemesis {
  readonly #settings: Settings
  readonly #holds = new FaultHolds()
  readonly #striker: NodeStriker
  #endIsolation: Undo = () => undefined
  #isActive = true

  constructor(settings: Settings) {
    this.#settings = settings
    const later = (delayMs: number, run: () => void): void => this.#later(delayMs, run)
    this.#striker = new NodeStriker({ ...settings, link: settings.plan.link, later })
    for (const fault of settings.plan.faults) {
      this.#later(fault.atMs - settings.scheduler.nowMs, () => this.#strike(fault))
    }
  }

  /**
   * Strikes no more. Faults stay as they are, except slowness: a slow leader outside the healed quorum violates nothing, but
   * makes everything slow.
   */
  stop(): void {
    this.#isActive = false
    this.#striker.endSlowness()
  }

  #strike(fault: PlannedFault): void {
    const target = 'target' in fault ? this.#nodeOf(fault.target) : undefined
    const undo = this.#begin(fault, target)
    if (undo === undefined) return
    if (!COUNTED_IN_EFFECT.has(fault.kind)) this.#settings.totals.count(fault.kind)
    const begunStep = this.#tellBegun(fault, target)
    this.#later(fault.forMs, () => {
      undo()
      if (!MOMENTARY.has(fault.kind)) this.#settings.trace.tell({ kind: 'faultEnded', begunStep, fault: fault.kind })
    })
  }

  #tellBegun(fault: PlannedFault, target: SimulatedNode | undefined): TraceStep {
    return this.#settings.trace.tell({
      kind: 'faultBegun',
      fault: fault.kind,
      nodes: target === undefined ? [] : [target.id],
      detail: tellFault('target' in fault && target !== undefined ? { ...fault, target: target.id } : fault),
      isMomentary: MOMENTARY.has(fault.kind),
    })
  }

  /** Begins a fault. Returns undefined if there is nothing to strike. */
  #begin(fault: PlannedFault, target: SimulatedNode | undefined): Undo | undefined {
    switch (fault.kind) {
      case 'crashOfAll':
        return this.#crashAll(fault.forMs)
      case 'restartOfAll':
        return inTurn(this.#nodes.map((node) => this.#striker.takeDown(node, () => node.stop())))
      case 'rollingRestart':
        return this.#restartInTurn(fault.forMs, noUndo)
      case 'rollingUpgrade':
        return this.#restartInTurn(fault.forMs, (node) => {
          node.software.installed = 'next'
        })
      case 'handOver':
        return this.#handOver()
      case 'addMember':
        this.#settings.operator.request({ kind: fault.kind })
        return noUndo
      case 'raiseLevel':
        this.#settings.operator.request({ kind: fault.kind, level: fault.level })
        return noUndo
      case 'removeMember':
      case 'replaceMember':
      case 'transferLeadership':
        if (target !== undefined) this.#settings.operator.request({ kind: fault.kind, nodeId: target.id })
        return noUndo
      case 'clockLeap':
        for (const node of this.#settings.nodes) node.wallOffsetMs += fault.byMs
        return noUndo
      case 'symmetricPartition':
      case 'oneWayPartition':
      case 'partialPartition':
      case 'quorumLoss':
      case 'constrainedElection':
      case 'chained':
        return this.#partition(fault, target)
      case 'leaderIsolation':
        return this.#isolateLeader(fault)
      case 'flappingLinks':
        return this.#flap(fault.links, fault)
      case 'crash':
      case 'absence':
      case 'move':
      case 'crashMidStep':
      case 'crashInWrite':
      case 'stop':
      case 'pause':
      case 'suspension':
      case 'slowNode':
      case 'slowDisk':
      case 'stalledSync':
      case 'failingSync':
      case 'fullDisk':
      case 'corruptedRecord':
      case 'olderCopy':
      case 'lostDirectory':
      case 'clockSkew':
      case 'clockJump':
      case 'clockDrift':
      case 'downgrade':
        return target && this.#striker.strike(fault, target)
    }
  }

  /** Crashes all nodes. They come back one after the other. */
  #crashAll(withinMs: number): Undo {
    const nodes = this.#nodes
    const undos = nodes.map((node) => this.#striker.takeDown(node, () => node.crash()))
    for (const [i, undo] of undos.slice(0, -1).entries()) this.#later((withinMs * (i + 1)) / nodes.length, undo)
    return undos.at(-1) ?? noUndo
  }

  /** Takes the nodes down in turn: each is down for `downMs`, and up for as long before the next one goes down. */
  #restartInTurn(downMs: number, onDown: (node: SimulatedNode) => void): Undo {
    for (const [i, node] of this.#nodes.entries()) {
      this.#later(2 * i * downMs, () => {
        const bringBack = this.#striker.takeDown(node, () => node.stop())
        onDown(node)
        this.#later(downMs, bringBack)
      })
    }
    return noUndo
  }

  #handOver(): Undo | undefined {
    const leader = this.#leader
    leader?.handOver()
    return leader && noUndo
  }

  #partition(fault: Partition, target: SimulatedNode | undefined): Undo | undefined {
    const nodeIds = this.#nodes.map((node) => node.id)
    const links = linksCutBy(fault, { nodeIds, leader: this.#leader?.id, target: target?.id })
    if (links.length === 0) return undefined
    this.#cut(links)
    return () => this.#mend(links)
  }

  /**
   * Isolates the leader. Nodes that were isolated before are connected again, so that leaders change quickly and many values are
   * accepted by a minority only.
   */
  #isolateLeader(fault: Partition): Undo | undefined {
    const mend = this.#partition(fault, undefined)
    if (mend === undefined) return undefined
    this.#endIsolation()
    this.#endIsolation = once(mend)
    return this.#endIsolation
  }

  /** Cuts and mends the links in turn. */
  #flap(links: readonly DirectedLink[], { forMs, periodMs }: { readonly forMs: number; readonly periodMs: number }): Undo {
    let isCut = false
    const set = (cuts: boolean): void => {
      if (cuts && !isCut) this.#cut(links)
      else if (!cuts && isCut) this.#mend(links)
      isCut = cuts
    }
    for (let i = 0; i * periodMs < forMs; i++) this.#later(i * periodMs, () => set(i % 2 === 0))
    return () => set(false)
  }

  #cut(links: readonly DirectedLink[]): void {
    for (const [from, to] of links) if (this.#holds.take(`${from}>${to}`)) this.#settings.network.cut(from, to)
  }

  #mend(links: readonly DirectedLink[]): void {
    for (const [from, to] of links) if (this.#holds.release(`${from}>${to}`)) this.#settings.network.mend(from, to)
  }

  /** All nodes except spare machines that are not in use. */
  get #nodes(): readonly SimulatedNode[] {
    return this.#settings.nodes.filter(({ isCommissioned }) => isCommissioned)
  }

  get #leader(): SimulatedNode | undefined {
    return this.#settings.nodes.findLast((node) => node.isLeading && !node.isPaused)
  }

  /** Returns the node that a target names. While no node leads, the first node that is up stands for the leader. */
  #nodeOf(target: Target): SimulatedNode | undefined {
    if (typeof target === 'number') return this.#settings.nodes[target - 1]
    const nodes = this.#nodes
    const leader = this.#leader ?? nodes.find((node) => node.isUp) ?? nodes[0]
    if (target === 'leader' || leader === undefined) return leader
    return nodes[(nodes.indexOf(leader) + 1) % nodes.length]
  }

  #later(delayMs: number, run: () => void): void {
    this.#settings.scheduler.after(delayMs, () => {
      if (this.#isActive) run()
    })
  }
}

function noUndo(): void {}

function inTurn(undos: readonly Undo[]): Undo {
  return () => {
    for (const undo of undos) undo()
  }
}

/** Makes an undo idempotent. */
function once(undo: Undo): Undo {
  let isDone = false
  return () => {
    if (!isDone) undo()
    isDone = true
  }
}
