import { Acceptor } from './acceptor.js'
import { assert } from './assert.js'
import { NO_BALLOT, nextBallot, nodeOf } from './ballot.js'
import { Bootstrap, type BootstrapSettings } from './bootstrap.js'
import { Leader } from './leader.js'
import { type ClockReport, LogClock } from './log-clock.js'
import { JointTally, wasRemovedBy } from './membership.js'
import { genesisRecord, Memberships } from './memberships.js'
import type {
  Accept,
  CatchUpReply,
  ChangeMembership,
  CoreMessage,
  Join,
  Nack,
  Poll,
  PollReply,
  Promised,
  Propose,
  Welcome,
} from './messages.js'
import { FollowedLeader } from './node/followed-leader.js'
import { Patience } from './node/patience.js'
import { ReadIndexRequests } from './node/read-index-requests.js'
import type { CoreOptions } from './options.js'
import { Outbox, type Ready } from './outbox.js'
import { Replica } from './replica.js'
import { Scout } from './scout.js'
import { Silences } from './silence.js'
import type {
  Ballot,
  Genesis,
  LogEntry,
  Member,
  MembershipChange,
  MembershipRecord,
  NodeId,
  RecoveredState,
  Slot,
} from './types.js'
import { Watermark } from './watermark.js'

/** A command may pass through so many nodes on its way to the leader. */
const HOPS_MAX = 2
/** The request id of changes that no operator waits for. */
const NOBODY_ASKS = 0
/** Questions to peers are numbered from a random number below this on; there is room above for those of a lifetime. */
const FIRST_ID_SPAN = 2 ** 48

export interface NodeSettings extends Omit<BootstrapSettings, 'windowSlots'> {
  readonly recovered: RecoveredState
  /** Those that govern the slots above recovered.decidedUpTo; none while there is no genesis. */
  readonly memberships: readonly MembershipRecord[]
  /** The log time after the recovered slots, in ms since 1970; 0 for none. */
  readonly logTimeMs: number
  readonly options: CoreOptions
  /** Whether there is an open connection on which this node sends to that one. Absent: nobody knows, so there may be. */
  readonly isLinked?: (nodeId: NodeId) => boolean
  /** Uniform in [0, 1): the core's only chance, seeded in the simulator. */
  readonly random: () => number
  /** As in tick. */
  readonly nowMs: number
}

/** What a node is doing. Only one at a time; a state object lives no longer than its phase. */
type State =
  | { readonly phase: 'joining' }
  | { readonly phase: 'following'; readonly electionAtMs: number }
  | { readonly phase: 'polling'; readonly pollId: number; readonly granted: JointTally; readonly endsAtMs: number }
  | { readonly phase: 'scouting'; readonly scout: Scout; retryAtMs: number; endsAtMs: number; learnedUpTo: Slot }
  | { readonly phase: 'leading'; readonly leader: Leader }

export type Phase = State['phase']

/** What becomes of proposed commands: 'sent' ones may be decided; the others certainly never will be. */
export type ProposeOutcome = 'sent' | 'noLeader' | 'overloaded'

/**
 * One process's core: the roles of "Clustering by Consensus" and "Paxos Made Moderately Complex" behind one step function.
 *
 * The host's duties. Inputs: `tick` often (every 10 ms or so), `advance` before other inputs, `receive` for each peer message, `propose` and
 * `readIndex` for clients. Then, as often as it likes but never two at a time, it takes `ready({ diskIdle, wallMs })` and
 *   1. sends `messages`;
 *   2. writes `records` with one sync; a failed write stops the node, it is never tried again;
 *   3. when that is done, sends those of `onceDurable` that are for others and calls `onDurable(ready)`, which delivers the node's own;
 *   4. applies `decided` in order, and answers the reads of `readIndexes` whose slot is applied (neither waits for the write);
 *   5. answers `logRequests` from the durable log with CatchUpReply messages;
 *   6. if there is a `halt`, does none of this, and stops;
 *   7. fetches the checkpoint that is wanted from a peer, one at a time, and calls `onCheckpointInstalled` when it stands in the place of
 *      its own state, log included; no write is in flight then.
 * While a write is in flight it passes `diskIdle: false` and gets only what needs no disk: what must be written gathers for the next.
 * Now and then it calls `persistDecidedUpTo`: the watermark of an idle node goes to disk only so, and a peer that needs old slots is
 * served from the log up to the durable watermark. It says what is no longer in the log through `compactedUpTo`.
 */
