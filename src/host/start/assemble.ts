import { createHash } from 'node:crypto'
import { assert } from '../../paxos/assert.js'
import { type CoreOptions, DEFAULT_OPTIONS } from '../../paxos/core-options.js'
import type { Message } from '../../paxos/messages.js'
import { Node, type NodeSettings } from '../../paxos/node.js'
import type { Member, NodeId } from '../../paxos/types.js'
import type { Storage } from '../../storage/storage.js'
import { CheckpointReceiver } from '../checkpoint/checkpoint-receiver.js'
import { CheckpointSender } from '../checkpoint/checkpoint-sender.js'
import { GaugeReport } from '../gauge-report.js'
import { checkLevel } from '../halt-error.js'
import { DEFAULT_TICK_INTERVAL_MS, Host } from '../host.js'
import type { BinaryVersion } from '../membership/binary-version.js'
import { LevelCalls } from '../membership/level-calls.js'
import { MembershipCalls } from '../membership/membership-calls.js'
import { PeerFinder } from '../peers/peer-finder.js'
import type { PeerPort } from '../peers/peer-port.js'
import { PeerRefusals } from '../peers/peer-refusals.js'
import { PeerTalk } from '../peers/peer-talk.js'
import { ReadIndexWaiters } from '../requests/read-index-waiters.js'
import type { Runtime } from '../runtime.js'
import { ClockWatch } from '../watches/clock-watch.js'
import { LaggardHolds } from '../watches/laggard-holds.js'
import { MajorityWatch } from '../watches/majority-watch.js'
import { QuotaWatch } from '../watches/quota-watch.js'
import { Waiting } from '../watches/waiting.js'
import { Watches } from '../watches/watches.js'
import { membersKnownTo } from './known-cluster.js'
import type { HostedMemberOptions, MemberParts } from './member-parts.js'
import { installState } from './recovery.js'
import type { Restored } from './restored.js'

const JOIN_INTERVAL_MS = 200
/** There is room above for the ids of a lifetime. */
const ID_SPAN = 2 ** 48

/** Everything that a member consists of. */
export interface Assembly extends Omit<Restored, 'boundaries' | 'memberships'> {
  readonly options: HostedMemberOptions
  readonly storage: Storage
  readonly runtime: Runtime
  readonly port: PeerPort
  readonly node: Node
  readonly readIndexWaiters: ReadIndexWaiters
  readonly membershipCalls: MembershipCalls
  readonly levels: LevelCalls
  readonly finder: PeerFinder
  readonly talk: PeerTalk
  readonly host: Host
  readonly sender: CheckpointSender
  readonly receiver: CheckpointReceiver
  readonly refusals: PeerRefusals
}

/** Builds a member, each part after those on which it stands. Nothing of it runs yet: the host and the port are to be started. */
export function assemble(options: HostedMemberOptions, parts: MemberParts, restored: Restored): Assembly {
  const { storage, runtime, port } = parts
  const { logger, observer } = options
  const { applier, sessions, alarms, boundaries } = restored
  const core: CoreOptions = { ...DEFAULT_OPTIONS, ...options.options }
  const node = makeCore(core, options, parts, restored)
  const { promised, decidedUpTo } = node
  observer?.event('recovered', { promised, decidedUpTo, appliedUpTo: applier.appliedUpTo })
  // Ids begin anywhere: a late answer to the node that was there before must not be taken for one of now.
  const firstId = Math.floor(runtime.random() * ID_SPAN)
  const send = (to: NodeId, message: Message): void => port.send(to, message)
  const members = (): readonly Member[] => membersKnownTo(node)

  const readIndexWaiters = new ReadIndexWaiters()
  const membershipCalls = new MembershipCalls(node, firstId)
  const onMembershipsTold = (): void => noteMembership(node, options, storage)
  const binary = binaryOf(options, restored)
  const finder = new PeerFinder({ options, storage, core: node, port, send, binary, onMembershipsTold })
  const levels = new LevelCalls({
    self: options.nodeId,
    own: binary,
    members,
    // In the middle of a slot, that slot has raised it, perhaps.
    inForce: () => ({ slot: applier.appliedUpTo + (applier.isMidSlot ? 1 : 0), level: sessions.raised.level }),
    ask: (nodeId) => finder.ask(nodeId),
    raise: (level, deadlineMs, settle, signal) =>
      restored.desk.raiseLevel({ level, version: binary.version }, deadlineMs, settle, signal),
  })
  const talk = new PeerTalk({
    self: options.nodeId,
    storage,
    finder,
    levels,
    members,
    send,
    passed: () => applier,
    recallId: firstId,
    logger,
  })
  talk.noteReplayed(boundaries.listen((slot, digest) => talk.onBoundary(slot, digest)))

  const laggardHolds = new LaggardHolds(storage)
  const majorityWatch = new MajorityWatch({
    self: options.nodeId,
    replacesDataDirId: () => storage.replacesDataDirId,
    listed: options.members.map((m) => m.nodeId).filter((id) => options.join !== true || id !== options.nodeId),
    membership: () => node.knownMembership,
    alarms,
  })
  const gauges = observer && new GaugeReport({ observer, node, applier, requester: restored.requester, sessions })
  const watches = new Watches([
    ...(gauges ? [gauges] : []),
    talk.skipWatch,
    majorityWatch,
    new Waiting({ options, joins: joins(options, storage), core: node, talk, finder, port, alarms, logger }),
    new ClockWatch({ node, alarms, logger }),
    new QuotaWatch({ sessions, capacityBytes: options.capacityBytes ?? 0, alarms, logger }),
    laggardHolds,
  ])

  const host = new Host({
    applier,
    requester: restored.requester,
    desk: restored.desk,
    node,
    storage,
    runtime,
    outlet: port,
    talk,
    readIndexWaiters,
    membershipCalls,
    watches,
    majorityWatch,
    laggardHolds,
    tickIntervalMs: parts.tickIntervalMs ?? DEFAULT_TICK_INTERVAL_MS,
    pageBytesMax: core.pageBytesMax,
    reload: () => reload(node, options, parts, restored),
    observer,
    logger,
  })
  const sender = new CheckpointSender({
    storage,
    runtime,
    holds: laggardHolds,
    pageBytesMax: core.pageBytesMax,
    appliedUpTo: () => applier.appliedUpTo,
    askForCheckpoint: () => host.askForCheckpoint(),
    observer,
  })
  const receiver = new CheckpointReceiver({
    storage,
    runtime,
    logger,
    fetch: (from, request, sink) => port.fetchCheckpoint(from, request, sink),
    clusterId: () => node.genesis?.clusterId ?? '',
    checkLevel: (raised) => checkLevel(raised, binary),
    decidedUpTo: () => node.decidedUpTo,
    voters: () =>
      members()
        .filter((m) => m.votesFrom > 0 && m.nodeId !== options.nodeId)
        .map((m) => m.nodeId),
    leaderId: () => node.leaderId,
    install: (incoming, header, end) => host.install(incoming, header, end),
    onFailed: (error) => host.fail(error),
    observer,
  })
  const refusals = new PeerRefusals({ options, node, finder, talk, host })
  return {
    ...restored,
    options,
    storage,
    runtime,
    port,
    node,
    readIndexWaiters,
    membershipCalls,
    levels,
    finder,
    talk,
    host,
    sender,
    receiver,
    refusals,
  }
}

