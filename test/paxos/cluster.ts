import assert from 'node:assert/strict'
import { formatBallot } from '../../src/paxos/ballot.js'
import { brokenInvariants, brokenTransitions, viewOf } from '../../src/paxos/invariants.js'
import type { Message } from '../../src/paxos/messages.js'
import { Node, type Phase, type ProposeOutcome } from '../../src/paxos/node.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../../src/paxos/options.js'
import type { Halt, Ready } from '../../src/paxos/outbox.js'
import type { Genesis, NodeId, Slot, Value } from '../../src/paxos/types.js'
import { sameValue } from '../../src/paxos/value.js'
import { bytes, describeMessage, describeRecord, describeValue } from './describe.js'
import { Disk } from './disk.js'
import { type InTransit, type Match, MessagePool } from './message-pool.js'

interface ClusterSettings {
  readonly nodeIds: readonly NodeId[]
  readonly options?: Partial<CoreOptions>
  /** Without: the nodes share a genesis already. */
  readonly unformed?: boolean
}

interface Host {
  readonly nodeId: NodeId
  disk: Disk
  dataDirId: string
  /** Absent while it is down. */
  node: Node | undefined
  nowMs: number
  wallMs: number
  /** The write in flight, when syncs are by hand. */
  writing: Ready | undefined
  phase: Phase
  halt: Halt | undefined
}

const TICK_MS = 10
const STEPS_MAX = 100_000

/**
 * A few Nodes driven by hand: every message lies in a pool until a test delivers, drops or duplicates it, every node has its own clock,
 * and a crash leaves exactly what was synced. After each step the invariants of the core, agreement on every slot and the
 * linearizability of every granted read are checked.
 */
export class Cluster {
  /** One line per event. */
  readonly transcript: string[] = []
  /** Tokens of granted reads, with their slots. */
  readonly grants = new Map<number, Slot>()
  readonly #hosts = new Map<NodeId, Host>()
  readonly #options: CoreOptions
  readonly #decided = new Map<Slot, Value>()
  /** What a read must see: every slot that anybody had decided when it was asked. */
  readonly #readFloors = new Map<number, Slot>()
  readonly #pool = new MessagePool()
  readonly #paused = new Set<NodeId>()
  readonly #manualSync = new Set<NodeId>()
  #chance = 1
  #lastToken = 0