export class Node {
  readonly #self: NodeId
  readonly #options: CoreOptions
  readonly #recovered: RecoveredState
  readonly #out: Outbox
  readonly #bootstrap: Bootstrap
  readonly #dataDirId: string
  /** Before there is a genesis, that of the members it was told of. */
  #memberships: Memberships
  /** Who the members are, said a peer: of use while that is newer than what this node has learned. */
  #told: readonly MembershipRecord[] = []
  /** Slots up to this one are decided, and it votes in none of them. See learnFirst. */
  #learnsFirstUpTo: Slot = 0
  readonly #acceptor: Acceptor
  #replica: Replica
  readonly #clock: LogClock
  readonly #readIndexRequests: ReadIndexRequests
  #state: State = { phase: 'joining' }
  #nowMs: number
  #monotonicMs: number
  /** The wall clock at the last `ready`; 0 before. */
  #wallMs = 0
  readonly #followed: FollowedLeader
  /** Outlive its ballots. */
  readonly #silences: Silences
  readonly #patience: Patience
  /** The highest ballot seen anywhere: the next own ballot is above it. */
  #highestSeen: Ballot
  /** Of polls. Starts anywhere, as read ids do: late answers from before a restart must not count. */
  #lastPollId: number
  #watermark: Watermark
  /** The first membership always is settled. */
  #settledEpoch = 1
  /** Somebody who knows a settled membership says that this node is none of its members. */
  #isToldRemoved = false
  /** Since when it knows that nobody needs it any more. */
  #removedSinceMs: number | undefined

