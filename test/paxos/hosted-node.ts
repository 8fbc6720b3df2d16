import assert from 'node:assert/strict'
import { formatBallot } from '../../src/paxos/ballot.js'
import { brokenInvariants, brokenTransitions, viewOf } from '../../src/paxos/invariants.js'
import type { CoreMessage as Message } from '../../src/paxos/messages.js'
import { Node, type NodeSettings, type Phase } from '../../src/paxos/node.js'
import type { CheckpointRequest, Halt, ReadIndexGrant, Ready } from '../../src/paxos/outbox.js'
import type { Genesis, LogEntry, NodeId } from '../../src/paxos/types.js'
import { describeRecord } from './describe.js'
import { type Checkpoint, Disk } from './disk.js'

const STEPS_MAX = 100_000

const PHASE_VERBS: Record<Phase, string> = {
  joining: 'joins',
  following: 'follows',
  polling: 'asks around',
  scouting: 'scouts',
  leading: 'leads',
}

/** Where a node's doings show. */
export interface Surroundings {
  readonly send: (to: NodeId, message: Message) => void
  readonly onDecided: (entry: LogEntry) => void
  readonly onRead: (grant: ReadIndexGrant) => void
  readonly onCheckpointWanted: (request: CheckpointRequest) => void
  /** The nodes that a joining node asks: every other machine. */
  readonly everybody: () => FixedSettings['members']
  readonly onVote: (dataDirId: string, vote: LogEntry) => void
  /** Adds a line to the transcript. */
  readonly note: (event: string) => void
}

/** The settings that are the same at every start of a node. */
export type FixedSettings = Pick<NodeSettings, 'members' | 'options' | 'random'>

/**
 * A Node with its disk and its clocks: carries out what the core wants done, one write at a time, and checks the core's invariants
 * after each step. A crash leaves exactly what was synced.
 */
export class HostedNode {
  readonly nodeId: NodeId
  nowMs = 0
  wallMs = 1
  /** Writes end only with `sync` or `syncOnce`. */
  syncsByHand = false
  readonly #settings: FixedSettings
  readonly #joins: boolean
  #replacesDataDirId = ''
  readonly refusals: string[] = []
  readonly #surroundings: Surroundings
  #disk: Disk
  #dataDirId: string
  #node: Node | undefined
  #writing: Ready | undefined
  #phase: Phase = 'joining'
  #halt: Halt | undefined

  constructor(nodeId: NodeId, genesis: Genesis | undefined, settings: FixedSettings, surroundings: Surroundings, joins = false) {
    this.#joins = joins
    this.nodeId = nodeId
    this.#settings = settings
    this.#surroundings = surroundings
    this.#disk = new Disk(genesis)
    this.#dataDirId = `dir-${nodeId}`
  }

  /** Absent while it is down. */
  get node(): Node | undefined {
    return this.#node
  }

  get dataDirId(): string {
    return this.#dataDirId
  }

  get halt(): Halt | undefined {
    return this.#halt
  }

