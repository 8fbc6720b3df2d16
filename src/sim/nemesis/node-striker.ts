import type { Checker } from '../checkers/checker.js'
import type { LinkQuality, Network } from '../cluster/network.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import type { PlannedFault } from '../plan/schedule.js'
import { Random } from '../random.js'
import { FaultHolds } from './fault-holds.js'
import type { Operator } from './operator.js'
import { isMajority, type Survival } from './survival.js'

export type Undo = () => void

/** The faults that strike one node. */
type NodeFault = Extract<
  PlannedFault,
  {
    readonly kind:
      | 'crash'
      | 'crashMidStep'
      | 'crashInWrite'
      | 'stop'
      | 'downgrade'
      | 'pause'
      | 'suspension'
      | 'slowNode'
      | 'slowDisk'
      | 'stalledSync'
      | 'failingSync'
      | 'fullDisk'
      | 'corruptedRecord'
      | 'lostDirectory'
      | 'olderCopy'
      | 'clockSkew'
      | 'clockJump'
      | 'clockDrift'
      | 'absence'
      | 'move'
  }
>

interface Settings {
  readonly nodes: readonly SimulatedNode[]
  readonly network: Network
  readonly survival: Survival
  readonly checker: Checker
  readonly operator: Pick<Operator, 'request' | 'isIdle'>
  /** Quality of a link between nodes that are not slow. */
  readonly link: LinkQuality
  /** Runs something later, unless the nemesis has stopped by then. */
  readonly later: (delayMs: number, run: () => void) => void
}

const DRIFT_STEP_MS = 20
/** Additional delay of messages to and from a slow node. */
const SLOWNESS = { delayMsMin: 15, delayMsMean: 60 }

/**
 * Strikes one node at a time, and returns how to undo it. Of overlapping faults the last one to end undoes the effect (see
 * fault-holds.ts).
 */
