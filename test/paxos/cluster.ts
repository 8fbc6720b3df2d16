import assert from 'node:assert/strict'
import { type CoreOptions, DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import type { CoreMessage as Message } from '../../src/paxos/messages.js'
import type { Node, ProposeOutcome } from '../../src/paxos/node.js'
import type { Halt, ReadIndexGrant } from '../../src/paxos/outbox.js'
import type { Genesis, LogEntry, MembershipChange, NodeId, Slot, Value } from '../../src/paxos/types.js'
import { sameValue } from '../../src/paxos/value.js'
import { bytes, describeMessage, describeValue } from './describe.js'
import { type FixedSettings, HostedNode, type Surroundings } from './hosted-node.js'
import { type InTransit, type Match, MessagePool } from './message-pool.js'

interface ClusterSettings {
  readonly nodeIds: readonly NodeId[]
  readonly options?: Partial<CoreOptions>
  /** If absent, the nodes start with a common genesis. */
  readonly unformed?: boolean
  /** A vote is on the disk of that directory. */
  readonly onVote?: (dataDirId: string, vote: LogEntry) => void
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
  /** The read index of each answered read, by its token. */
  readonly grants = new Map<number, Slot>()
  readonly #hosts = new Map<NodeId, HostedNode>()
  readonly #options: CoreOptions
  readonly #fixed: FixedSettings
  readonly #decided = new Map<Slot, Value>()
  /** The lowest slot that answers each read: the highest that some node had decided when it was requested. */
  readonly #readFloors = new Map<number, Slot>()
  readonly #pool = new MessagePool()
  readonly #paused = new Set<NodeId>()
  readonly #checkpointsWanted: { readonly to: NodeId; readonly from: NodeId }[] = []
  readonly #onVote: (dataDirId: string, vote: LogEntry) => void
  #chance = 1
  #lastToken = 0

  constructor(settings: ClusterSettings) {
    this.#options = { ...DEFAULT_OPTIONS, ...settings.options }
    this.#onVote = settings.onVote ?? (() => undefined)
    const genesis = genesisOf(settings.nodeIds, this.#options.windowSlots)
    const fixed = { members: genesis.members, options: this.#options, random: () => this.#random() }
    this.#fixed = fixed
    for (const nodeId of settings.nodeIds) {
      const known = settings.unformed === true ? undefined : genesis
      this.#hosts.set(nodeId, new HostedNode(nodeId, known, fixed, this.#surroundingsOf(nodeId)))
    }
    for (const host of this.#hosts.values()) host.boot()
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

  /** The messages in flight. */
  get inTransit(): readonly InTransit[] {
    return this.#pool.sent
  }

  /** The decided values from slot 1 on, as text. */
  get log(): string[] {
    return [...this.#decided.entries()].toSorted(([a], [b]) => a - b).map(([, value]) => describeValue(value))
  }

  get decided(): ReadonlyMap<Slot, Value> {
    return this.#decided
  }

  /** The command, by itself or in a batch. */
  isDecided(command: string): boolean {
    return this.log.some((value) => value.split('+').includes(command))
  }

  /** Slots up to here are decided, says the disk. */
  durableUpTo(nodeId: NodeId): Slot {
    return this.#host(nodeId).checkpoint.slot
  }

  dataDirIdOf(nodeId: NodeId): string {
    return this.#host(nodeId).dataDirId
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

  /** Commands that the client has proposed here before, without an answer. */
  proposeAgain(nodeId: NodeId, ...commands: string[]): ProposeOutcome {
    return this.#propose(nodeId, commands, { isRetry: true })
  }

  #propose(nodeId: NodeId, commands: readonly string[], options: { isRetry: boolean }): ProposeOutcome {
    let outcome: ProposeOutcome = 'noLeader'
    this.#note(`client -> n${nodeId} ${commands.join('+')}${options.isRetry ? ' again' : ''}`)
    this.#host(nodeId).step((node) => {
      outcome = node.propose(commands.map(bytes), options)
    })
    return outcome
  }

  /** Gives the read's token: look for it in `grants`. */
  read(nodeId: NodeId): number {
    const token = ++this.#lastToken
    this.#readFloors.set(token, Math.max(0, ...this.#decided.keys()))
    this.#note(`client -> n${nodeId} read ${token}`)
    this.#host(nodeId).step((node) => node.readIndex(token))
    return token
  }

  /** Its host can hold no more until it has applied what is decided. */
  setFull(nodeId: NodeId, isFull: boolean): void {
    this.#host(nodeId).step((node) => {
      node.isFull = isFull
    })
  }

  handOver(nodeId: NodeId): boolean {
    let isAsked = false
    this.#host(nodeId).step((node) => {
      isAsked = node.handOver()
    })
    return isAsked
  }

  /** One node's clock goes on, in one leap. */
  tick(nodeId: NodeId, ms: number = TICK_MS): void {
    const host = this.#host(nodeId)
    host.nowMs += ms
    host.wallMs += ms
    host.step((node) => node.tick(host.nowMs))
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
    this.#host(sent.to).step((node) => node.receive(sent.from, sent.message))
    this.#transfer()
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

  /** Makes matching messages arrive once more, later. */
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

  // --- members ----------------------------------------------------------------------------------------------------------------------

  /** A machine that was no initial member; it waits until it is added. */
  addHost(nodeId: NodeId): void {
    this.#hosts.set(nodeId, new HostedNode(nodeId, undefined, this.#fixed, this.#surroundingsOf(nodeId), true))
    this.restart(nodeId)
  }

  /** Asks a node for a change of the membership; look for a refusal in `refusalsOf`. */
  change(nodeId: NodeId, change: MembershipChange): void {
    this.#note(`operator -> n${nodeId} ${change.kind} n${change.nodeId}`)
    this.#host(nodeId).step((node) => node.changeMembership(1, change))
  }

  refusalsOf(nodeId: NodeId): string[] {
    return this.#host(nodeId).refusals.splice(0)
  }

  /** `1 2 3* 4(5)`: of the latest membership that the node knows; * learns, and in brackets from which slot on it votes, if not the first. */
  membersAt(nodeId: NodeId): string {
    const members = this.node(nodeId).memberships?.latest.members ?? []
    return members.map((m) => `${m.nodeId}${m.votesFrom === 0 ? '*' : m.votesFrom === 1 ? '' : `(${m.votesFrom})`}`).join(' ')
  }

  replaceDirectory(nodeId: NodeId): void {
    this.#note(`n${nodeId} begins anew in another directory`)
    this.#host(nodeId).replaceDirectory()
  }

  /** Forgets the decided slots of its log: who needs them fetches a checkpoint. */
  compact(nodeId: NodeId): void {
    this.#host(nodeId).compact()
  }

  // --- nodes and disks --------------------------------------------------------------------------------------------------------------

  crash(nodeId: NodeId): void {
    this.#host(nodeId).crash()
    this.#note(`n${nodeId} crashes`)
  }

  restart(nodeId: NodeId): void {
    this.#note(`n${nodeId} restarts`)
    this.#host(nodeId).boot()
  }

  /** The directory is lost; what starts next has a new one. */
  loseDirectory(nodeId: NodeId): void {
    this.#host(nodeId).loseDirectory()
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
    this.#host(nodeId).syncsByHand = true
  }

  /** The write in flight ends, and the next begins, until there is none. */
  sync(nodeId: NodeId): void {
    this.#host(nodeId).sync()
  }

  /** The write in flight ends; the next, if any, begins. */
  syncOnce(nodeId: NodeId): void {
    this.#host(nodeId).syncOnce()
  }

  /** Syncs by themselves again. */
  syncAlone(nodeId: NodeId): void {
    this.#host(nodeId).syncsByHand = false
    this.sync(nodeId)
  }

  // --- time -------------------------------------------------------------------------------------------------------------------------

  /** Advances every clock in small steps; messages on intact links arrive at once. */
  run(ms: number): void {
    for (let elapsedMs = 0; elapsedMs < ms; elapsedMs += TICK_MS) {
      this.#tickAll()
      this.settle()
    }
  }

  /** Does the same as `run`, but every message takes up to `latencyMs`. */
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

  /** Lets all nodes lose their leader and this node poll, then delivers all messages until it leads. */
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

  #host(nodeId: NodeId): HostedNode {
    const host = this.#hosts.get(nodeId)
    assert.ok(host, `there is no n${nodeId}`)
    return host
  }

  #tickAll(): void {
    for (const nodeId of this.nodeIds) if (this.#isUp(nodeId)) this.tick(nodeId)
  }

  /** Checkpoints travel at once. */
  #transfer(): void {
    for (const { to, from } of this.#checkpointsWanted.splice(0)) {
      if (this.#isUp(from) && this.#isUp(to)) this.#host(to).install(this.#host(from).checkpoint)
    }
  }

  #isUp(nodeId: NodeId): boolean {
    return this.#host(nodeId).node !== undefined && !this.#paused.has(nodeId)
  }

  /** Lehmer's generator: the same in every run. */
  #random(): number {
    this.#chance = (this.#chance * 48_271) % 2_147_483_647
    return this.#chance / 2_147_483_647
  }

  #surroundingsOf(nodeId: NodeId): Surroundings {
    return {
      send: (to, message) => this.#pool.send(nodeId, to, message),
      onDecided: (entry) => this.#onDecided(nodeId, entry),
      onRead: (grant) => this.#onRead(nodeId, grant),
      onCheckpointWanted: ({ from }) => {
        this.#checkpointsWanted.push({ to: nodeId, from })
      },
      onVote: this.#onVote,
      everybody: () => genesisOf(this.nodeIds).members,
      note: (event) => this.#note(event),
    }
  }

  #onDecided(nodeId: NodeId, { slot, value }: LogEntry): void {
    const known = this.#decided.get(slot)
    assert.ok(known === undefined || sameValue(known, value), `slot ${slot} is decided once`)
    this.#decided.set(slot, value)
    this.#note(`n${nodeId} decides ${slot}=${describeValue(value)}`)
  }

  #onRead(nodeId: NodeId, { token, slot }: ReadIndexGrant): void {
    assert.ok(slot >= (this.#readFloors.get(token) ?? 0), `read ${token} misses what was decided before it was asked`)
    this.grants.set(token, slot)
    this.#note(`n${nodeId} answers read ${token} as of slot ${slot}`)
  }

  #note(line: string): void {
    this.transcript.push(line)
  }
}

/** The genesis of a cluster of these nodes. */
export function genesisOf(nodeIds: readonly NodeId[], windowSlots = DEFAULT_OPTIONS.windowSlots): Genesis {
  return {
    clusterId: 'cluster',
    members: nodeIds.map((nodeId) => ({
      nodeId,
      dataDirId: `dir-${nodeId}`,
      peerAddress: `peer-${nodeId}:1`,
      clientAddress: `client-${nodeId}:1`,
    })),
    initialCommands: [],
    windowSlots,
    quotaBytes: 0,
    level: 1,
    levelVersion: '',
  }
}
