import type { Message } from '../paxos/messages.js'
import { Node } from '../paxos/node.js'
import type { NodeId } from '../paxos/types.js'
import { decodeFrame, encodeMessages } from '../wire/peer.js'
import { Application } from './application.js'
import { BrokenPromise, Checker, promise } from './checkers.js'
import { SimulatedClient } from './clients.js'
import { SimulatedDisk } from './disk.js'
import { EventTrace, formatTime } from './event-trace.js'
import { FaultTotals } from './faults.js'
import { History } from './history.js'
import type { Model } from './model.js'
import { Nemesis } from './nemesis.js'
import { GOOD_LINK, Network } from './network.js'
import type { WorldPlan } from './plan.js'
import { Random } from './random.js'
import { Scheduler } from './scheduler.js'
import { SimulatedNode } from './simulated-node.js'
import type { NodeParts } from './simulated-process.js'

export interface WorldSettings {
  readonly seed: number
  readonly plan: WorldPlan
  /** Told of every event, in a line each. */
  readonly print?: (line: string) => void
  /** Parts to put in the place of the real ones. */
  readonly parts?: Partial<NodeParts>
  /** As for Checker. Default: true. */
  readonly looksInside?: boolean
}

const REAL_PARTS: NodeParts = {
  makeNode: (settings) => new Node(settings),
  makeDisk: (dataDirId, settings) => new SimulatedDisk(dataDirId, settings),
  makeApplication: () => new Application(),
}

/** Nodes, their network and disks, clients, and what goes wrong: one seed decides everything. */
export class World {
  readonly plan: WorldPlan
  readonly scheduler = new Scheduler()
  readonly totals = new FaultTotals()
  readonly history = new History()
  readonly checker: Checker
  readonly trace: EventTrace
  readonly network: Network
  readonly nodes: readonly SimulatedNode[]
  readonly clients: readonly SimulatedClient[]
  readonly random: Random
  eventCount = 0

  constructor({ seed, plan, print, parts, looksInside = true }: WorldSettings) {
    this.plan = plan
    this.random = new Random(seed)
    this.checker = new Checker({ looksInside, nodeCount: plan.nodeCount })
    this.trace = new EventTrace(print)
    const nodeIds = Array.from({ length: plan.nodeCount }, (_, i) => i + 1)
    this.network = new Network({
      nodeIds,
      quality: plan.link,
      random: this.random.fork(),
      scheduler: this.scheduler,
      totals: this.totals,
      deliver: (from, to, message) => this.#deliver(from, to, message),
      onLost: (from, to, message) => this.trace.message(this.scheduler.nowUs, from, to, message, 'LOST'),
      carry: plan.encodesMessages ? throughCodec : (message) => message,
    })
    this.nodes = nodeIds.map((id) => this.#makeNode(id, { ...REAL_PARTS, ...parts }))
    this.clients = Array.from({ length: plan.habits.clientCount }, (_, i) => this.#makeClient(`client${i + 1}`))
  }

  get nowMs(): number {
    return this.scheduler.nowMs
  }

  /** @throws RangeError when there is no such node. */
  node(id: NodeId): SimulatedNode {
    const node = this.nodes[id - 1]
    if (node === undefined) throw new RangeError(`there is no node ${id}`)
    return node
  }

  /** Whoever leads in the highest ballot. */
  get leader(): SimulatedNode | undefined {
    const leaders = this.nodes.filter((node) => node.isLeading)
    return leaders.toSorted((a, b) => (b.core?.leadingBallot ?? 0) - (a.core?.leadingBallot ?? 0))[0]
  }

  start(): void {
    for (const node of this.nodes) {
      this.scheduler.after(this.random.between(0, 20), () => node.start())
    }
    for (const client of this.clients) this.scheduler.after(this.random.between(0, 50), () => client.start())
  }

  startNemesis(): Nemesis {
    const { plan, nodes, network, scheduler, totals } = this
    return new Nemesis({ plan, nodes, network, scheduler, totals, note: (text) => this.note(text) })
  }

  /** Lets so much virtual time pass. @throws BrokenPromise */
  run(durationMs: number): void {
    this.runUntil(() => false, durationMs)
  }

  /** Lets time pass until `isDone`, but at most so much. Whether it got there. @throws BrokenPromise */
  runUntil(isDone: () => boolean, durationMsMax: number): boolean {
    const untilMs = this.scheduler.nowMs + durationMsMax
    return this.#guarded(() => {
      while (!isDone()) {
        if (!this.scheduler.step(untilMs)) return isDone()
        this.eventCount++
      }
      return true
    })
  }

