import type { NodeId } from '../paxos/types.js'
import type { FaultTotals } from './faults.js'
import type { Network } from './network.js'
import type { NemesisKind, NemesisPlan } from './plan.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { SimulatedNode } from './simulated-node.js'

interface Settings {
  readonly plan: NemesisPlan
  readonly nodes: readonly SimulatedNode[]
  readonly network: Network
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly note: (text: string) => void
}

const DOWN_MS_MEAN = 400
const PAUSE_MS_MEAN = 700
const PARTITION_MS_MEAN = 900
const SLOW_MS_MEAN = 500
const CLOCK_JUMP_MS_MAX = 10_000
/** A crash in the middle of what a node does comes within so many steps. */
const STEPS_TO_CRASH_MAX = 30

/** What goes wrong during phase one: strikes at random times, and undoes what it did a while later. */
export class Nemesis {
  readonly #settings: Settings
  #isActive = true

  constructor(settings: Settings) {
    this.#settings = settings
    for (const [kind, meanMs] of Object.entries(settings.plan)) this.#strikeAgain(kind as NemesisKind, meanMs)
  }

  /** Strikes no more. What is broken stays broken. */
  stop(): void {
    this.#isActive = false
  }

  #strikeAgain(kind: NemesisKind, meanMs: number): void {
    const { random, scheduler } = this.#settings
    scheduler.after(random.exponential(meanMs), () => {
      if (!this.#isActive) return
      this.#strike(kind)
      this.#strikeAgain(kind, meanMs)
    })
  }

  #strike(kind: NemesisKind): void {
    const { random, nodes } = this.#settings
    switch (kind) {
      case 'crash':
        return this.#crash(this.#pickVictim())
      case 'crashOfAll':
        this.#settings.totals.count('crashOfAll')
        for (const node of nodes) this.#crash(node)
        return
      case 'symmetricPartition':
      case 'oneWayPartition':
      case 'partialPartition':
        return this.#partition(kind)
      case 'leaderIsolation':
        return this.#isolateLeader()
      case 'pause': {
        const node = this.#pickVictim()
        node.pause({ clockStops: random.chance(0.5) })
        return this.#later(PAUSE_MS_MEAN, () => node.wake())
      }
      case 'clockJump':
        this.#settings.totals.count('clockJump')
        random.pick(nodes).wallOffsetMs = random.int(-CLOCK_JUMP_MS_MAX, CLOCK_JUMP_MS_MAX)
        return
      case 'slowDisk': {
        const { disk } = this.#pickVictim()
        disk.isSlow = true
        return this.#later(SLOW_MS_MEAN, () => {
          disk.isSlow = false
        })
      }
      case 'lostDirectory':
        return this.#loseDirectory()
      case 'handOver':
        for (const node of nodes.filter((n) => n.isLeading)) {
          this.#settings.totals.count('handOver')
          node.handOver()
        }
    }
  }

  #crash(node: SimulatedNode): void {
    const { random } = this.#settings
    switch (random.int(0, 2)) {
      case 0:
        node.crash()
        break
      case 1:
        node.crashAfterSteps(random.int(1, STEPS_TO_CRASH_MAX))
        break
      default:
        node.crashInWrite()
    }
    this.#later(DOWN_MS_MEAN, () => node.start())
  }

  #partition(kind: 'symmetricPartition' | 'oneWayPartition' | 'partialPartition'): void {
    const { random, network, nodes, totals, note } = this.#settings
    totals.count(kind)
    note(kind)
    const ids = random.shuffle(nodes.map((node) => node.id))
    switch (kind) {
      case 'symmetricPartition': {
        const size = random.int(1, ids.length - 1)
        network.partition(ids.slice(0, size), ids.slice(size))
        break
      }
      case 'oneWayPartition': {
        const victim = this.#pickVictim().id
        const isDeaf = random.chance(0.5)
        for (const id of ids) if (id !== victim) network.cut(isDeaf ? id : victim, isDeaf ? victim : id)
        break
      }
      case 'partialPartition':
        this.#cutSomeLinks(ids)
    }
    this.#later(PARTITION_MS_MEAN, () => {
      note('the network is whole again')
      network.mendAll()
    })
  }

  /** One of the OmniPaxos paper's scenarios, or just a few links. */
  #cutSomeLinks(ids: readonly NodeId[]): void {
    const { random, network } = this.#settings
    const [hub] = ids as [NodeId, ...NodeId[]]
    switch (random.int(0, 2)) {
      case 0: // quorum-loss: all are connected to one node only
        return everyPair(ids, (a, b) => a !== hub && b !== hub && network.cutBothWays(a, b))
      case 1: // chained: each hears its two neighbours only
        return everyPair(ids, (a, b) => Math.abs(ids.indexOf(a) - ids.indexOf(b)) > 1 && network.cutBothWays(a, b))
      default:
        return everyPair(ids, (a, b) => random.chance(0.4) && network.cut(a, b))
    }
  }

  /** Leaders that come and go quickly leave many a value in a minority. */
  #isolateLeader(): void {
    const { network, nodes, totals, note } = this.#settings
    const leader = nodes.findLast((node) => node.isLeading && !node.isPaused)
    if (leader === undefined) return
    totals.count('leaderIsolation')
    note(`n${leader.id} is isolated`)
    network.mendAll()
    for (const { id } of nodes) if (id !== leader.id) network.cutBothWays(leader.id, id)
    this.#later(PARTITION_MS_MEAN, () => network.mendAll())
  }

  /** At most a minority: more is a disaster that no consensus survives. */
  #loseDirectory(): void {
    const { nodes, random } = this.#settings
    const lost = nodes.filter((node) => node.haltCode !== undefined || node.hasLostDirectory)
    if (2 * (lost.length + 1) >= nodes.length) return
    const node = random.pick(nodes.filter((n) => !lost.includes(n)))
    // Before it is a member, a directory holds nothing that could be missed.
    if (node.disk.contents.genesis === undefined) return
    node.loseDirectory()
    this.#later(DOWN_MS_MEAN, () => node.start())
  }

  /** The leader is the most rewarding one. */
  #pickVictim(): SimulatedNode {
    const { random, nodes } = this.#settings
    const leaders = nodes.filter((node) => node.isLeading)
    return leaders.length > 0 && random.chance(0.5) ? random.pick(leaders) : random.pick(nodes)
  }

  #later(meanMs: number, undo: () => void): void {
    const { random, scheduler } = this.#settings
    scheduler.after(random.exponential(meanMs), () => {
      if (this.#isActive) undo()
    })
  }
}

function everyPair(ids: readonly NodeId[], visit: (a: NodeId, b: NodeId) => void): void {
  for (const a of ids) for (const b of ids) if (a !== b) visit(a, b)
}
