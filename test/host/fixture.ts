import { pino } from 'pino'
import type { Applier } from '../../src/host/apply/applier.js'
import { DEFAULT_TICK_INTERVAL_MS, Host } from '../../src/host/host.js'
import { MembershipCalls } from '../../src/host/membership/membership-calls.js'
import { PeerTalk } from '../../src/host/peers/peer-talk.js'
import { ReadIndexWaiters } from '../../src/host/requests/read-index-waiters.js'
import { Requester } from '../../src/host/requests/requester.js'
import { SessionDesk } from '../../src/host/requests/session-desk.js'
import { REAL_RUNTIME } from '../../src/host/runtime.js'
import { type Replayed, replayLog } from '../../src/host/start/recovery.js'
import { LaggardHolds } from '../../src/host/watches/laggard-holds.js'
import { MajorityWatch } from '../../src/host/watches/majority-watch.js'
import { Watches } from '../../src/host/watches/watches.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../../src/paxos/core-options.js'
import type { Message } from '../../src/paxos/messages.js'
import { Node } from '../../src/paxos/node.js'
import type { DurableRecord, Genesis, LogEntry, NodeId, RecoveredState, Slot, Value } from '../../src/paxos/types.js'
import { encodeOpenSession, encodeSessionCommand } from '../../src/replication/envelope.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import { Sessions } from '../../src/replication/sessions.js'
import type { Restoration, StateEntry, StateMachine } from '../../src/replication/state-machine.js'
import type {
  ApplyFailure,
  CheckpointHeader,
  CheckpointInfo,
  IncomingCheckpoint,
  PreparedCheckpoint,
  Storage,
} from '../../src/storage/storage.js'
import { MemoryDisk, MemoryStorage } from '../storage/memory-storage.js'
import { TOKEN } from '../support/token.js'
import { fakeFinder } from './fake-finder.js'
import { QUIET_READS } from './quiet-reads.js'

const LEADER: NodeId = 2
export const BALLOT = makeBallot(7, LEADER)

/** Where a test may hold the storage up, or let it fail. */
export type Step = 'append' | 'prepare' | 'commit'

/** Storage on a MemoryDisk that writes down what it is asked, waits where a test holds it, and fails where a test says so. */
export class ScriptedStorage implements Storage {
  readonly #inner: MemoryStorage
  readonly #events: string[]
  readonly #held = new Map<Step, (() => void)[]>()
  readonly #failing = new Set<Step>()
  /** Called when a write begins. */
  onAppend: () => void = () => {}

  constructor(disk: MemoryDisk, events: string[]) {
    this.#inner = MemoryStorage.open(disk)
    this.#events = events
  }

  holdLog(): () => void {
    return () => {}
  }

  get dataDirId(): string {
    return this.#inner.dataDirId
  }

  get recovered(): RecoveredState {
    return this.#inner.recovered
  }

  get checkpoint(): CheckpointInfo {
    return this.#inner.checkpoint
  }

  get replacesDataDirId(): string {
    return this.#inner.replacesDataDirId
  }

  get lastWrite(): number {
    return this.#inner.lastWrite
  }

  get compactedUpTo(): Slot {
    return this.#inner.compactedUpTo
  }

  get marks(): ReadonlyMap<string, number> {
    return this.#inner.marks
  }

  get unfinished(): Storage['unfinished'] {
    return this.#inner.unfinished
  }

  get applyFailure(): ApplyFailure | undefined {
    return this.#inner.applyFailure
  }

  async noteApplyFailure(failure: ApplyFailure): Promise<void> {
    await this.#inner.noteApplyFailure(failure)
    this.#events.push(`slot ${failure.slot} failed`)
  }

  resolveApplyFailure(how: 'skip' | 'retry'): Promise<void> {
    return this.#inner.resolveApplyFailure(how)
  }

  get unsupportedLevel(): Storage['unsupportedLevel'] {
    return this.#inner.unsupportedLevel
  }

  noteUnsupportedLevel(unsupported: Storage['unsupportedLevel']): Promise<void> {
    return this.#inner.noteUnsupportedLevel(unsupported)
  }

  noteAdmitted(): void {
    this.#inner.noteAdmitted()
  }

  noteMarks(marks: ReadonlyMap<string, number>): void {
    this.#inner.noteMarks(marks)
  }

  get announcements(): Storage['announcements'] {
    return this.#inner.announcements
  }

  noteAnnouncements(announcements: Storage['announcements']): void {
    this.#inner.noteAnnouncements(announcements)
  }

  viewCheckpoint(): ReturnType<Storage['viewCheckpoint']> {
    return this.#inner.viewCheckpoint()
  }

