import type { Checker } from '../checkers/checkers.js'
import type { LinkQuality, Network } from '../cluster/network.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import type { PlannedFault } from '../plan/schedule.js'
import { Random } from '../random.js'
import { Holds } from './fault-holds.js'
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
  /** How good a link is whose nodes are not slow. */
  readonly link: LinkQuality
  /** Runs it after so long, unless the nemesis has stopped by then. */
  readonly later: (delayMs: number, run: () => void) => void
}

const DRIFT_STEP_MS = 20
/** What goes to or comes from a slow node takes so much longer. */
const SLOWNESS = { delayMsMin: 15, delayMsMean: 60 }

/** Strikes one node at a time, and gives back how to undo that. Faults that overlap are undone with the last of them: see Holds. */
export class NodeStriker {
  readonly #settings: Settings
  readonly #holds = new Holds()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Undefined if it is not to be struck, or cannot. */
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

  /** Down, now or soon, until all that took it down let it start. */
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

  /** Not before there is a cluster: the members' addresses are part of how it is formed. */
  #move(node: SimulatedNode, isLogged: boolean): Undo | undefined {
    if (node.disk.contents.genesis === undefined) return undefined
    return this.takeDown(node, () => {
      node.move()
      if (isLogged) this.#settings.operator.request({ kind: 'updateMember', nodeId: node.id })
    })
  }

  #downgrade(node: SimulatedNode): Undo | undefined {
    if (!node.isUp || node.runningVersion === 'current' || this.#settings.survival.hasImpostor) return undefined
    node.version = 'current'
    node.crash()
    node.start()
    return () => {
      node.version = 'next'
      if (this.#holds.has(`down ${node.id}`) || this.#settings.survival.hasImpostor) return
      // Where the level allowed it to go back, it has run all the while.
      if (node.runningVersion === 'current') node.crash()
      node.start()
    }
  }

  #pause(node: SimulatedNode, clockStops: boolean): Undo | undefined {
    if (!node.isUp || node.isPaused) return undefined
    node.pause({ clockStops })
    return () => node.wake()
  }

  /** Whoever is slow is as fast as the others again. */
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

  /** The node stops by itself, and can start when there is space again. */
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

  /** More than a minority would be a disaster, which no consensus survives. */
  #ruin(node: SimulatedNode, how: () => void): Undo | undefined {
    if (!this.#canLose(node)) return undefined
    this.#settings.survival.onRuined(node.id)
    how()
    // At its next start it notices, at the latest.
    return () => this.#startAgain(node)
  }

  #canLose(node: SimulatedNode): boolean {
    const { nodes, survival } = this.#settings
    if (!node.isCommissioned || survival.isGone(node) || survival.hasImpostor) return false
    // Before it is a member, a directory holds nothing that could be missed; and no cluster is formed without each of its members.
    const isForming = nodes.some((n) => !n.isSpare && !survival.isGone(n) && n.disk.contents.genesis === undefined)
    return !isForming && survival.survives(node.id)
  }

  #startAgain(node: SimulatedNode): void {
    node.crash()
    if (!this.#holds.has(`down ${node.id}`)) node.start()
  }

  /**
   * As if somebody had put a backup of the whole directory in its place. Only if it will be told so: if whoever it asks to be a majority
   * with, one of them at least remembers that it had got further. So that it stays so, nobody is struck down until it has been told.
   */
  #putBackLater(node: SimulatedNode): Undo | undefined {
    const { survival, operator, checker } = this.#settings
    if (!node.isCommissioned || !survival.isVoter(node.id) || survival.isGone(node)) return undefined
    const copy = node.disk.copy()
    const { epoch } = checker.memberships.latest
    return () => {
      // Whom it asks, its own copy says.
      if (!operator.isIdle || checker.memberships.latest.epoch !== epoch) return
      if (!this.#canLose(node) || !this.#isRemembered(node, copy.lastWrite)) return
      if (this.#settings.nodes.some((other) => other !== node && isAboutToStop(other))) return
      if (copy.dataDirId !== node.disk.dataDirId) return
      // What the others remember is in their memories, perhaps.
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
      // So many and itself are no majority: it must ask one more.
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

  /** Sets something on a node with the first hold, and takes it back with the last one. */
  #hold(node: SimulatedNode, what: string, set: (isOn: boolean) => void): Undo {
    if (this.#holds.take(`${what} ${node.id}`)) set(true)
    return () => {
      if (this.#holds.release(`${what} ${node.id}`)) set(false)
    }
  }
}

function noUndo(): void {}

/** For what was done to its disk. */
function isAboutToStop({ disk }: SimulatedNode): boolean {
  return disk.isFull || disk.isFailing
}