  constructor(settings: ClusterSettings) {
    this.#options = { ...DEFAULT_OPTIONS, ...settings.options }
    for (const nodeId of settings.nodeIds) {
      const genesis = settings.unformed === true ? undefined : genesisOf(settings.nodeIds)
      this.#hosts.set(nodeId, {
        nodeId,
        disk: new Disk(genesis),
        dataDirId: `dir-${nodeId}`,
        node: undefined,
        nowMs: 0,
        wallMs: 0,
        writing: undefined,
        phase: 'joining',
        halt: undefined,
      })
    }
    for (const nodeId of settings.nodeIds) this.#boot(nodeId)
  }

  // --- looking ----------------------------------------------------------------------------------------------------------------------

  get nodeIds(): NodeId[] {
    return [...this.#hosts.keys()]
  }

  node(nodeId: NodeId): Node {
    const { node } = this.#host(nodeId)
    assert.ok(node, `n${nodeId} is down`)
    return node
  }

  haltOf(nodeId: NodeId): Halt | undefined {
    return this.#host(nodeId).halt
  }

  /** The nodes that say they lead. */
  get leaders(): NodeId[] {
    return this.nodeIds.filter((nodeId) => this.#host(nodeId).node?.phase === 'leading')
  }

  /** What is on its way. */
  get inTransit(): readonly InTransit[] {
    return this.#pool.sent
  }

  /** The decided values from slot 1 on, as text. */
  get log(): string[] {
    return [...this.#decided.entries()].toSorted(([a], [b]) => a - b).map(([, value]) => describeValue(value))
  }

  /** The time that each decided value carries. */
  get times(): (number | undefined)[] {
    const values = [...this.#decided.entries()].toSorted(([a], [b]) => a - b).map(([, value]) => value)
    return values.map((value) => (value.kind === 'batch' ? value.timeMs : undefined))
  }

  // --- inputs -----------------------------------------------------------------------------------------------------------------------

  propose(nodeId: NodeId, ...commands: string[]): ProposeOutcome {
    return this.#propose(nodeId, commands, { isRetry: false })
  }

  /** What the client has proposed here before, without an answer. */
  proposeAgain(nodeId: NodeId, ...commands: string[]): ProposeOutcome {
    return this.#propose(nodeId, commands, { isRetry: true })
  }

  #propose(nodeId: NodeId, commands: readonly string[], options: { isRetry: boolean }): ProposeOutcome {
    let outcome: ProposeOutcome = 'noLeader'
    this.#note(`client -> n${nodeId} ${commands.join('+')}${options.isRetry ? ' again' : ''}`)
    this.#step(nodeId, (node) => {
      outcome = node.propose(commands.map(bytes), options)
    })
    return outcome
  }

  /** Gives the read's token: look for it in `grants`. */
  read(nodeId: NodeId): number {
    const token = ++this.#lastToken
    this.#readFloors.set(token, Math.max(0, ...this.#decided.keys()))
    this.#note(`client -> n${nodeId} read ${token}`)
    this.#step(nodeId, (node) => node.read(token))
    return token
  }

  handOver(nodeId: NodeId): boolean {
    let isAsked = false
    this.#step(nodeId, (node) => {
      isAsked = node.handOver()
    })
    return isAsked
  }

  /** One node's clock goes on, in one leap. */
  tick(nodeId: NodeId, ms: number = TICK_MS): void {
    const host = this.#host(nodeId)
    host.nowMs += ms
    host.wallMs += ms
    this.#step(nodeId, (node) => node.tick(host.nowMs))
  }

  setWallClock(nodeId: NodeId, wallMs: number): void {
    this.#host(nodeId).wallMs = wallMs
  }

  // --- the network ------------------------------------------------------------------------------------------------------------------

  /** Delivers the first message that matches; false when there is none. */
  deliver(match: Match = {}): boolean {
    const sent = this.#pool.takeFirst(match, ({ to }) => this.#isUp(to))
    if (sent === undefined) return false
    this.#note(`n${sent.from} -> n${sent.to} ${describeMessage(sent.message)}`)
    this.#step(sent.to, (node) => node.receive(sent.from, sent.message))
    return true
  }

  /** Delivers what matches until nothing more does; gives how many that were. */
  settle(match: Match = {}): number {
    let count = 0
    while (this.deliver(match)) {
      count++
      assert.ok(count < STEPS_MAX, 'messages breed messages without end')
    }
    return count
  }

  /** A message that a test makes up, or that is very late. */
  inject(from: NodeId, to: NodeId, message: Message): void {
    this.#pool.putBack([{ from, to, message }])
  }

  drop(match: Match = {}): number {
    const lost = this.#pool.take(match)
    for (const { from, to, message } of lost) this.#note(`n${from} -x n${to} ${describeMessage(message)}`)
    return lost.length
  }

  /** What matches arrives once more, later. */
  duplicate(match: Match = {}): void {
    this.#pool.duplicate(match)
  }

  /** Takes what matches out of the network; the function that it gives puts it back, however much later. */
  hold(match: Match = {}): () => void {
    const held = this.#pool.take(match)
    return () => this.#pool.putBack(held)
  }

  turnRound(): void {
    this.#pool.turnRound()
  }

  /** From now on nothing that `from` sends reaches `to`. */
  cut(from: NodeId, to: NodeId): void {
    this.#pool.cut(from, to)
  }

  /** Leaves only these links, both ways. */
  connectOnly(...pairs: readonly (readonly [NodeId, NodeId])[]): void {
    this.heal()
    for (const a of this.nodeIds) {
      for (const b of this.nodeIds) {
        if (a !== b && !pairs.some(([x, y]) => (a === x && b === y) || (a === y && b === x))) this.cut(a, b)
      }
    }
  }

  heal(): void {
    this.#pool.heal()
  }

  // --- nodes and disks --------------------------------------------------------------------------------------------------------------

  crash(nodeId: NodeId): void {
    const host = this.#host(nodeId)
    host.node = undefined
    host.writing = undefined
    this.#note(`n${nodeId} crashes`)
  }

  restart(nodeId: NodeId): void {
    this.#note(`n${nodeId} restarts`)
    this.#boot(nodeId)
  }

  /** The directory is lost; what starts next has a new one. */
  loseDirectory(nodeId: NodeId): void {
    const host = this.#host(nodeId)
    host.disk = new Disk()
    host.dataDirId = `new-dir-${nodeId}`
  }

  /** Stands still until resumed: its messages wait for it. */
  pause(nodeId: NodeId): void {
    this.#paused.add(nodeId)
  }

  resume(nodeId: NodeId): void {
    this.#paused.delete(nodeId)
  }

  /** From now on this node's writes end only with `sync`. */
  syncByHand(nodeId: NodeId): void {
    this.#manualSync.add(nodeId)
  }

  /** The write in flight ends, and the next begins, until there is none. */
  sync(nodeId: NodeId): void {
    const host = this.#host(nodeId)
    while (host.writing !== undefined) this.#finishWrite(host)
  }

  /** The write in flight ends; the next, if any, begins. */
  syncOnce(nodeId: NodeId): void {
    const host = this.#host(nodeId)
    assert.ok(host.writing, `n${nodeId} has no write in flight`)
    this.#finishWrite(host)
  }

  /** Syncs by themselves again. */
  syncAlone(nodeId: NodeId): void {
    this.#manualSync.delete(nodeId)
    this.sync(nodeId)
  }

  // --- time -------------------------------------------------------------------------------------------------------------------------

  /** Everybody's clock goes on in small steps, and every message on an intact link arrives at once. */
  run(ms: number): void {
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += TICK_MS) {
      this.#tickAll()
      this.settle()
    }
  }

  /** As `run`, but every message takes up to `latencyMs`. */
  runSlowly(ms: number, latencyMs: number): void {
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += TICK_MS) {
      this.#tickAll()
      if (elapsedMs % latencyMs !== 0) continue
      const present = new Set(this.#pool.sent.map(({ message }) => message))
      this.settle({ where: (message) => present.has(message) })
    }
  }

  /** @throws when it does not come true in time. */
  runUntil(what: string, condition: () => boolean, msMax = 10_000): void {
    for (let elapsedMs = 0; elapsedMs < msMax && !condition(); elapsedMs += TICK_MS) this.run(TICK_MS)
    assert.ok(condition(), `${what} within ${msMax} ms`)
  }

  /** Nobody hears a leader any more, this node asks around, and everything is delivered until it leads. */
  elect(nodeId: NodeId): void {
    const patienceMs = this.#options.electionTimeoutMsMin - this.#options.heartbeatIntervalMs
    for (const other of this.nodeIds) {
      if (other !== nodeId && this.#isUp(other) && this.node(other).phase === 'following') this.tick(other, patienceMs)
    }
    this.tick(nodeId, this.#options.electionTimeoutMsMax + 1)
    this.settle()
    assert.equal(this.node(nodeId).phase, 'leading')
  }

  // --- inside -----------------------------------------------------------------------------------------------------------------------

  #host(nodeId: NodeId): Host {
    const host = this.#hosts.get(nodeId)
    assert.ok(host, `there is no n${nodeId}`)
    return host
  }

  #tickAll(): void {
    for (const nodeId of this.nodeIds) if (this.#isUp(nodeId)) this.tick(nodeId)
  }

  #isUp(nodeId: NodeId): boolean {
    return this.#host(nodeId).node !== undefined && !this.#paused.has(nodeId)
  }

  #boot(nodeId: NodeId): void {
    const host = this.#host(nodeId)
    host.node = new Node({
      self: nodeId,
      dataDirId: host.dataDirId,
      members: genesisOf(this.nodeIds).members,
      newClusterId: `cluster-of-${host.dataDirId}`,
      initialCommands: [],
      joinIntervalMs: 100,
      recovered: host.disk.recover(),
      options: this.#options,
      random: () => this.#random(),
      nowMs: host.nowMs,
    })
    host.phase = host.node.phase
    this.#step(nodeId, () => undefined)
  }

  /** Lehmer's generator: the same in every run. */
  #random(): number {
    this.#chance = (this.#chance * 48_271) % 2_147_483_647
    return this.#chance / 2_147_483_647
  }

  #step(nodeId: NodeId, input: (node: Node) => void): void {
    const host = this.#host(nodeId)
    const { node } = host
    if (node === undefined) return
    const before = viewOf(node)
    input(node)
    this.#drain(host, node)
    const now = viewOf(node)
    assert.deepEqual([...brokenInvariants(now), ...brokenTransitions(before, now)], [], `n${nodeId}`)
  }

  #drain(host: Host, node: Node): void {
    for (let i = 0; ; i++) {
      assert.ok(i < STEPS_MAX, 'a node has always more to do')
      const ready = node.ready({ diskIdle: host.writing === undefined, wallMs: host.wallMs })
      this.#notePhase(host, node)
      this.#carryOut(host, ready)
      if (ready.records.length + ready.onceDurable.length === 0) return
      host.writing = ready
      if (this.#manualSync.has(host.nodeId)) return
      this.#endWrite(host, node)
    }
  }

  #finishWrite(host: Host): void {
    const { node } = host
    assert.ok(node, `n${host.nodeId} is down`)
    this.#endWrite(host, node)
    this.#drain(host, node)
  }

  #endWrite(host: Host, node: Node): void {
    const ready = host.writing
    host.writing = undefined
    if (ready === undefined) return
    host.disk.sync(ready.records)
    if (ready.records.length > 0) this.#note(`n${host.nodeId} syncs ${ready.records.map(describeRecord).join(', ')}`)
    for (const { to, message } of ready.onceDurable) if (to !== host.nodeId) this.#pool.send(host.nodeId, to, message)
    node.onDurable(ready)
    this.#notePhase(host, node)
  }

  #carryOut(host: Host, ready: Ready): void {
    host.halt ??= ready.halt
    for (const { to, message } of ready.messages) this.#pool.send(host.nodeId, to, message)
    for (const { slot, value } of ready.decided) {
      const known = this.#decided.get(slot)
      assert.ok(known === undefined || sameValue(known, value), `slot ${slot} is decided once`)
      this.#decided.set(slot, value)
      this.#note(`n${host.nodeId} decides ${slot}=${describeValue(value)}`)
    }
    for (const { token, slot } of ready.reads) {
      assert.ok(slot >= (this.#readFloors.get(token) ?? 0), `read ${token} misses what was decided before it was asked`)
      this.grants.set(token, slot)
      this.#note(`n${host.nodeId} answers read ${token} as of slot ${slot}`)
    }
    for (const { to, fromSlot, toSlot } of ready.logRequests) {
      const entries = host.disk.readLog(fromSlot, toSlot)
      this.#pool.send(host.nodeId, to, { kind: 'catchUpReply', entries, decidedUpTo: toSlot })
    }
  }

  #notePhase(host: Host, node: Node): void {
    if (node.phase === host.phase) return
    host.phase = node.phase
    const ballot = node.phase === 'leading' ? ` ${formatBallot(node.leadingBallot)}` : ''
    const verbs: Record<Phase, string> = {
      joining: 'joins',
      following: 'follows',
      polling: 'asks around',
      scouting: 'scouts',
      leading: 'leads',
    }
    this.#note(`n${host.nodeId} ${verbs[node.phase]}${ballot}`)
  }

  #note(line: string): void {
    this.transcript.push(line)
  }
}

/** How a cluster of these nodes was formed. */
export function genesisOf(nodeIds: readonly NodeId[]): Genesis {
  return {
    clusterId: 'cluster',
    members: nodeIds.map((nodeId) => ({
      nodeId,
      dataDirId: `dir-${nodeId}`,
      peerAddress: `peer-${nodeId}:1`,
      clientAddress: `client-${nodeId}:1`,
    })),
    initialCommands: [],
  }
}