  constructor(settings: NodeSettings) {
    this.#self = settings.self
    this.#options = settings.options
    this.#nowMs = settings.nowMs
    this.#monotonicMs = settings.nowMs
    this.#recovered = settings.recovered
    this.#out = new Outbox(settings.self)
    this.#acceptor = new Acceptor(settings.self, this.#out, settings.options, settings.recovered)
    this.#followed = new FollowedLeader({ isLinked: () => true, ...settings })
    this.#silences = new Silences(settings.options)
    this.#patience = new Patience(settings.options, settings.random)
    this.#lastPollId = Math.floor(settings.random() * FIRST_ID_SPAN)
    this.#readIndexRequests = new ReadIndexRequests({
      self: settings.self,
      out: this.#out,
      options: settings.options,
      firstId: this.#lastPollId + 1,
    })
    this.#highestSeen = settings.recovered.promised
    this.#dataDirId = settings.dataDirId
    const initial = settings.members.map((m): Member => ({ ...m, dataDirId: '', votesFrom: 1, returning: false }))
    const members = initial.toSorted((a, b) => a.nodeId - b.nodeId)
    const { windowSlots } = settings.options
    this.#memberships = new Memberships(
      [{ epoch: 1, fromSlot: 1, members, lastNodeId: members.at(-1)?.nodeId ?? 0 }],
      windowSlots,
    )
    this.#clock = new LogClock({
      memberships: () => this.#memberships.governing,
      nowMs: () => this.#monotonicMs,
      wallMs: () => this.#wallMs,
      freshMs: 2 * settings.options.electionTimeoutMsMax,
      timeMs: settings.logTimeMs,
    })
    for (const { value } of settings.recovered.accepted) if (value.kind === 'batch') this.#clock.onSeen(value.timeMs)
    this.#replica = this.#makeReplica(settings.recovered.compactedUpTo)
    this.#watermark = this.#makeWatermark()
    this.#bootstrap = new Bootstrap({ ...settings, windowSlots }, this.#out, settings.recovered.genesis)
    const { genesis } = this.#bootstrap
    if (genesis !== undefined) this.#start(genesis, settings.memberships)
  }

  get phase(): Phase {
    return this.#state.phase
  }

  get genesis(): Genesis | undefined {
    return this.#state.phase === 'joining' ? undefined : this.#bootstrap.genesis
  }

  get promised(): Ballot {
    return this.#acceptor.promised
  }

  get decidedUpTo(): Slot {
    return this.#replica.decidedUpTo
  }

  /**
   * The host holds as much that is decided and not applied as it can: until it has applied it, this node votes for nothing new, proposes
   * nothing, and learns nothing. It follows and leads as before.
   */
  set isFull(isFull: boolean) {
    this.#acceptor.isFull = isFull
  }

  /** Slots up to here are no longer in the host's log: whoever asks for them is told to fetch a checkpoint. */
  set compactedUpTo(slot: Slot) {
    this.#replica.compactedUpTo = slot
  }

  /** Who governs the slots that are open, as far as this node has learned; undefined before there is a genesis. */
  get memberships(): Memberships | undefined {
    return this.#state.phase === 'joining' ? undefined : this.#memberships
  }

  /** The latest membership that this node has learned, or was told of. */
  get knownMembership(): MembershipRecord | undefined {
    return this.knownMemberships.at(-1)
  }

  /** While the cluster is not formed: see Bootstrap.differences. */
  get formingDifferences(): ReadonlyMap<NodeId, string> {
    return this.#bootstrap.differences
  }

  /** What peers have told last, if it was newer than what was known then. */
  get toldMemberships(): readonly MembershipRecord[] {
    return this.#told
  }

  /** The same with the one before it, if that is still in force: every slot below the first one's fromSlot is decided. Empty while joining. */
  get knownMemberships(): readonly MembershipRecord[] {
    if (this.#state.phase === 'joining') return []
    const { latest, governing } = this.#memberships
    return (this.#told.at(-1)?.epoch ?? 0) > latest.epoch ? this.#told : governing
  }

  /**
   * The epoch of the newest membership known to be settled: a majority of its voters knows, on disk, that it is in force. From then on
   * any majority of them goes on by itself, and nobody else is needed: whoever is no member may be switched off. Before that, where only
   * a former member knows the last slots of the membership before, the others cannot do without it. Never goes back to be unsettled.
   */
  get settledEpoch(): number {
    return this.#state.phase === 'leading' ? this.#state.leader.settledEpoch : this.#settledEpoch
  }

  /** Whether the membership in force here is settled: only then may whoever it has not be sent away. */
  get isMembershipSettled(): boolean {
    return this.settledEpoch >= this.#memberships.current.epoch
  }

  /** Whether it votes, now or from a slot on that it knows. */
  get isVoter(): boolean {
    return this.#acceptor.votesFrom > 0 && this.#memberships.latest.isVoter(this.#self)
  }

  /** Of a leader: how far the other members are, as they said last. */
  get progress(): ReadonlyMap<NodeId, Slot> {
    return this.#state.phase === 'leading' ? this.#state.leader.progress : new Map()
  }

  /** The node that leads, as far as this one knows; 0 for nobody. */
  get leaderId(): NodeId {
    return this.#state.phase === 'leading' ? this.#self : this.#followed.nodeId(this.#nowMs)
  }

  /** Of the leader that this node follows, or its own where it leads; 0 for nobody. */
  get leaderBallot(): Ballot {
    if (this.#state.phase === 'leading') return this.#state.leader.ballot
    return this.leaderId === 0 ? NO_BALLOT : this.#followed.ballot
  }

  /** Of a leader: the log time of a value that is proposed now, in ms since 1970. 0 of others, and while it is not known. */
  get logTimeMs(): number {
    return this.#state.phase === 'leading' && this.#clock.isSet ? this.#clock.timeMs : 0
  }

  /** Of a leader: how log time stands to the clocks. */
  get clockReport(): ClockReport | undefined {
    return this.#state.phase === 'leading' ? this.#clock.report : undefined
  }

  /** By how much more than elapsed time this leader has carried log time on since this was asked last, in ms. */
  takeLeapMs(): number {
    return this.#clock.takeLeapMs()
  }

  /** Whether commands that are proposed now would be taken, or sent to somebody who may take them. */
  get canPropose(): boolean {
    if (this.#state.phase === 'leading') return true
    return this.#state.phase !== 'joining' && this.#followed.wayThere(this.#nowMs) !== 0
  }

  /** For invariants and tests: the votes for slots that are not known to be decided; the same array until one changes. */
  get openVotes(): readonly LogEntry[] {
    return this.#acceptor.openVotes
  }

  /** For invariants and tests: the ballot that this node leads in, 0 for none. */
  get leadingBallot(): Ballot {
    return this.#state.phase === 'leading' ? this.#state.leader.ballot : NO_BALLOT
  }

  // --- inputs ---------------------------------------------------------------------------------------------------------------------

  /**
   * Time has passed, as it must be known before other inputs; what it means is left to `tick`, which comes when they have been taken.
   * `nowMs`: what counts in waiting for others, of any origin; it never goes back. `monotonicMs`: what has really passed.
   */
  advance(nowMs: number, monotonicMs = nowMs): void {
    this.#nowMs = nowMs
    this.#monotonicMs = monotonicMs
  }

  /** As `advance`; then whatever waited for this long is done. */
  tick(nowMs: number, monotonicMs = nowMs): void {
    this.advance(nowMs, monotonicMs)
    switch (this.#state.phase) {
      case 'joining':
        return this.#bootstrap.tick(nowMs)
      case 'following':
        if (nowMs >= this.#state.electionAtMs) this.#onSilence()
        break
      case 'polling':
        if (nowMs >= this.#state.endsAtMs) this.#becomeFollowing(this.#options.heartbeatIntervalMs)
        break
      case 'scouting':
        this.#tickScouting(this.#state)
        break
      case 'leading':
        if (this.#patience.isDiskStalled(nowMs) || !this.#state.leader.tick(nowMs)) this.#becomeFollowing()
        break
    }
    this.#checkRemoved()
    this.#replica.tick(nowMs)
    if (this.#readIndexRequests.tick(nowMs)) this.#takeDetour()
  }

  /** A peer of this cluster has told who its members are: kept if it is newer than what this node knows. */
  onMembershipsTold(memberships: readonly MembershipRecord[]): void {
    const known = Math.max(this.knownMembership?.epoch ?? 0, this.#told.at(-1)?.epoch ?? 0)
    if ((memberships.at(-1)?.epoch ?? 0) > known) this.#told = memberships
  }

  /**
   * Slots up to this one are decided, says a membership that this node was told of, and only the voters of that one and of later ones
   * know how far its directory had got: it votes again only in slots above, and learns those up to there.
   */
  learnFirst(upTo: Slot): void {
    this.#learnsFirstUpTo = Math.max(this.#learnsFirstUpTo, upTo)
    if (this.#state.phase !== 'joining') this.#onMembershipChanged()
  }

  /** Asks this node, too, to be let in: somebody who has said that it is a peer. */
  joinThrough(peer: NodeId): void {
    this.#bootstrap.joinThrough(peer)
  }

  /** A message from another node (or, through onDurable, from this one). Strangers are not listened to. */
  receive(from: NodeId, m: CoreMessage): void {
    if (m.kind === 'join') return this.#onJoin(from, m)
    if (m.kind === 'welcome') return this.#onWelcome(from, m)
    if (!this.#isKnown(from)) {
      if (m.kind === 'poll' && this.#state.phase !== 'joining') this.#tellRemoved(from)
      return
    }
    if (this.#state.phase !== 'joining') this.#receiveAsMember(from, m)
  }

  /**
   * Commands of this node's clients; `isRetry` if some of them were sent before and have not been decided since. `pageId`, if it is not 0:
   * comes back in Ready.refusedPages when another node leads and has no room for them.
   */
  propose(commands: readonly Uint8Array[], { isRetry = false, pageId = 0 } = {}): ProposeOutcome {
    if (this.#state.phase === 'leading') return this.#state.leader.enqueue(commands) ? 'sent' : 'overloaded'
    if (isRetry) this.#takeDetour()
    const to = this.#followed.wayThere(this.#nowMs)
    if (to === 0 || this.#state.phase === 'joining') return 'noLeader'
    this.#out.send(to, { kind: 'propose', commands, hops: 0, originNodeId: this.#self, pageId })
    return 'sent'
  }

  /** A linearizable read: comes back in Ready.readIndexes, or never if no leader is found; the caller's deadline ends the wait. */
  readIndex(token: number): void {
    this.#readIndexRequests.add(this.#self, token)
  }

  /**
   * Asks the leader to propose a change of the membership, or does so. To be repeated until `memberships` says that it is made, or it is
   * refused (Ready.refusals), or nobody waits for it any more: a change that is proposed or made already is not proposed again.
   * `requestId` is 1 or above; a change with 0 is not refused in words.
   */
  changeMembership(requestId: number, change: MembershipChange): 'sent' | 'noLeader' {
    if (this.#state.phase === 'leading') {
      this.#proposeChange(this.#self, { kind: 'changeMembership', requestId, change })
      return 'sent'
    }
    const to = this.#followed.wayThere(this.#nowMs)
    if (to === 0 || this.#state.phase === 'joining') return 'noLeader'
    this.#out.send(to, { kind: 'changeMembership', requestId, change })
    return 'sent'
  }

  /**
   * Asks another node to lead, that one or (0) the most advanced: of a leader, before it stops; any other node asks the leader to. False
   * when there is nobody to ask.
   */
  handOver(to: NodeId = 0): boolean {
    if (this.#state.phase === 'leading') return to === this.#self || this.#state.leader.handOver(to)
    const leaderId = this.#followed.wayThere(this.#nowMs)
    if (to === 0 || leaderId === 0) return false
    this.#out.send(leaderId, { kind: 'handOver', toNodeId: to })
    return true
  }

  /**
   * The state after `slot`, with the log up to there, has come from a peer and is durable in the place of this node's own. Its promise
   * and its votes above the slot stand as they did.
   */
  onCheckpointInstalled(installed: {
    readonly slot: Slot
    readonly timeMs: number
    readonly memberships: readonly MembershipRecord[]
  }): void {
    assert(this.#state.phase !== 'joining', 'only a member installs a checkpoint')
    assert(installed.slot > this.#replica.decidedUpTo, 'a checkpoint is installed to get ahead')
    if (this.#state.phase !== 'following') this.#becomeFollowing()
    this.#out.dropRecords(installed.slot)
    this.#memberships.restart(installed.memberships)
    this.#replica.onInstalled(installed.slot)
    this.#clock.onSeen(installed.timeMs)
    this.#watermark.onInstalled(installed.slot)
    this.#onMembershipChanged()
  }

  /** The records of `ready` are on disk: what this node had to say to itself counts now. */
  onDurable(ready: Ready): void {
    for (const record of ready.records) {
      if (record.kind === 'decidedUpTo') this.#watermark.onDurable(record.slot)
      // Whoever is promised a ballot gets time to lead in it from when it hears of the promise.
      else if (record.kind === 'promised' && this.#state.phase === 'following') this.#becomeFollowing()
    }
    for (const { to, message } of ready.onceDurable) if (to === this.#self) this.receive(this.#self, message)
  }

  /** What is to be done now; see the host's duties above. `dueMs`: from this log time on the state machine has something to do by itself. */
  ready(host: { readonly diskIdle: boolean; readonly wallMs: number; readonly dueMs?: number | undefined }): Ready {
    this.#wallMs = host.wallMs
    this.#patience.onDisk(host.diskIdle, this.#nowMs)
    if (this.#state.phase === 'leading') {
      const { leader } = this.#state
      for (const { from, id } of this.#readIndexRequests.takeAll()) leader.readIndex(from, id)
      if (host.diskIdle) leader.proposeQueued(host.wallMs, this.#nowMs, host.dueMs)
      leader.flush(this.#nowMs)
    } else {
      const to = this.#followed.wayThere(this.#nowMs)
      if (to !== 0) this.#readIndexRequests.flushTo(to, this.#nowMs)
    }
    if (host.diskIdle && this.#out.hasRecords) this.persistDecidedUpTo()
    return this.#out.take(host.diskIdle)
  }

  /** The watermark rides along with other records; a host that is about to stop may ask for it by itself. */
  persistDecidedUpTo(): void {
    this.#watermark.persist()
  }

  // --- joining --------------------------------------------------------------------------------------------------------------------

  #onJoin(from: NodeId, m: Join): void {
    const records = this.#state.phase === 'joining' ? [] : this.#memberships.toRecords()
    this.#bootstrap.onJoin(from, m, records, this.settledEpoch)
    const member = this.#state.phase === 'joining' ? undefined : this.#memberships.latest.member(from)
    if (member === undefined || member.dataDirId === m.dataDirId) return
    const { dataDirId } = m
    // Whoever joins may not know who leads by now.
    if (member.dataDirId === '') this.changeMembership(NOBODY_ASKS, { kind: 'bind', nodeId: from, dataDirId })
    else if (member.dataDirId === m.replacesDataDirId) {
      const change = { kind: 'reset', nodeId: from, dataDirId: m.replacesDataDirId, newDataDirId: dataDirId } as const
      this.changeMembership(NOBODY_ASKS, change)
    }
  }

  #onWelcome(from: NodeId, m: Welcome): void {
    if (this.#state.phase !== 'joining') return this.#onMembershipTold(m)
    // The seed's own welcome comes through onDurable, when it already has its genesis.
    if (!this.#bootstrap.onWelcome(from, m) && this.#bootstrap.genesis?.clusterId !== m.genesis.clusterId) return
    this.onMembershipsTold(m.memberships)
    this.#start(m.genesis, [genesisRecord(m.genesis)])
  }

  /** That node was removed, and may not know. */
  #tellRemoved(nodeId: NodeId): void {
    if (this.isMembershipSettled) this.#bootstrap.welcome(nodeId, this.#memberships.toRecords(), this.settledEpoch)
  }

  /** By somebody who knows this node no more. */
  #onMembershipTold({ genesis, memberships: [record], settledEpoch }: Welcome): void {
    if (record === undefined || genesis.clusterId !== this.#bootstrap.genesis?.clusterId) return
    if (settledEpoch >= record.epoch && wasRemovedBy(record, this.#self)) this.#isToldRemoved = true
  }

  #start(genesis: Genesis, memberships: readonly MembershipRecord[]): void {
    this.#memberships = new Memberships(memberships, genesis.windowSlots)
    this.#replica = this.#makeReplica(this.#recovered.compactedUpTo)
    this.#watermark = this.#makeWatermark()
    this.#state = this.#followingFrom(this.#nowMs)
    this.#onMembershipChanged()
  }

  #makeWatermark(): Watermark {
    return new Watermark({ replica: this.#replica, out: this.#out, durableUpTo: this.#recovered.decidedUpTo })
  }

  #makeReplica(compactedUpTo: Slot): Replica {
    const replica = new Replica({
      self: this.#self,
      memberships: this.#memberships,
      acceptor: this.#acceptor,
      clock: this.#clock,
      out: this.#out,
      options: this.#options,
      decidedUpTo: this.#recovered.decidedUpTo,
      others: () => this.#others(),
      onMembershipChanged: () => this.#onMembershipChanged(),
    })
    replica.compactedUpTo = compactedUpTo
    return replica
  }

  // --- membership -----------------------------------------------------------------------------------------------------------------

  #onMembershipChanged(): void {
    const learnsFirst = this.#replica.decidedUpTo < this.#learnsFirstUpTo
    this.#acceptor.votesFrom = learnsFirst ? 0 : this.#memberships.votesFrom(this.#self, this.#dataDirId)
    // The membership is settled only when a majority knows it on disk: nobody waits for the next write to take it along.
    if (this.#memberships.current.fromSlot - 1 > this.#watermark.persistedUpTo) this.persistDecidedUpTo()
    if (this.#state.phase === 'leading') this.#state.leader.onMembershipChanged()
    if (this.#state.phase === 'scouting') this.#state.scout.ask()
  }

  /** Every other member, as far as this node knows, ascending. */
  #others(): NodeId[] {
    const nodeIds = new Set(this.#memberships.othersThan(this.#self))
    for (const { nodeId } of this.knownMembership?.members ?? []) if (nodeId !== this.#self) nodeIds.add(nodeId)
    return [...nodeIds].toSorted((a, b) => a - b)
  }

  /** A member, or one that was added after what this node has learned: the way here has seen to it that it is of this cluster. */
  #isKnown(nodeId: NodeId): boolean {
    return (
      nodeId > this.#memberships.latest.lastNodeId || this.#memberships.governing.some((membership) => membership.has(nodeId))
    )
  }

  #proposeChange(from: NodeId, { requestId, change }: ChangeMembership): void {
    if (this.#state.phase !== 'leading') return
    const refusal = this.#state.leader.changeMembership(change, this.#nowMs)
    if (refusal === undefined || requestId === NOBODY_ASKS) return
    const message = { kind: 'changeMembershipRefused', requestId, ...refusal } as const
    if (from === this.#self) this.#out.refuse(message)
    else this.#out.send(from, message)
  }

  /** A peer does not listen to this node any more: it was removed, and that is settled. */
  onRefusedAsRemoved(): void {
    this.#isToldRemoved = true
  }

  /** By what it has learned itself. */
  get #isRemoved(): boolean {
    const { current, latest } = this.#memberships
    return current === latest && this.isMembershipSettled && wasRemovedBy(current, this.#self)
  }

  /** A leader whose vote has gone asks another to lead; whoever is a member no more stops, a little later: it may have answers to give. */
  #checkRemoved(): void {
    if (this.#state.phase === 'leading' && this.#state.leader.shouldResign && !this.#state.leader.isHandingOver) {
      // It asks once: if that was in vain, its silence will do.
      if (this.#state.leader.hasHandedOver || !this.#state.leader.handOver()) this.#becomeFollowing()
    }
    if (this.#state.phase === 'joining' || !(this.#isToldRemoved || this.#isRemoved)) return
    this.#removedSinceMs ??= this.#nowMs
    if (this.#nowMs - this.#removedSinceMs < 2 * this.#options.electionTimeoutMsMax) return
    const message = `node ${this.#self} was removed from the cluster: it has nothing more to do, and its number is never given again`
    this.#out.halt({ code: 'REMOVED', message })
  }

  // --- messages -------------------------------------------------------------------------------------------------------------------

  #receiveAsMember(from: NodeId, m: Exclude<CoreMessage, { kind: 'join' | 'welcome' }>): void {
    switch (m.kind) {
      case 'prepare':
        // The next page of its own promise, but it has promised a higher ballot meanwhile: nobody waits for a nack.
        if (from === this.#self && m.ballot < this.#acceptor.promised) return
        this.#acceptor.onPrepare(from, m)
        return this.#onPromisedTo(m.ballot)
      case 'promise':
        return this.#onPromise(from, m)
      case 'accept':
        return this.#onAccept(from, m)
      case 'accepted':
        return this.#state.phase === 'leading' ? this.#state.leader.onAccepted(from, m) : undefined
      case 'nack':
        return this.#onNack(m)
      case 'heartbeat':
        if (!this.#hearLeader(from, m.ballot)) return
        this.#settledEpoch = Math.max(this.#settledEpoch, m.settledEpoch)
        this.#followed.onHeardByLeader(m.heard)
        this.#replica.onHeartbeat(from, m.ballot, m.decidedUpTo, this.#nowMs)
        return this.#out.send(from, {
          kind: 'heartbeatAck',
          ballot: m.ballot,
          round: this.#isVoterTo(m.decidedUpTo) ? m.round : 0,
          decidedUpTo: this.#replica.decidedUpTo,
          durableUpTo: this.#watermark.durableUpTo,
          wallMs: this.#wallMs,
        })
      case 'heartbeatAck':
        return this.#state.phase === 'leading' ? this.#state.leader.onHeartbeatAck(from, m, this.#nowMs) : undefined
      case 'decided':
        if (this.#hearLeader(from, m.ballot)) this.#replica.onWatermark(from, m.ballot, m.decidedUpTo, this.#nowMs)
        return
      case 'propose':
        return this.#onPropose(m)
      case 'proposeRefused':
        return this.#out.refusePage(m.pageId)
      case 'catchUp':
        return this.#replica.onCatchUp(from, m)
      case 'catchUpReply':
        return this.#onCatchUpReply(from, m)
      case 'readIndex':
        // The leader answers; a follower asks it for whoever cannot.
        return this.#state.phase === 'leading'
          ? this.#state.leader.readIndex(from, m.readId)
          : this.#readIndexRequests.add(from, m.readId)
      case 'readIndexReply':
        return this.#readIndexRequests.onReply(m)
      case 'poll':
        return this.#onPoll(from, m)
      case 'pollReply':
        return this.#onPollReply(from, m)
      case 'takeOver':
        if (this.#state.phase === 'following' && this.#followed.ballot === m.ballot && nodeOf(m.ballot) === from && this.isVoter)
          this.#becomeScouting()
        return
      case 'changeMembership':
        return this.#proposeChange(from, m)
      case 'changeMembershipRefused':
        return this.#out.refuse(m)
      case 'handOver':
        if (this.#state.phase === 'leading' && m.toNodeId !== this.#self) this.#state.leader.handOver(m.toNodeId)
    }
  }

  #onAccept(from: NodeId, m: Accept): void {
    if (from !== this.#self && !this.#hearLeader(from, m.ballot)) return
    this.#acceptor.onAccept(from, m)
    if (m.value.kind === 'batch') this.#clock.onSeen(m.value.timeMs)
    this.#replica.onWatermark(from, m.ballot, m.decidedUpTo, this.#nowMs)
  }

  #onPropose(m: Propose): void {
    if (this.#state.phase === 'leading') {
      const isTaken = this.#state.leader.enqueue(m.commands)
      const mayHear = m.pageId !== 0 && m.originNodeId !== this.#self && this.#isKnown(m.originNodeId)
      if (!isTaken && mayHear) this.#out.send(m.originNodeId, { kind: 'proposeRefused', pageId: m.pageId })
      return
    }
    if (this.leaderId !== 0 && m.hops < HOPS_MAX) {
      this.#out.send(this.leaderId, { ...m, hops: m.hops + 1 })
    }
  }

  #onCatchUpReply(from: NodeId, m: CatchUpReply): void {
    // As if it had been lost, and asked for again.
    if (this.#acceptor.isFull) return
    // Followers take what they accepted in this node's ballot for the decision once it calls the slot decided. Of a slot that a higher
    // ballot decided it must not say so: they may have accepted another value.
    const isOvertaken = this.#state.phase === 'leading' && m.entries.some((entry) => entry.ballot > this.#ownBallot())
    if (isOvertaken) this.#becomeFollowing()
    this.#replica.onCatchUpReply(from, m, this.#nowMs)
    if (this.#state.phase === 'leading') this.#state.leader.onLearned()
    if (this.#state.phase === 'scouting') this.#maybeLead(this.#state.scout)
  }

  // --- following ------------------------------------------------------------------------------------------------------------------

  /** Somebody leads in `ballot`. False, and the sender is told, when a higher one is known. */
  #hearLeader(from: NodeId, ballot: Ballot): boolean {
    if (nodeOf(ballot) !== from) return false
    const highest = Math.max(this.#acceptor.promised, this.#followed.ballot)
    if (ballot < highest) {
      this.#out.send(from, { kind: 'nack', ballot, promised: highest })
      return false
    }
    if (ballot > this.#followed.ballot) this.#readIndexRequests.askAgain()
    this.#followed.onHeard(ballot, this.#nowMs)
    this.#patience.onLed()
    this.#highestSeen = Math.max(this.#highestSeen, ballot)
    this.#becomeFollowing()
    return true
  }

  /**
   * Whether a leader that knows the slots up to there knows that this life of the node votes. To one that does not, its name stands for an
   * earlier life, whose promises it cannot speak for.
   */
  #isVoterTo(decidedUpTo: Slot): boolean {
    const { votesFrom } = this.#acceptor
    return votesFrom > 0 && decidedUpTo + this.#memberships.windowSlots >= votesFrom
  }

  #takeDetour(): void {
    if (this.#state.phase === 'following') this.#followed.takeDetour(this.#nowMs)
  }

  /** This node's acceptor has promised `ballot` (or had promised a higher one): if it led in a lower one, it leads no more. */
  #onPromisedTo(ballot: Ballot): void {
    this.#highestSeen = Math.max(this.#highestSeen, ballot)
    const own = this.#ownBallot()
    if (own !== NO_BALLOT && own < this.#acceptor.promised) return this.#becomeFollowing()
    // Whoever is promised a ballot gets time to lead in it, instead of a rival scout in the middle of its pages.
    if (own === NO_BALLOT && ballot === this.#acceptor.promised) this.#becomeFollowing()
  }

  #onNack(m: Nack): void {
    this.#highestSeen = Math.max(this.#highestSeen, m.promised)
    if (m.ballot === this.#ownBallot() && m.promised > m.ballot) this.#becomeFollowing()
  }

  /** The ballot that this node leads or scouts in. */
  #ownBallot(): Ballot {
    if (this.#state.phase === 'leading') return this.#state.leader.ballot
    return this.#state.phase === 'scouting' ? this.#state.scout.ballot : NO_BALLOT
  }

  #followingFrom(nowMs: number, delayMs = this.#options.electionTimeoutMsMin): State {
    return { phase: 'following', electionAtMs: nowMs + this.#patience.silenceMs(delayMs) + this.#followed.extraMs }
  }

  #becomeFollowing(delayMs?: number): void {
    if (this.#state.phase === 'leading') {
      const { leader } = this.#state
      for (const { from, id } of leader.takeReads()) if (from === this.#self) this.#readIndexRequests.add(from, id)
      this.#settledEpoch = leader.settledEpoch
    }
    this.#state = this.#followingFrom(this.#nowMs, delayMs)
  }

  // --- asking around --------------------------------------------------------------------------------------------------------------

  /** No leader is heard. Who does not vote asks around all the same: what it misses it learns so. */
  #onSilence(): void {
    // Its own promise would have to wait, too; and so does the one that it may have given to whoever leads next.
    if (this.#patience.isWriting(this.#nowMs)) return
    if (this.isVoter) return this.#becomePolling()
    this.#becomeFollowing()
    for (const to of this.#others()) this.#out.send(to, { kind: 'poll', pollId: ++this.#lastPollId })
  }

  #becomePolling(): void {
    const granted = new JointTally(this.#memberships.governing)
    granted.add(this.#self)
    this.#followed.goStraight()
    this.#readIndexRequests.askAgain()
    this.#state = {
      phase: 'polling',
      pollId: ++this.#lastPollId,
      granted,
      endsAtMs: this.#nowMs + this.#options.retryDelayMs,
    }
    for (const to of this.#others()) this.#out.send(to, { kind: 'poll', pollId: this.#lastPollId })
    if (granted.hasQuorum) this.#becomeScouting()
  }

  /** Would this node follow the asker? Yes, if it follows it already, or hears nobody that leads. */
  #onPoll(from: NodeId, m: Poll): void {
    const patienceMs = this.#options.electionTimeoutMsMin - this.#options.heartbeatIntervalMs
    const isLed =
      this.#state.phase === 'leading' ||
      (this.#followed.isHeard(this.#nowMs, patienceMs) && nodeOf(this.#followed.ballot) !== from)
    this.#out.send(from, {
      kind: 'pollReply',
      pollId: m.pollId,
      granted: !isLed,
      promised: this.#acceptor.promised,
      leaderId: isLed ? this.leaderId : 0,
      decidedUpTo: this.#replica.decidedUpTo,
    })
  }

  #onPollReply(from: NodeId, m: PollReply): void {
    this.#highestSeen = Math.max(this.#highestSeen, m.promised)
    this.#replica.noteDecided(from, m.decidedUpTo, this.#nowMs)
    if (this.#state.phase !== 'polling' || m.pollId !== this.#state.pollId) return
    if (m.granted) {
      this.#state.granted.add(from)
      if (this.#state.granted.hasQuorum) this.#becomeScouting()
    } else if (m.leaderId !== this.#self) {
      // A leader that this node cannot hear is alive: commands and reads go through whoever can.
      this.#followed.goThrough(from)
    }
  }

  // --- scouting -------------------------------------------------------------------------------------------------------------------

  #becomeScouting(): void {
    const ballot = nextBallot(Math.max(this.#highestSeen, this.#acceptor.promised), this.#self)
    this.#highestSeen = ballot
    const fromSlot = this.#replica.decidedUpTo + 1
    const scout = new Scout({ ballot, fromSlot, self: this.#self, memberships: this.#memberships, out: this.#out })
    this.#state = {
      phase: 'scouting',
      scout,
      retryAtMs: this.#nowMs + this.#options.retryDelayMs,
      endsAtMs: this.#nowMs + this.#patience.attemptMs,
      learnedUpTo: this.#replica.decidedUpTo,
    }
    this.#patience.onAttempt()
    this.#acceptor.onPrepare(this.#self, { kind: 'prepare', ballot, fromSlot })
    scout.ask()
  }

  #onPromise(from: NodeId, m: Promised): void {
    if (m.ballot !== this.#ownBallot()) return
    if (this.#state.phase === 'leading') return this.#state.leader.onPromise(from, m, this.#nowMs)
    if (this.#state.phase !== 'scouting') return
    // A page is progress: many of them may take longer than an election timeout.
    if (this.#state.scout.onPromise(from, m)) this.#state.endsAtMs = this.#nowMs + this.#patience.attemptMs
    this.#maybeLead(this.#state.scout)
  }

  /** A majority has promised, and this node knows every slot that one of them knows to be decided. */
  #maybeLead(scout: Scout): void {
    if (!scout.hasQuorum) return
    if (scout.decidedUpTo > this.#replica.decidedUpTo) {
      return this.#replica.noteDecided(scout.decidedSource, scout.decidedUpTo, this.#nowMs)
    }
    const leader = new Leader({
      self: this.#self,
      scout,
      memberships: this.#memberships,
      acceptor: this.#acceptor,
      replica: this.#replica,
      clock: this.#clock,
      out: this.#out,
      options: this.#options,
      nowMs: this.#nowMs,
      settledEpoch: this.#settledEpoch,
      watermark: this.#watermark,
      silences: this.#silences,
    })
    this.#followed.onOwnBallot(scout.ballot)
    this.#patience.onLed()
    this.#state = { phase: 'leading', leader }
    leader.adopt(this.#nowMs)
  }

  #tickScouting(state: State & { phase: 'scouting' }): void {
    const isOwnPromiseOnItsWay = this.#patience.isWriting(this.#nowMs)
    if (this.#replica.decidedUpTo > state.learnedUpTo || isOwnPromiseOnItsWay) {
      // Still learning what the promises told of, or still writing its own: that is progress, not silence.
      state.learnedUpTo = this.#replica.decidedUpTo
      state.endsAtMs = this.#nowMs + this.#patience.attemptMs
    }
    if (this.#nowMs >= state.endsAtMs) return this.#becomeFollowing(this.#options.heartbeatIntervalMs)
    if (this.#nowMs < state.retryAtMs) return
    state.retryAtMs = this.#nowMs + this.#options.retryDelayMs
    state.scout.ask()
  }
}
