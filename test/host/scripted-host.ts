import { pino } from 'pino'
import type { Applier } from '../../src/host/apply/applier.js'
import { Host } from '../../src/host/host.js'
import type { HostSettings } from '../../src/host/host-settings.js'
import { MembershipCalls, type MembershipCore } from '../../src/host/membership/membership-calls.js'
import { PeerTalk } from '../../src/host/peers/peer-talk.js'
import { ReadIndexWaiters } from '../../src/host/requests/read-index-waiters.js'
import { Requester } from '../../src/host/requests/requester.js'
import { SessionDesk } from '../../src/host/requests/session-desk.js'
import { LaggardHolds } from '../../src/host/watches/laggard-holds.js'
import { MajorityWatch } from '../../src/host/watches/majority-watch.js'
import { Watches } from '../../src/host/watches/watches.js'
import type { Message } from '../../src/paxos/messages.js'
import type { Node } from '../../src/paxos/node.js'
import type { Outgoing, Ready } from '../../src/paxos/outbox.js'
import type { DurableRecord, LogEntry, NodeId, Slot } from '../../src/paxos/types.js'
import type { IncomingCheckpoint, Storage } from '../../src/storage/storage.js'
import { headerOf } from '../transport/checkpoint-parts.js'
import { fakeFinder } from './fake-finder.js'
import { FakeRuntime } from './fake-runtime.js'
import { QUIET_READS } from './quiet-reads.js'

/** A core that writes down what it is told, and wants done what a test says. */
class ScriptedCore {
  readonly #events: string[]
  leaderId: NodeId = 2
  decidedUpTo: Slot = 5
  compactedUpTo: Slot = 0
  readonly genesis = headerOf().genesis
  readonly memberships = undefined
  records: DurableRecord[] = []
  decided: LogEntry[] = []
  onceDurable: Outgoing[] = []
  checkpointWanted: Ready['checkpointWanted'] = undefined
  halt: Ready['halt'] = undefined
  tickCount = 0

  constructor(events: string[]) {
    this.#events = events
  }

  advance(): void {}

  tick(): void {
    this.tickCount++
  }

  receive(from: NodeId, { kind }: Message): void {
    this.#events.push(`core: ${kind} of ${from}`)
  }

  propose(): 'noLeader' {
    return 'noLeader'
  }

  read(): void {}

  persistDecidedUpTo(): void {}

  onDurable(): void {}

  onCheckpointInstalled({ slot }: { slot: Slot }): void {
    this.#events.push(`core: installed ${slot}`)
    this.decidedUpTo = slot
  }

  ready({ diskIdle }: { diskIdle: boolean }): Ready {
    const { records, decided, onceDurable, checkpointWanted, halt } = this
    this.decided = []
    if (diskIdle) {
      this.records = []
      this.onceDurable = []
    }
    return {
      messages: [],
      records: diskIdle ? records : [],
      onceDurable: diskIdle ? onceDurable : [],
      decided,
      readIndexes: [],
      logRequests: [],
      checkpointWanted,
      refusals: [],
      refusedPages: [],
      halt,
    }
  }
}

/** An applier whose state is the number of its last slot. */
class ScriptedApplier {
  appliedUpTo: Slot = 5
  boundaryCount = 0
  isFull = false
  #queue: LogEntry[] = []
  isSuspended = false

  get hasQueued(): boolean {
    return this.#queue.length > 0 && !this.isSuspended
  }

  enqueue(entries: readonly LogEntry[]): void {
    this.#queue.push(...entries)
  }

