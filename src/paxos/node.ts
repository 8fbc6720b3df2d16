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
  readonly #parts: Parts

  constructor(settings: NodeSettings) {
    this.#parts = assemble(settings, () => this.#onMembershipChanged())
    this.#parts.joining.resume(settings.memberships)
  }

  // --- inputs ---------------------------------------------------------------------------------------------------------------------

  /**
   * Time has passed, as it must be known before other inputs; what it means is left to `tick`, which comes when they have been taken.
   * `nowMs`: what counts in waiting for others, of any origin; it never goes back. `monotonicMs`: what has really passed.
   */
  advance(nowMs: number, monotonicMs = nowMs): void {
    const { time } = this.#parts
    time.nowMs = nowMs
    time.monotonicMs = monotonicMs
  }

  /** As `advance`; then whatever waited for this long is done. */
  tick(nowMs: number, monotonicMs = nowMs): void {
    this.advance(nowMs, monotonicMs)
    const { elections, joining, removal, replica, readIndexRequests, requests } = this.#parts
    if (!elections.hasJoined) return joining.tick(nowMs)
    elections.tick()
    removal.tick(nowMs)
    replica.tick(nowMs)
    if (readIndexRequests.tick(nowMs)) requests.takeDetour()
  }

  /** A message from another node (or, through onDurable, from this one). Strangers are not listened to. */
  receive(from: NodeId, m: CoreMessage): void {
    const { elections, joining, told } = this.#parts
    if (m.kind === 'join') return joining.onJoin(from, m)
    if (m.kind === 'welcome') return joining.onWelcome(from, m)
    if (!elections.hasJoined) return
    if (told.isKnown(from)) receiveAsMember(this.#parts, from, m)
    else if (m.kind === 'poll') joining.tellRemoved(from)
  }

  /** A peer of this cluster has told who its members are: kept if it is newer than what this node knows. */
  onMembershipsTold(memberships: readonly MembershipRecord[]): void {
    this.#parts.told.onTold(memberships)
  }

  /** A peer does not listen to this node any more: it was removed, and that is settled. */
  onRefusedAsRemoved(): void {
    this.#parts.removal.onRefused()
  }

  /**
   * Slots up to this one are decided, says a membership that this node was told of, and only the voters of that one and of later ones
   * know how far its directory had got: it votes again only in slots above, and learns those up to there.
   */
  learnFirst(upTo: Slot): void {
    this.#parts.votingRight.learnFirst(upTo)
    if (this.#parts.elections.hasJoined) this.#onMembershipChanged()
  }

  /** Asks this node, too, to be let in: somebody who has said that it is a peer. */
  joinThrough(peer: NodeId): void {
    this.#parts.joining.joinThrough(peer)
  }

  /**
   * The host holds as much that is decided and not applied as it can: until it has applied it, this node votes for nothing new, proposes
   * nothing, and learns nothing. It follows and leads as before.
   */
  set isFull(isFull: boolean) {
    this.#parts.acceptor.isFull = isFull
  }

  /** Slots up to here are no longer in the host's log: whoever asks for them is told to fetch a checkpoint. */
  set compactedUpTo(slot: Slot) {
    this.#parts.replica.compactedUpTo = slot
  }

  // --- requests -------------------------------------------------------------------------------------------------------------------

  /**
   * Commands of this node's clients; `isRetry` if some of them were sent before and have not been decided since. `pageId`, if it is not 0:
   * comes back in Ready.refusedPages when another node leads and has no room for them.
   */
  propose(commands: readonly Uint8Array[], options: { isRetry?: boolean; pageId?: number } = {}): ProposeOutcome {
    return this.#parts.requests.propose(commands, options)
  }

  /** Whether commands that are proposed now would be taken, or sent to somebody who may take them. */
  get canPropose(): boolean {
    const { elections, requests } = this.#parts
    return elections.leader !== undefined || requests.route !== 0
  }

  /**
   * Asks for the read index of a linearizable read: it comes back in Ready.readIndexes, or never if no leader is found; the caller's
   * deadline ends the wait.
   */
  readIndex(token: number): void {
    this.#parts.readIndexRequests.add(this.#parts.self, token)
  }

  /**
   * Asks the leader to propose a change of the membership, or does so. To be repeated until `memberships` says that it is made, or it is
   * refused (Ready.refusals), or nobody waits for it any more: a change that is proposed or made already is not proposed again.
   * `requestId` is 1 or above; a change with 0 is not refused in words.
   */
  changeMembership(requestId: number, change: MembershipChange): 'sent' | 'noLeader' {
    return this.#parts.requests.changeMembership(requestId, change)
  }

  /**
   * Asks another node to lead, that one or (0) the most advanced: of a leader, before it stops; any other node asks the leader to. False
   * when there is nobody to ask.
   */
  handOver(to: NodeId = 0): boolean {
    return this.#parts.requests.handOver(to)
  }

  // --- outputs --------------------------------------------------------------------------------------------------------------------

  /** What is to be done now; see the host's duties above. `dueMs`: from this log time on the state machine has something to do by itself. */
  ready(host: { readonly diskIdle: boolean; readonly wallMs: number; readonly dueMs?: number | undefined }): Ready {
    const { requests, patience, out, time } = this.#parts
    time.wallMs = host.wallMs
    patience.onDisk(host.diskIdle, time.nowMs)
    requests.flush(host.diskIdle, host.dueMs)
    if (host.diskIdle && out.hasRecords) this.persistDecidedUpTo()
    return out.take(host.diskIdle)
  }

  /** The watermark rides along with other records; a host that is about to stop may ask for it by itself. */
  persistDecidedUpTo(): void {
    this.#parts.watermark.persist()
  }

  /** The records of `ready` are on disk: what this node had to say to itself counts now. */
  onDurable(ready: Ready): void {
    const { self, elections, watermark } = this.#parts
    for (const record of ready.records) {
      if (record.kind === 'decidedUpTo') watermark.onDurable(record.slot)
      // Whoever is promised a ballot gets time to lead in it from when it hears of the promise.
      else if (record.kind === 'promised' && elections.phase === 'following') elections.becomeFollowing()
    }
    for (const { to, message } of ready.onceDurable) if (to === self) this.receive(self, message)
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

  /** Who governs the slots that are open, as far as this node has learned; undefined before there is a genesis. */
  get memberships(): Memberships | undefined {
    return this.#parts.elections.hasJoined ? this.#parts.memberships : undefined
  }

  /** The latest membership that this node has learned, or was told of. */
  get knownMembership(): MembershipRecord | undefined {
    return this.knownMemberships.at(-1)
  }

  /** The same with the one before it, if that is still in force: every slot below the first one's fromSlot is decided. Empty while joining. */
  get knownMemberships(): readonly MembershipRecord[] {
    return this.#parts.told.known
  }

  /** What peers have told last, if it was newer than what was known then. */
  get toldMemberships(): readonly MembershipRecord[] {
    return this.#parts.told.told
  }

  /** While the cluster is not formed: see Bootstrap.differences. */
  get formingDifferences(): ReadonlyMap<NodeId, string> {
    return this.#parts.joining.differences
  }

  /** See SettledEpoch. */
  get settledEpoch(): number {
    return this.#parts.settled.epoch
  }

  /** Whether the membership in force here is settled: only then may whoever it has not be sent away. */
  get isMembershipSettled(): boolean {
    return this.#parts.settled.isCurrent
  }

  /** Whether it votes, now or from a slot on that it knows. */
  get isVoter(): boolean {
    return this.#parts.votingRight.isHeld
  }

  /** Of a leader: how far the other members are, as they said last. */
  get progress(): ReadonlyMap<NodeId, Slot> {
    return this.#parts.elections.leader?.progress ?? new Map()
  }

  /** The node that leads, as far as this one knows; 0 for nobody. */
  get leaderId(): NodeId {
    return this.#parts.elections.leaderId
  }

  /** Of the leader that this node follows, or its own where it leads; 0 for nobody. */
  get leaderBallot(): Ballot {
    const { elections, followed } = this.#parts
    if (elections.leader !== undefined) return elections.leader.ballot
    return elections.leaderId === 0 ? NO_BALLOT : followed.ballot
  }

  /** Of a leader: the log time of a value that is proposed now, in ms since 1970. 0 of others, and while it is not known. */
  get logTimeMs(): number {
    const { elections, clock } = this.#parts
    return elections.leader !== undefined && clock.isSet ? clock.timeMs : 0
  }

  /** Of a leader: how log time stands to the clocks. */
  get clockReport(): ClockReport | undefined {
    return this.#parts.elections.leader && this.#parts.clock.report
  }

  /** By how much more than elapsed time this leader has carried log time on since this was asked last, in ms. */
  takeLeapMs(): number {
    return this.#parts.clock.takeLeapMs()
  }

  /** For invariants and tests: the votes for slots that are not known to be decided; the same array until one changes. */
  get openVotes(): readonly LogEntry[] {
    return this.#parts.acceptor.openVotes
  }

  /** For invariants and tests: the ballot that this node leads in, 0 for none. */
  get leadingBallot(): Ballot {
    return this.#parts.elections.leader?.ballot ?? NO_BALLOT
  }

  #onMembershipChanged(): void {
    const { votingRight, memberships, watermark, elections } = this.#parts
    votingRight.onMembershipChanged()
    // The membership is settled only when a majority knows it on disk: nobody waits for the next write to take it along.
    if (memberships.current.fromSlot - 1 > watermark.persistedUpTo) watermark.persist()
    elections.onMembershipChanged()
  }
}