  boot(): void {
    this.#node = new Node({
      ...this.#settings,
      self: this.nodeId,
      members: this.#joins || this.#replacesDataDirId !== '' ? this.#surroundings.everybody() : this.#settings.members,
      dataDirId: this.#dataDirId,
      newClusterId: `cluster-of-${this.#dataDirId}`,
      initialCommands: [],
      initialDigest: '',
      joinIntervalMs: 100,
      replacesDataDirId: this.#replacesDataDirId,
      capacityBytes: 0,
      levelMax: 1,
      version: '',
      joins: this.#joins,
      recovered: this.#disk.recover(),
      memberships: this.#disk.memberships(),
      logTimeMs: this.#disk.logTimeMs,
      nowMs: this.nowMs,
    })
    this.#phase = this.#node.phase
    this.step(() => undefined)
  }

  crash(): void {
    this.#node = undefined
    this.#writing = undefined
  }

  /** The directory is lost; what starts next has a new one. */
  loseDirectory(): void {
    this.#disk = new Disk()
    this.#dataDirId = `new-dir-${this.nodeId}`
  }

  /** The directory is damaged: the node makes a new one, in the place of the old. */
  replaceDirectory(): void {
    this.#replacesDataDirId = this.#dataDirId
    this.#disk = new Disk()
    this.#dataDirId = `${this.#dataDirId}'`
  }

  /** Forgets the decided slots of its log. */
  compact(): void {
    const upTo = this.#disk.compact()
    if (this.#node !== undefined) this.#node.compactedUpTo = upTo
  }

  /** A checkpoint of this node's state. */
  get checkpoint(): Checkpoint {
    return { slot: this.#disk.decidedUpTo, timeMs: this.#disk.logTimeMs, memberships: this.#disk.memberships() }
  }

  /** A peer's checkpoint takes the place of the log. */
  install(checkpoint: Checkpoint): void {
    this.step((node) => {
      if (checkpoint.slot <= node.decidedUpTo) return
      this.#disk.install(checkpoint)
      node.onCheckpointInstalled(checkpoint)
      this.#surroundings.note(`n${this.nodeId} installs a checkpoint of slot ${checkpoint.slot}`)
    })
  }

  /** Gives the node an input, and does what it wants done then. Nothing while it is down. */
  step(input: (node: Node) => void): void {
    const node = this.#node
    if (node === undefined) return
    const before = viewOf(node)
    input(node)
    this.#drain(node)
    const now = viewOf(node)
    assert.deepEqual([...brokenInvariants(now), ...brokenTransitions(before, now)], [], `n${this.nodeId}`)
  }

  /** The write in flight ends, and the next begins, until there is none. */
  sync(): void {
    while (this.#writing !== undefined) this.syncOnce()
  }

  /** The write in flight ends; the next, if any, begins. */
  syncOnce(): void {
    assert.ok(this.#writing, `n${this.nodeId} has no write in flight`)
    assert.ok(this.#node, `n${this.nodeId} is down`)
    this.#endWrite(this.#node, this.#writing)
    this.#drain(this.#node)
  }

  #drain(node: Node): void {
    for (let i = 0; ; i++) {
      assert.ok(i < STEPS_MAX, 'a node has always more to do')
      const ready = node.ready({ diskIdle: this.#writing === undefined, wallMs: this.wallMs })
      this.#notePhase(node)
      this.#carryOut(ready)
      if (ready.records.length + ready.onceDurable.length === 0) return
      this.#writing = ready
      if (this.syncsByHand) return
      this.#endWrite(node, ready)
    }
  }

  #endWrite(node: Node, ready: Ready): void {
    const { send, note, onVote } = this.#surroundings
    this.#writing = undefined
    this.#disk.sync(ready.records)
    for (const record of ready.records) if (record.kind === 'accepted') onVote(this.#dataDirId, record.entry)
    if (ready.records.length > 0) note(`n${this.nodeId} syncs ${ready.records.map(describeRecord).join(', ')}`)
    for (const { to, message } of ready.onceDurable) if (to !== this.nodeId) send(to, message)
    node.onDurable(ready)
    this.#notePhase(node)
  }

  #carryOut(ready: Ready): void {
    const { send, onDecided, onRead, onCheckpointWanted } = this.#surroundings
    this.#halt ??= ready.halt
    for (const { to, message } of ready.messages) send(to, message)
    for (const entry of ready.decided) onDecided(entry)
    for (const grant of ready.readIndexes) onRead(grant)
    for (const { reason } of ready.refusals) this.refusals.push(reason)
    if (ready.checkpointWanted !== undefined) onCheckpointWanted(ready.checkpointWanted)
    for (const { to, fromSlot, toSlot } of ready.logRequests) {
      send(to, {
        kind: 'catchUpReply',
        entries: this.#disk.readLog(fromSlot, toSlot),
        decidedUpTo: toSlot,
        compactedUpTo: this.#disk.compactedUpTo,
        hasMore: false,
      })
    }
  }

  #notePhase(node: Node): void {
    if (node.phase === this.#phase) return
    this.#phase = node.phase
    const ballot = node.phase === 'leading' ? ` ${formatBallot(node.leadingBallot)}` : ''
    this.#surroundings.note(`n${this.nodeId} ${PHASE_VERBS[node.phase]}${ballot}`)
  }
}