/** Logs the new membership. A directory that it names does not replace another one any more. */
export function noteMembership(node: Node, options: HostedMemberOptions, storage: Storage): void {
  const { knownMembership } = node
  if (knownMembership === undefined) return
  const { epoch, fromSlot, members } = knownMembership
  options.logger.info({ epoch, fromSlot, members: members.map(describe) }, 'the membership')
  options.observer?.event('membershipChanged', { epoch, fromSlot, memberIds: members.map((m) => m.nodeId) })
  const own = members.find((m) => m.nodeId === options.nodeId)
  if (own?.dataDirId === storage.dataDirId && storage.replacesDataDirId !== '') storage.noteAdmitted()
}

function makeCore(core: CoreOptions, options: HostedMemberOptions, parts: MemberParts, restored: Restored): Node {
  const { storage, runtime, port, makeNode = newNode } = parts
  const { initialCommands = [] } = options
  const binary = binaryOf(options, restored)
  return makeNode({
    self: options.nodeId,
    dataDirId: storage.dataDirId,
    members: options.members,
    newClusterId: runtime.uuid(),
    initialCommands,
    initialDigest: digestOf(initialCommands),
    joinIntervalMs: JOIN_INTERVAL_MS,
    capacityBytes: options.capacityBytes ?? 0,
    levelMax: binary.levelMax,
    version: binary.version,
    joins: joins(options, storage),
    replacesDataDirId: storage.replacesDataDirId,
    recovered: storage.recovered,
    memberships: restored.memberships,
    logTimeMs: restored.applier.timeMs,
    options: core,
    isLinked: (nodeId) => port.isOpen(nodeId),
    random: () => runtime.random(),
    nowMs: runtime.nowMs(),
  })
}

function binaryOf({ version = '' }: HostedMemberOptions, { sessions }: Restored): BinaryVersion {
  return { ...sessions.knownLevels, version }
}

/** Takes a peer's checkpoint, which the storage has just installed, for the state. */
async function reload(node: Node, options: HostedMemberOptions, parts: MemberParts, restored: Restored): Promise<void> {
  const { genesis } = node
  const { storage, runtime } = parts
  const { sessions, applier, requester } = restored
  assert(genesis !== undefined, 'only a member installs a checkpoint')
  const nowMs = (): number => runtime.nowMs()
  await installState({ storage, sessions, logger: options.logger, nowMs, applier, genesis })
  requester.onStateReplaced()
  options.observer?.event('checkpointInstalled', { checkpoint: storage.checkpoint })
}

/** True when the node founds no cluster, but waits to join one. */
function joins(options: HostedMemberOptions, storage: Storage): boolean {
  return options.join === true || storage.replacesDataDirId !== ''
}

function describe({ nodeId, votesFrom, peerAddress }: Member): string {
  return `${nodeId} at ${peerAddress}${votesFrom > 0 ? '' : ', learning'}`
}

/** The digest of commands in their order. Each is hashed with its length, so that no two lists have the same digest. */
function digestOf(commands: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const command of commands) hash.update(`${command.length} `).update(command)
  return hash.digest('hex')
}

function newNode(settings: NodeSettings): Node {
  return new Node(settings)
}