  receiveCheckpoint(header: CheckpointHeader): Promise<IncomingCheckpoint> {
    return this.#inner.receiveCheckpoint(header)
  }

  hold(step: Step): void {
    this.#held.set(step, [])
  }

  release(step: Step): void {
    const waiting = this.#held.get(step) ?? []
    this.#held.delete(step)
    for (const go of waiting) go()
  }

  fail(step: Step): void {
    this.#failing.add(step)
  }

  async append(records: readonly DurableRecord[]): Promise<void> {
    this.onAppend()
    await this.#pass('append')
    await this.#inner.append(records)
    this.#events.push(`appended ${records.map((record) => record.kind).join(' ')}`)
  }

  async prepareCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<PreparedCheckpoint> {
    const taken = [...changes]
    await this.#pass('prepare')
    const prepared = await this.#inner.prepareCheckpoint(info, taken)
    return {
      commit: async () => {
        await this.#pass('commit')
        await prepared.commit()
        this.#events.push(`checkpoint of ${info.appliedUpTo}`)
      },
    }
  }

  async saveCheckpoint(info: CheckpointInfo, changes: Iterable<StateEntry>): Promise<void> {
    const prepared = await this.prepareCheckpoint(info, changes)
    await prepared.commit()
  }

  readLog(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    return this.#inner.readLog(fromSlot, toSlot, maxBytes)
  }

  loadCheckpoint(): AsyncIterable<readonly StateEntry[]> {
    return this.#inner.loadCheckpoint()
  }

  readHistory(key: string): Uint8Array | undefined {
    return this.#inner.readHistory(key)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  async #pass(step: Step): Promise<void> {
    this.#events.push(`${step}…`)
    const held = this.#held.get(step)
    if (held !== undefined) await new Promise<void>((resolve) => held.push(resolve))
    else await new Promise((resolve) => setImmediate(resolve))
    if (this.#failing.has(step)) throw new Error(`as the test wants it: ${step} fails`)
  }
}

/** Knows what was applied to it, in order. */
export class Recorder implements StateMachine {
  readonly applied: string[] = []
  /** By how much each command lets it grow. */
  bytesPerCommand = 0
  #writtenBytes = 0
  /** Called for each command. */
  onApply: () => void = () => {}
  /** Called for each checkpoint that is on disk. */
  onDurable: () => void = () => {}

  get writtenBytes(): number {
    return this.#writtenBytes
  }

  apply(command: Uint8Array): Uint8Array {
    this.onApply()
    this.applied.push(new TextDecoder().decode(command))
    this.#writtenBytes += this.bytesPerCommand
    return new Uint8Array([this.applied.length])
  }

  query(): Uint8Array {
    return new Uint8Array()
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'applied', value: new TextEncoder().encode(this.applied.join()), keyspace: 'state' }]
  }

  onCheckpointed(): void {
    this.onDurable()
  }

  restore(): Restoration {
    this.applied.splice(0)
    return {
      load: (entries) => {
        for (const { value } of entries) this.applied.push(...new TextDecoder().decode(value).split(','))
      },
      finish: () => {},
    }
  }
}

export const GENESIS: Genesis = {
  clusterId: 'cluster',
  members: [1, 2, 3].map((nodeId) => ({ nodeId, dataDirId: `dir-${nodeId}`, peerAddress: `n${nodeId}:1`, clientAddress: '' })),
  initialCommands: [new TextEncoder().encode('initial')],
  windowSlots: 256,
  quotaBytes: 0,
  level: 1,
  levelVersion: '',
}

/** The disk of node 1, a member since the beginning. */
export function newDisk(): MemoryDisk {
  const disk = new MemoryDisk('dir-1')
  disk.genesis = GENESIS
  return disk
}

const nowMs = (): number => REAL_RUNTIME.nowMs()

/** A follower, node 1 of three, whose peers are the test. */
export class Follower {
  readonly events: string[]
  readonly storage: ScriptedStorage
  readonly machine: Recorder
  readonly applier: Applier
  readonly requester: Requester
  readonly readIndexWaiters: ReadIndexWaiters
  readonly desk: SessionDesk
  readonly host: Host
  readonly failures: Error[] = []
  /** Every message sent, with whom it was sent to. */
  readonly sent: { to: NodeId; message: Message }[] = []
  /** Steps of the host so far. */
  stepCount = 0

  static async start(disk = newDisk(), options: Partial<CoreOptions> = {}, machine = new Recorder()): Promise<Follower> {
    const events: string[] = []
    const storage = new ScriptedStorage(disk, events)
    const requester = new Requester()
    const desk = new SessionDesk(requester, REAL_RUNTIME, QUIET_READS)
    const sessions = new Sessions(machine, sessionCodec)
    const logger = pino({ level: 'silent' })
    const replayed = await replayLog({ storage, sessions, machine, listener: desk, logger, nowMs })
    return new Follower({ events, storage, machine, requester, desk, ...replayed }, options)
  }