export class NodeStriker {
  readonly #settings: Settings
  readonly #holds = new FaultHolds()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Strikes a node. Returns undefined if it must not or cannot be struck. */
  strike(fault: NodeFault, node: SimulatedNode): Undo | undefined {
    switch (fault.kind) {
      case 'crash':
      case 'absence':
        return this.takeDown(node, () => node.crash())
      case 'crashMidStep':
        return this.takeDown(node, () => node.crashAfterSteps(fault.steps))
      case 'crashInWrite':
        return this.takeDown(node, () => node.crashInWrite())
      case 'stop':
        return node.isUp ? this.takeDown(node, () => node.stop()) : undefined
      case 'failingSync':
        return node.isUp ? this.takeDown(node, () => node.disk.failNextWrite()) : undefined
      case 'pause':
      case 'suspension':
        return this.#pause(node, fault.kind === 'suspension')
      case 'slowNode':
        return this.#slowDown(node)
      case 'slowDisk':
        return this.#hold(node, 'slow disk', (isSlow) => {
          node.disk.isSlow = isSlow
        })
      case 'stalledSync':
        return this.#hold(node, 'stalled', (isStalled) => {
          node.disk.isStalled = isStalled
        })
      case 'fullDisk':
        return this.#fillDisk(node)
      case 'corruptedRecord':
        return this.#ruin(node, () => node.disk.corruptRecord(new Random(fault.pick)))
      case 'move':
        return this.#move(node, fault.isLogged)
      case 'downgrade':
        return this.#downgrade(node)
      case 'lostDirectory':
        return this.#ruin(node, () => node.loseDirectory())
      case 'olderCopy':
        return this.#putBackLater(node)
      case 'clockSkew':
        node.wallOffsetMs += fault.byMs
        return () => {
          node.wallOffsetMs -= fault.byMs
        }
      case 'clockJump':
        node.wallOffsetMs += fault.byMs
        return noUndo
      case 'clockDrift':
        return this.#drift(node, fault)
    }
  }

  /** Takes a node down, now or soon, until every fault that did so lets it start. */
  takeDown(node: SimulatedNode, how: () => void): Undo {
    if (this.#settings.survival.hasImpostor) return noUndo
    this.#holds.take(`down ${node.id}`)
    how()
    return () => {
      if (!this.#holds.release(`down ${node.id}`)) return
      node.spare()
      node.start()
    }
  }

  /** Moves a node to other addresses. Never before the cluster is formed: the members' addresses are part of that. */
  #move(node: SimulatedNode, isLogged: boolean): Undo | undefined {
    if (node.disk.contents.genesis === undefined) return undefined
    return this.takeDown(node, () => {
      node.move()
      if (isLogged) this.#settings.operator.request({ kind: 'updateMember', nodeId: node.id })
    })
  }

  #downgrade(node: SimulatedNode): Undo | undefined {
    if (!node.isUp || node.software.running === 'current' || this.#settings.survival.hasImpostor) return undefined
    node.software.installed = 'current'
    node.crash()
    node.start()
    return () => {
      node.software.installed = 'next'
      if (this.#holds.has(`down ${node.id}`) || this.#settings.survival.hasImpostor) return
      // If the level allowed it to go back, it has run all the while.
      if (node.software.running === 'current') node.crash()
      node.start()
    }
  }

  #pause(node: SimulatedNode, clockStops: boolean): Undo | undefined {
    if (!node.isUp || node.isPaused) return undefined
    node.pause({ clockStops })
    return () => node.wake()
  }

  /** Ends the slowness of all nodes. */
  endSlowness(): void {
    for (const node of this.#settings.nodes) {
      if (!this.#holds.has(`slow ${node.id}`)) continue
      this.#holds.clear(`slow ${node.id}`)
      this.#setSlow(node, false)
    }
  }

  #slowDown(node: SimulatedNode): Undo {
    const speedUpDisk = this.#hold(node, 'slow disk', (isSlow) => {
      node.disk.isSlow = isSlow
    })
    const speedUpLinks = this.#hold(node, 'slow', (isSlow) => this.#setSlow(node, isSlow))
    return () => {
      speedUpDisk()
      speedUpLinks()
    }
  }

  #setSlow(node: SimulatedNode, isSlow: boolean): void {
    node.isSlow = isSlow
    for (const other of this.#settings.nodes) {
      if (other === node) continue
      const quality = this.#qualityBetween(node, other)
      this.#settings.network.setQuality(node.id, other.id, quality)
      this.#settings.network.setQuality(other.id, node.id, quality)
    }
  }

  #qualityBetween(a: SimulatedNode, b: SimulatedNode): LinkQuality {
    const { link } = this.#settings
    if (!this.#holds.has(`slow ${a.id}`) && !this.#holds.has(`slow ${b.id}`)) return link
    return {
      ...link,
      delayMsMin: link.delayMsMin + SLOWNESS.delayMsMin,
      delayMsMean: link.delayMsMean + SLOWNESS.delayMsMean,
    }
  }

  /** Fills a disk. The node stops by itself, and can start when there is space again. */
  #fillDisk(node: SimulatedNode): Undo {
    if (this.#settings.survival.hasImpostor) return noUndo
    const bringBack = this.takeDown(node, noUndo)
    const empty = this.#hold(node, 'full', (isFull) => {
      node.disk.isFull = isFull
    })
    return () => {
      empty()
      bringBack()
    }
  }

  /** Damages a disk. Never more than a minority: no consensus survives that. */
  #ruin(node: SimulatedNode, how: () => void): Undo | undefined {
    if (!this.#canLose(node)) return undefined
    this.#settings.survival.onRuined(node.id)
    how()
    // At the latest at its next start the node notices the damage.
    return () => this.#startAgain(node)
  }

  #canLose(node: SimulatedNode): boolean {
    const { nodes, survival } = this.#settings
    if (!node.isCommissioned || survival.isGone(node) || survival.hasImpostor) return false
    // The directory of a node that is not a member yet holds nothing that could be missed, and the cluster is formed only with
    // all of its members.
    const isForming = nodes.some((n) => !n.isSpare && !survival.isGone(n) && n.disk.contents.genesis === undefined)
    return !isForming && survival.survives(node.id)
  }

  #startAgain(node: SimulatedNode): void {
    node.crash()
    if (!this.#holds.has(`down ${node.id}`)) node.start()
  }

  /**
   * Puts an older copy of the directory back later, as an operator might restore a backup. Only if the node will find out: in
   * every set of peers that it could form a majority with, at least one must remember that it had got further. To keep it so, no
   * node is crashed until it has found out.
   */
  #putBackLater(node: SimulatedNode): Undo | undefined {
    const { survival, operator, checker } = this.#settings
    if (!node.isCommissioned || !survival.isVoter(node.id) || survival.isGone(node)) return undefined
    const copy = node.disk.copy()
    const { epoch } = checker.memberships.latest
    return () => {
      // The node asks the members that its own copy names.
      if (!operator.isIdle || checker.memberships.latest.epoch !== epoch) return
      if (!this.#canLose(node) || !this.#isRemembered(node, copy.lastWrite)) return
      if (this.#settings.nodes.some((other) => other !== node && isAboutToStop(other))) return
      if (copy.dataDirId !== node.disk.dataDirId) return
      // The others may remember its progress in memory only.
      for (const other of this.#settings.nodes) other.spare()
      node.putBack(copy)
      this.#startAgain(node)
    }
  }

  #isRemembered({ id, disk: { dataDirId } }: SimulatedNode, writeNumber: number): boolean {
    const { nodes, survival } = this.#settings
    return survival.voterLists.every((list) => {
      const others = list.filter((other) => other !== id)
      const forgetful = others.filter((other) => (nodes[other - 1]?.markOf(dataDirId) ?? 0) <= writeNumber)
      // With the forgetful ones alone the node has no majority: it must ask one more.
      return !isMajority(forgetful.length + 1, list.length)
    })
  }

  #drift(node: SimulatedNode, { perSecondMs, forMs }: { readonly perSecondMs: number; readonly forMs: number }): Undo {
    for (let atMs = DRIFT_STEP_MS; atMs <= forMs; atMs += DRIFT_STEP_MS) {
      this.#settings.later(atMs, () => {
        node.wallOffsetMs += (perSecondMs * DRIFT_STEP_MS) / 1_000
      })
    }
    return noUndo
  }

  /** Applies an effect to a node with the first hold, and removes it with the last. */
  #hold(node: SimulatedNode, what: string, set: (isOn: boolean) => void): Undo {
    if (this.#holds.take(`${what} ${node.id}`)) set(true)
    return () => {
      if (this.#holds.release(`${what} ${node.id}`)) set(false)
    }
  }
}

function noUndo(): void {}

/** Returns true if the node is about to stop because of its disk. */
function isAboutToStop({ disk }: SimulatedNode): boolean {
  return disk.isFull || disk.isFailing
}
