import { assert } from './assert.js'
import { NO_BALLOT } from './ballot.js'
import type { ClockReport } from './log-clock.js'
import type { Memberships } from './memberships.js'
import type { CoreMessage } from './messages.js'
import type { Phase } from './node/elections.js'
import { receiveAsMember } from './node/member-messages.js'
import { assemble, type Parts } from './node/parts.js'
import type { ProposeOutcome } from './node/requests.js'
import type { NodeSettings } from './node/roles.js'
import type { Ready } from './outbox.js'
import type { Ballot, Genesis, LogEntry, MembershipChange, MembershipRecord, NodeId, Slot } from './types.js'

export type { NodeSettings, Phase, ProposeOutcome }

/**
 * One process's core: the roles of "Clustering by Consensus" and "Paxos Made Moderately Complex" behind one step function.
 *
 * The host's duties. Inputs: it calls `tick` often (about every 10 ms), `advance` before other inputs, `receive` for each peer message,
 * `propose` and `readIndex` for clients. Then, as often as it likes but never two at a time, it takes `ready({ diskIdle, wallMs })` and
 *   1. sends `messages`;
 *   2. writes `records` with one sync; a failed write stops the node and is never retried;
 *   3. after the write, sends the `onceDurable` for other nodes, and calls `onDurable(ready)`, which delivers this node's own;
 *   4. applies `decided` in order, and answers the reads of `readIndexes` whose slot is applied (neither waits for the write);
 *   5. answers `logRequests` from the durable log with CatchUpReply messages;
 *   6. if there is a `halt`, does none of this, and stops;
 *   7. fetches a wanted checkpoint from a peer, one at a time, and calls `onCheckpointInstalled` when it has replaced this node's own
 *      state and log; no write is in flight then.
 * While a write is in flight, the host passes `diskIdle: false` and gets only effects that need no disk: records gather for the next write.
 * Now and then it calls `persistDecidedUpTo`: only so does the watermark of an idle node reach the disk, and peers are served old slots
 * from the log up to the durable watermark only. It sets `compactedUpTo` when it has removed slots from the log.
 */
export class Node {
  readonly #parts: Parts

  constructor(settings: NodeSettings) {
    this.#parts = assemble(settings, () => this.#onMembershipChanged())
    this.#parts.joining.resume(settings.memberships)
  }

  // --- inputs ---------------------------------------------------------------------------------------------------------------------

  /**
   * Sets the clocks before other inputs; `tick`, after these, acts on them. `nowMs` is the clock for waiting on others, of any origin; it
   * never goes back. `monotonicMs` is the clock of real elapsed time.
   */
  advance(nowMs: number, monotonicMs = nowMs): void {
    const { time } = this.#parts
    time.nowMs = nowMs
    time.monotonicMs = monotonicMs
  }

  /** Sets the clocks as `advance` does, and does what is due: elections, heartbeats, retries. */
  tick(nowMs: number, monotonicMs = nowMs): void {
    this.advance(nowMs, monotonicMs)
    const { elections, joining, removal, replica, readIndexRequests, requests } = this.#parts
    if (!elections.hasJoined) return joining.tick(nowMs)
    elections.tick()
    removal.tick(nowMs)
    replica.tick(nowMs)
    if (readIndexRequests.tick(nowMs)) requests.takeDetour()
  }