  private constructor(
    parts: Pick<Follower, 'events' | 'storage' | 'machine' | 'requester' | 'desk'> & Replayed,
    options: Partial<CoreOptions>,
  ) {
    this.events = parts.events
    this.storage = parts.storage
    this.machine = parts.machine
    this.applier = parts.applier
    this.requester = parts.requester
    this.desk = parts.desk
    this.readIndexWaiters = new ReadIndexWaiters()
    const node = new Node({
      self: 1,
      dataDirId: 'dir-1',
      members: GENESIS.members,
      newClusterId: 'not used',
      initialCommands: [],
      initialDigest: '',
      joinIntervalMs: 1_000,
      joins: false,
      replacesDataDirId: '',
      capacityBytes: 0,
      levelMax: 1,
      version: '',
      recovered: parts.storage.recovered,
      memberships: parts.memberships,
      logTimeMs: parts.applier.timeMs,
      // It never stands for election unless a test wants it.
      options: { ...DEFAULT_OPTIONS, electionTimeoutMsMin: 60_000, electionTimeoutMsMax: 60_000, ...options },
      random: () => 0.5,
      nowMs: performance.now(),
    })
    const send = (to: NodeId, message: Message): void => {
      this.sent.push({ to, message })
      this.events.push(`${message.kind} to ${to}`)
    }
    const logger = pino({ level: 'silent' })
    this.host = new Host({
      node,
      storage: this.storage,
      runtime: REAL_RUNTIME,
      logger: pino({ level: 'silent' }),
      outlet: {
        send,
        flush: () => {
          this.stepCount++
        },
      },
      applier: this.applier,
      requester: this.requester,
      desk: this.desk,
      readIndexWaiters: this.readIndexWaiters,
      watches: new Watches([]),
      // Alone, as far as these are concerned: the gate is open.
      talk: new PeerTalk({
        self: 1,
        levels: { onRoster: () => {}, tick: () => {} },
        storage: this.storage,
        finder: fakeFinder([[1]]),
        members: () => [],
        send,
        passed: () => this.applier,
        recallId: 1,
        logger,
      }),
      laggardHolds: new LaggardHolds(this.storage),
      majorityWatch: new MajorityWatch({
        self: 1,
        replacesDataDirId: () => '',
        listed: [1],
        membership: () => undefined,
        alarms: { raise: () => {}, clear: () => {} },
      }),
      membershipCalls: new MembershipCalls(node, 0),
      tickIntervalMs: DEFAULT_TICK_INTERVAL_MS,
      pageBytesMax: 1 << 20,
      reload: () => Promise.reject(new Error('no checkpoint of a peer comes here')),
    })
    this.host.start({
      onCheckpointWanted: () => {},
      onFormed: () => {},
      onMembershipsChanged: () => {},
      onLeaderChanged: (leaderId) => this.events.push(`led by ${leaderId}`),
      onFailed: (error) => this.failures.push(error),
    })
  }

  /** Accepts of the leader, and its word of what is decided. */
  accept(slot: Slot, value: Value, decidedUpTo = slot - 1): void {
    this.receive([{ kind: 'accept', ballot: BALLOT, slot, value, decidedUpTo }])
  }

  decided(decidedUpTo: Slot): void {
    this.receive([{ kind: 'decided', ballot: BALLOT, decidedUpTo }])
  }

  /** From the leader. */
  receive(messages: readonly Message[]): void {
    this.host.receive(LEADER, messages, `dir-${LEADER}`)
  }
}

/** A slot's value: commands of the first client, numbered. */
export function batchOf(...requestNumbers: number[]): Value {
  return { kind: 'batch', timeMs: 1, commands: requestNumbers.map((number) => commandBytes(number, `c${number}`)) }
}

/** As batchOf, of one command with a text of its own. */
export function commandOf(requestNumber: number, text: string): Value {
  return { kind: 'batch', timeMs: 1, commands: [commandBytes(requestNumber, text)] }
}

function commandBytes(requestNumber: number, text: string): Uint8Array {
  const command = new TextEncoder().encode(text)
  return encodeSessionCommand({ clientId: 1, token: TOKEN, requestNumber, firstUnacknowledged: 1, command })
}

export function opening(): Value {
  return { kind: 'batch', timeMs: 1, commands: [encodeOpenSession(TOKEN)] }
}

/** Looks after each turn of the event loop; fails after five seconds. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5_000
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(`not within five seconds: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