  /** The links among these nodes are as good as can be from now on, and each of them runs. @throws BrokenPromise */
  heal(core: readonly SimulatedNode[]): void {
    this.note(`healed: ${core.map((node) => `n${node.id}`).join(' ')}`)
    // Of the others', too: who leads from outside the quorum on a slow disk breaks no promise, and makes everything slow.
    for (const { disk } of this.nodes) disk.isSlow = false
    for (const node of core) {
      for (const other of core) {
        if (other === node) continue
        this.network.mend(node.id, other.id)
        this.network.setQuality(node.id, other.id, GOOD_LINK)
      }
    }
    this.#guarded(() => {
      for (const node of core) {
        node.spare()
        node.wake()
        node.start()
      }
    })
  }

  /** Judges everything that the clients were told, and the state of these nodes. @throws BrokenPromise */
  checkHistory(nodes: readonly SimulatedNode[]): void {
    const model = this.history.check(this.checker.log)
    for (const node of nodes) if (node.appliedUpTo === this.checker.decidedUpTo) checkState(node, model)
  }

  note(text: string): void {
    this.trace.note(this.scheduler.nowUs, text)
  }

  /** Whatever a node stops on is a broken promise: an invariant of its own, or that it changed a message that others hold. */
  #guarded<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      if (error instanceof BrokenPromise || !(error instanceof Error)) throw error
      throw new BrokenPromise(`at ${formatTime(this.scheduler.nowUs).trim()} ${error.message}`, { cause: error })
    }
  }

  #makeNode(id: NodeId, parts: NodeParts): SimulatedNode {
    const { plan, scheduler, totals, checker } = this
    const members = Array.from({ length: plan.nodeCount }, (_, i) => ({
      nodeId: i + 1,
      peerAddress: `node${i + 1}:7200`,
      clientAddress: `node${i + 1}:7100`,
    }))
    return new SimulatedNode({
      id,
      members,
      options: plan.options,
      checkpointEverySlots: plan.checkpointEverySlots,
      turnMsMax: plan.turnMsMax,
      disk: {
        random: this.random.fork(),
        scheduler,
        totals,
        syncMsMean: plan.syncMsMean,
        onWritten: (records) => checker.onWritten(id, records),
      },
      random: this.random.fork(),
      scheduler,
      totals,
      checker,
      send: (from, to, message) => this.#send(from, to, message),
      note: (text) => this.note(text),
      parts,
    })
  }

  #makeClient(name: string): SimulatedClient {
    const { plan, nodes, history, scheduler, totals } = this
    const random = this.random.fork()
    return new SimulatedClient({ name, habits: plan.habits, nodes, history, random, scheduler, totals })
  }

  #send(from: NodeId, to: NodeId, message: Message): void {
    const { core, disk } = this.node(from)
    if (core !== undefined) this.checker.onSent(from, message, { core, disk: disk.contents })
    this.network.send(from, to, message)
  }

  #deliver(from: NodeId, to: NodeId, message: Message): void {
    this.trace.message(this.scheduler.nowUs, from, to, message)
    this.node(to).receive(from, message)
  }
}

function throughCodec(message: Message): Message {
  const [decoded] = decodeFrame(encodeMessages([message])).messages
  promise(decoded !== undefined, () => `the codec lost a ${message.kind}`)
  return decoded
}

function checkState(node: SimulatedNode, model: Model): void {
  for (const key of model.keys) checkQuery(node, model, { kind: 'get', key })
  for (const account of model.accounts) checkQuery(node, model, { kind: 'balance', account })
}

function checkQuery(node: SimulatedNode, model: Model, query: Parameters<Model['query']>[0]): void {
  const found = node.application?.query(query)
  const expected = model.query(query)
  promise(
    found === expected,
    () => `at the end node ${node.id} answers ${JSON.stringify(query)} with ${found}, but by the log it is ${expected}`,
  )
}