  run(): void {
    if (this.isSuspended) return
    for (const { slot } of this.#queue.splice(0)) this.appliedUpTo = slot
  }

  reset(slot: Slot): void {
    this.isSuspended = false
    this.appliedUpTo = slot
    this.#queue = this.#queue.filter((entry) => entry.slot > slot)
  }

  checkpoint(): unknown {
    return { info: { appliedUpTo: this.appliedUpTo }, changes: [] }
  }

  onCheckpointed(): void {}
}

/** A host whose core, applier and disk do what a test says; `voters` other than this node alone close the gate. */
export function scriptedHost(voters: NodeId[] = [1]) {
  const events: string[] = []
  const failures: Error[] = []
  const wanted: unknown[] = []
  const runtime = new FakeRuntime()
  const core = new ScriptedCore(events)
  const applier = new ScriptedApplier()
  const held = new Map<string, () => void>()
  const fails = new Map<string, Error>()
  const step = async (name: string): Promise<void> => {
    events.push(`${name}…`)
    if (held.has(name)) await new Promise<void>((resolve) => held.set(name, resolve))
    const error = fails.get(name)
    if (error !== undefined) throw error
    events.push(name)
  }
  const storage = {
    dataDirId: 'dir-1',
    lastWrite: 1,
    marks: new Map(),
    noteMarks: () => {},
    compactedUpTo: 0,
    checkpoint: { appliedUpTo: 5 },
    append: () => step('append'),
    prepareCheckpoint: async () => {
      await step('prepare')
      return { commit: () => step('commit') }
    },
    saveCheckpoint: () => step('save'),
  }
  const requester = new Requester()
  const desk = new SessionDesk(requester, runtime, QUIET_READS)
  const logger = pino({ level: 'silent' })
  const sent: string[] = []
  const send = (to: NodeId, { kind }: Message): void => void sent.push(`${kind} to ${to}`)
  const talk = new PeerTalk({
    self: 1,
    levels: { onRoster: () => {}, tick: () => {} },
    storage,
    finder: fakeFinder([voters]),
    members: () => [],
    send,
    passed: () => ({ appliedUpTo: 0, skippedSlots: [] }),
    recallId: 77,
    logger,
  })
  const settings: HostSettings = {
    node: core as unknown as Node,
    storage: storage as unknown as Storage,
    runtime,
    logger,
    outlet: { send, flush: () => {} },
    talk,
    applier: applier as unknown as Applier,
    requester,
    desk,
    watches: new Watches([]),
    readIndexWaiters: new ReadIndexWaiters(),
    laggardHolds: new LaggardHolds({ holdLog: () => () => {} }),
    majorityWatch: new MajorityWatch({
      self: 1,
      replacesDataDirId: () => '',
      listed: [1],
      membership: () => undefined,
      alarms: { raise: () => {}, clear: () => {} },
    }),
    membershipCalls: new MembershipCalls(core as unknown as MembershipCore, 0),
    tickIntervalMs: 10,
    pageBytesMax: 1_000,
    reload: async () => {
      applier.isSuspended = true
      await step('load')
      applier.reset(100)
    },
  }
  const host = new Host(settings)
  host.start({
    onCheckpointWanted: (request) => void wanted.push(request),
    onFormed: () => {},
    onMembershipsChanged: () => {},
    onLeaderChanged: () => {},
    onFailed: (error) => void failures.push(error),
  })
  const putInPlace = async (): Promise<void> => {
    await step('install')
    storage.checkpoint.appliedUpTo = 100
  }
  const incoming: IncomingCheckpoint = { lastKey: undefined, add: async () => {}, install: putInPlace }
  const end = { stateCount: 0, stateSum: 0, historyCount: 0, historySum: 0 }
  const install = (): Promise<void> => host.install(incoming, headerOf({ slot: 100 }), end)
  /** The step does not end before it is released. */
  const hold = (name: string): void => void held.set(name, () => {})
  const release = (name: string): void => {
    const go = held.get(name)
    held.delete(name)
    go?.()
  }
  return {
    host,
    core,
    applier,
    storage,
    runtime,
    events,
    failures,
    wanted,
    sent,
    talk,
    desk,
    membershipCalls: settings.membershipCalls,
    install,
    hold,
    release,
    fails,
  }
}