  /** Takes a message from another node or, through onDurable, from this one. Messages of unknown nodes are ignored. */
  receive(from: NodeId, m: CoreMessage): void {
    const { elections, joining, told } = this.#parts
    if (m.kind === 'join') return joining.onJoin(from, m)
    if (m.kind === 'welcome') return joining.onWelcome(from, m)
    if (!elections.hasJoined) return
    if (told.isKnown(from)) receiveAsMember(this.#parts, from, m)
    else if (m.kind === 'poll') joining.tellRemoved(from)
  }

  /** Takes the memberships that a peer of this cluster has reported: kept if they are newer than those that this node knows. */
  onMembershipsTold(memberships: readonly MembershipRecord[]): void {
    this.#parts.told.onTold(memberships)
  }

  /** A peer has refused this node: it was removed, and the removal is settled. */
  onRefusedAsRemoved(): void {
    this.#parts.removal.onRefused()
  }

  /**
   * Makes this node learn the slots up to this one before it votes again. A membership that it was told of shows
   * that they are decided, and only voters of that membership or later ones know how far this node's directory had got.
   */
  learnFirst(upTo: Slot): void {
    this.#parts.votingRight.learnFirst(upTo)
    if (this.#parts.elections.hasJoined) this.#onMembershipChanged()
  }

  /** Adds a peer to those that are asked to let this node in. */
  joinThrough(peer: NodeId): void {
    this.#parts.joining.joinThrough(peer)
  }

  /**
   * Set while the host can hold no more decided slots that are not applied. The node accepts, proposes and learns no new slots then; it
   * follows and leads as before.
   */
  set isFull(isFull: boolean) {
    this.#parts.acceptor.isFull = isFull
  }

  /** The last slot that is no longer in the host's log: a peer that needs it must fetch a checkpoint. */
  set compactedUpTo(slot: Slot) {
    this.#parts.replica.compactedUpTo = slot
  }

  // --- requests -------------------------------------------------------------------------------------------------------------------

  /**
   * Proposes commands of this node's clients. `isRetry`: some of them were sent before and have not been decided since. `pageId`: a number
   * for these commands, which Ready.refusedPages returns when the leader, another node, has no room for them; 0: none.
   */
  propose(commands: readonly Uint8Array[], options: { isRetry?: boolean; pageId?: number } = {}): ProposeOutcome {
    return this.#parts.requests.propose(commands, options)
  }

  /** True when commands that are proposed now would be taken, or sent to a node that may take them. */
  get canPropose(): boolean {
    const { elections, requests } = this.#parts
    return elections.leader !== undefined || requests.route !== 0
  }

  /**
   * Requests the read index of a linearizable read. Ready.readIndexes returns it, or never does if no leader is found: the caller must
   * have a deadline.
   */
  readIndex(token: number): void {
    this.#parts.readIndexRequests.add(this.#parts.self, token)
  }

  /**
   * Proposes a change of the membership, or asks the leader to. The caller repeats this until `memberships` shows the change, or it is
   * refused (Ready.refusals): a change that is already proposed or made is not proposed again. `requestId` is 1 or above; 0: no refusal
   * is sent.
   */
  changeMembership(requestId: number, change: MembershipChange): 'sent' | 'noLeader' {
    return this.#parts.requests.changeMembership(requestId, change)
  }

  /**
   * Hands leadership over to a node, the given one or (0) the most advanced. A node that does not lead asks the leader to; it must name
   * a node. False when there is no node to ask.
   */
  handOver(to: NodeId = 0): boolean {
    return this.#parts.requests.handOver(to)
  }

  // --- outputs --------------------------------------------------------------------------------------------------------------------

  /** Takes the effects to carry out; see the host's duties above. `nextDeadlineMs`: the log time of the state machine's next deadline. */
  ready(host: { readonly diskIdle: boolean; readonly wallMs: number; readonly nextDeadlineMs?: number | undefined }): Ready {
    const { requests, patience, out, time } = this.#parts
    time.wallMs = host.wallMs
    patience.onDisk(host.diskIdle, time.nowMs)
    requests.flush(host.diskIdle, host.nextDeadlineMs)
    if (host.diskIdle && out.hasRecords) this.persistDecidedUpTo()
    return out.take(host.diskIdle)
  }

  /** Writes the watermark, if it has moved, with the next records. `ready` does so when there are others; a host may ask for it before it stops. */
  persistDecidedUpTo(): void {
    this.#parts.watermark.persist()
  }

  /** The records of `ready` are on disk: this node's messages to itself, such as its own vote, are delivered. */
  onDurable(ready: Ready): void {
    const { self, elections, watermark } = this.#parts
    for (const record of ready.records) {
      if (record.kind === 'decidedUpTo') watermark.onDurable(record.slot)
      // The node that was promised a ballot gets time to lead from when it can receive the promise.
      else if (record.kind === 'promised' && elections.phase === 'following') elections.becomeFollowing()
    }
    for (const { to, message } of ready.onceDurable) if (to === self) this.receive(self, message)
  }

  /**
   * A peer's checkpoint of the state after `slot` has replaced this node's own state and log, durably. Its promise and its votes above
   * the slot are unchanged.
   */
  onCheckpointInstalled(installed: {
    readonly slot: Slot
    readonly timeMs: number
    readonly memberships: readonly MembershipRecord[]
  }): void {
    const { elections, memberships, replica, clock, watermark, out } = this.#parts
    assert(elections.hasJoined, 'only a member installs a checkpoint')
    assert(installed.slot > replica.decidedUpTo, 'a checkpoint is installed to get ahead')
    if (elections.phase !== 'following') elections.becomeFollowing()
    out.dropRecords(installed.slot)
    memberships.restart(installed.memberships)
    replica.onInstalled(installed.slot)
    clock.onSeen(installed.timeMs)
    watermark.onInstalled(installed.slot)
    this.#onMembershipChanged()
  }

  // --- status ---------------------------------------------------------------------------------------------------------------------

  get phase(): Phase {
    return this.#parts.elections.phase
  }

  get genesis(): Genesis | undefined {
    return this.#parts.joining.genesis
  }

  get promised(): Ballot {
    return this.#parts.acceptor.promised
  }

  get decidedUpTo(): Slot {
    return this.#parts.replica.decidedUpTo
  }

  /** The memberships that govern open slots, as far as this node has learned; undefined before it has joined. */
  get memberships(): Memberships | undefined {
    return this.#parts.elections.hasJoined ? this.#parts.memberships : undefined
  }

  /** The latest membership that this node has learned or was told of. */
  get knownMembership(): MembershipRecord | undefined {
    return this.knownMemberships.at(-1)
  }

  /** As above, after the one that is still in force. Every slot below the first one's fromSlot is decided. Empty while joining. */
  get knownMemberships(): readonly MembershipRecord[] {
    return this.#parts.told.known
  }

  /** The memberships that peers have reported last, if they were newer than the known ones at that time. */
  get toldMemberships(): readonly MembershipRecord[] {
    return this.#parts.told.told
  }

  /** See Bootstrap.differences. */
  get formingDifferences(): ReadonlyMap<NodeId, string> {
    return this.#parts.joining.differences
  }

  /** See SettledEpoch. */
  get settledEpoch(): number {
    return this.#parts.settled.epoch
  }

  /** See SettledEpoch.isCurrent. */
  get isMembershipSettled(): boolean {
    return this.#parts.settled.isCurrent
  }

  /** True when this node votes, now or from a slot on that it knows. */
  get isVoter(): boolean {
    return this.#parts.votingRight.isHeld
  }

  /** On a leader: the decided slots of each other member, as it has reported last. */
  get progress(): ReadonlyMap<NodeId, Slot> {
    return this.#parts.elections.leader?.progress ?? new Map()
  }

  /** The node that leads, as far as this one knows; 0 for none. */
  get leaderId(): NodeId {
    return this.#parts.elections.leaderId
  }

  /** The ballot of the leader, this node or the one that it follows; 0 for none. */
  get leaderBallot(): Ballot {
    const { elections, followed } = this.#parts
    if (elections.leader !== undefined) return elections.leader.ballot
    return elections.leaderId === 0 ? NO_BALLOT : followed.ballot
  }

  /** On a leader: the log time of a value that is proposed now, in ms since 1970; 0 while it is not known, and on other nodes. */
  get logTimeMs(): number {
    const { elections, clock } = this.#parts
    return elections.leader !== undefined && clock.isSet ? clock.timeMs : 0
  }

  /** On a leader: the difference between log time and the clocks. */
  get clockReport(): ClockReport | undefined {
    return this.#parts.elections.leader && this.#parts.clock.report
  }

  /** On a leader: returns how far log time has jumped, beyond elapsed time, since the last call, in ms. */
  takeLeapMs(): number {
    return this.#parts.clock.takeLeapMs()
  }

  /** The votes for slots that are not known to be decided, for invariants and tests. Returns the same array until a vote changes. */
  get openVotes(): readonly LogEntry[] {
    return this.#parts.acceptor.openVotes
  }

  /** The ballot that this node leads in, for invariants and tests; 0 for none. */
  get leadingBallot(): Ballot {
    return this.#parts.elections.leader?.ballot ?? NO_BALLOT
  }

  #onMembershipChanged(): void {
    const { votingRight, memberships, watermark, elections } = this.#parts
    votingRight.onMembershipChanged()
    // The membership is settled only when a majority has it on disk: the watermark is written at once, and not with the next records.
    if (memberships.current.fromSlot - 1 > watermark.persistedUpTo) watermark.persist()
    elections.onMembershipChanged()
  }
}
