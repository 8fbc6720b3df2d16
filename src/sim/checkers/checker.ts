import { brokenInvariants, brokenTransitions, type CoreView } from '../../paxos/invariants.js'
import type { Message } from '../../paxos/messages.js'
import type { Node } from '../../paxos/node.js'
import type { DurableRecord, LogEntry, MembershipRecord, NodeId, Slot, Value } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import type { CheckpointInfo } from '../../storage/storage.js'
import type { DurableView } from '../cluster/durable-view.js'
import type { SimulatedApplication } from '../cluster/simulated-application.js'
import { FeedChecker } from './feed-checker.js'
import { levelAt } from './log-level.js'
import { type BookedMembership, type MembershipBook, sameMembership } from './membership-book.js'
import { MessageChecker } from './message-checker.js'
import type { QuotaMark } from './quota-marks.js'
import { checkRecovered } from './told-votes.js'
import { check } from './violation.js'
import { VoteBook } from './vote-book.js'

/** The places of checkpoint boundaries. */
interface CheckpointBoundaries {
  readonly slotsMax: number
  readonly commandsMax: number
}

const NO_BOUNDARIES: CheckpointBoundaries = { slotsMax: Number.POSITIVE_INFINITY, commandsMax: Number.POSITIVE_INFINITY }

/** Two election timeouts of the default options, and time to hear of the loss. */
const LEADS_ON_MS_MAX = 2_000
const STANDS_STILL_MS = 150

interface Decision {
  readonly value: Value
  readonly digest: number
  /** Log time after the slot. */
  readonly timeMs: number
  /** Slots since the last checkpoint boundary at or below the slot. */
  readonly boundarySlots: number
  readonly boundaryCommands: number
}

/** Checks every step of every node. The answers to clients are checked at the end, in history/. */
export class Checker {
  readonly #decisions: Decision[] = []
  /** Refusals for the quota, by slot. */
  readonly #quotaMarks = new Map<Slot, readonly QuotaMark[]>()
  readonly #leaders = new Map<number, NodeId>()
  readonly looksInside: boolean
  /** Checks what the nodes' feeds tell. */
  readonly feed = new FeedChecker()
  readonly #boundaries: CheckpointBoundaries
  readonly #book: VoteBook
  #firstLevel = 1
  readonly #messages: MessageChecker
  readonly #latestTimeMs: (voters: readonly NodeId[]) => number
  readonly #nowMs: () => number
  /** Leaders that know that they have no vote: since when, and when they were last seen. */
  readonly #voteless = new Map<NodeId, { readonly sinceMs: number; readonly lastMs: number }>()
  readonly #startCounts = new Map<NodeId, number>()
  stepCount = 0

  /** `looksInside: false` keeps only the checks that are possible from outside, to measure how much these alone would notice. */
  constructor({
    looksInside,
    latestTimeMs = () => Number.POSITIVE_INFINITY,
    boundaries = NO_BOUNDARIES,
    nowMs = () => 0,
  }: {
    readonly looksInside: boolean
    /** Upper bound of log time while these nodes vote: a minority's clocks alone must not move it further. */
    readonly latestTimeMs?: (voters: readonly NodeId[]) => number
    readonly boundaries?: CheckpointBoundaries
    /** Virtual time. */
    readonly nowMs?: () => number
  }) {
    this.#latestTimeMs = latestTimeMs
    this.looksInside = looksInside
    this.#boundaries = boundaries
    this.#nowMs = nowMs
    this.#book = new VoteBook()
    this.#messages = new MessageChecker(this.#book)
  }

  /** The membership that governs each slot. */
  get memberships(): MembershipBook {
    return this.#book.memberships
  }

  /** In every slot up to here a value is chosen, even if no node knows it yet. */
  get chosenUpTo(): Slot {
    return this.looksInside ? this.#book.chosenUpTo : this.decidedUpTo
  }

  /** The newest membership whose voters need no other node: see VoteBook.settled. */
  get settled(): BookedMembership {
    return this.#book.settled
  }

  /** Returns true if the node votes in the next slot, from its current directory. */
  isVoter(nodeId: NodeId): boolean {
    return this.memberships.isFormed && this.#book.isVoterOf(nodeId, this.memberships.at(this.chosenUpTo + 1))
  }

  /** Returns true if the node was a member, is none any more, and its data is no longer needed. */
  isDispensable(nodeId: NodeId): boolean {
    return this.isRemoved(nodeId) && !this.settled.has(nodeId)
  }

  /** Returns true if the node was a member and is none any more, or will be none soon. */
  isRemoved(nodeId: NodeId): boolean {
    if (!this.memberships.isFormed) return false
    const { latest } = this.memberships
    return nodeId <= latest.lastNodeId && !latest.has(nodeId)
  }

  /** Records that the node's disk has a new, empty directory. */
  onDirectory(nodeId: NodeId, dataDirId: string): void {
    this.#book.onDirectory(nodeId, dataDirId)
  }

  /** Records that the node's directory is put back to an earlier state. */
  onOlderCopy(nodeId: NodeId): void {
    this.#book.onOlderCopy(nodeId)
  }

  /** The refusals for the quota on which all nodes agree, for each command that was carried out in a slot. */
  get quotaMarks(): ReadonlyMap<Slot, readonly QuotaMark[]> {
    return this.#quotaMarks
  }

  /** The log on which all nodes agree, from slot 1 on. */
  get log(): readonly Value[] {
    return this.#decisions.map((decision) => decision.value)
  }

  /** The level of the genesis. */
  get firstLevel(): number {
    return this.#firstLevel
  }

  /** Returns the level in force after a slot, by the log. */
  levelAt(slot: Slot): number {
    return levelAt(this.log, slot, this.#firstLevel)
  }

  get decidedUpTo(): Slot {
    return this.#decisions.length
  }

  /** Number of ballots in which a node led. */
  get leaderCount(): number {
    return this.#leaders.size
  }

  /** Checks a node that has started from its disk. */
  onStarted(nodeId: NodeId, core: Node, disk: DurableView): void {
    this.#startCounts.set(nodeId, this.#startCountOf(nodeId) + 1)
    if (!this.looksInside || this.#book.directoryOf(nodeId).isOlderCopy) return
    check(core.promised >= disk.promised, () => `node ${nodeId} forgot its promise in a restart`)
    check(core.decidedUpTo === disk.decidedUpTo, () => `node ${nodeId} forgot decided slots in a restart`)
    // A node that comes back with an empty disk is no member, and does not vote.
    if (core.genesis !== undefined) checkRecovered(this.#book, nodeId, core.openVotes, core.decidedUpTo)
  }

  onStep(nodeId: NodeId, before: CoreView, now: CoreView): void {
    this.stepCount++
    if (now.leadingBallot !== 0) this.#leaders.set(now.leadingBallot, nodeId)
    if (!this.looksInside) return
    this.#checkLeads(nodeId, now)
    for (const broken of brokenInvariants(now)) check(false, () => `node ${nodeId} ${broken}`)
    for (const broken of brokenTransitions(before, now)) check(false, () => `node ${nodeId}: ${broken}`)
  }

  onSent(from: NodeId, message: Message, { core }: { core: Node }): void {
    if (!this.looksInside) return
    const { decidedUpTo, leadingBallot } = core
    const sent = { from, message, incarnation: this.#startCountOf(from), decidedUpTo, leadingBallot }
    this.#messages.onSent(sent, this.decidedUpTo)
  }

  /** Records what has reached a node's disk. */
  onWritten(nodeId: NodeId, records: readonly DurableRecord[]): void {
    for (const record of records) {
      // The genesis must be recorded in any case: it says who votes.
      if (record.kind === 'genesis') {
        this.#book.onGenesis(nodeId, record.genesis)
        this.#firstLevel = record.genesis.level
      }
      if (record.kind === 'decidedUpTo') this.#book.onWatermarkWritten(nodeId, record.slot)
      else if (!this.looksInside) continue
      else if (record.kind === 'promised') this.#book.onPromised(nodeId, record.ballot)
      else if (record.kind === 'accepted') this.#book.onVote(nodeId, record.entry)
      else if (record.kind === 'learned') this.#checkChosen(nodeId, record.entry)
    }
  }

  /**
   * Checks that a node made the same refusals for the quota as the first node that applied the slot. That these are right is
   * checked in history/.
   */
  #checkQuotaMarks(nodeId: NodeId, slot: Slot, marks: readonly QuotaMark[]): void {
    const first = this.#quotaMarks.get(slot)
    const isSame = first === undefined || JSON.stringify(first) === JSON.stringify(marks)
    check(isSame, () => `node ${nodeId} refused other commands for the quota in slot ${slot} than another node`)
    this.#quotaMarks.set(slot, marks)
  }

  onApplied(what: { nodeId: NodeId; entry: LogEntry; digest: number; application: SimulatedApplication }): void {
    const { nodeId, digest, application } = what
    const { slot, value } = what.entry
    if (this.looksInside) this.#checkChosen(nodeId, what.entry)
    const first = this.#decisions[slot - 1]
    if (first === undefined) {
      check(
        slot === this.#decisions.length + 1,
        () => `node ${nodeId} applied slot ${slot} before any node applied the one below`,
      )
      const earlierMs = this.#decisions.at(-1)?.timeMs ?? 0
      check(
        value.kind !== 'batch' || value.timeMs <= this.#latestTimeOfAny(),
        () => `the log time of slot ${slot} is ahead of all clocks but those of a minority`,
      )
      if (!this.looksInside && value.kind === 'membership') this.memberships.onChosen(slot, value)
      const timeMs = value.kind === 'batch' ? Math.max(earlierMs, value.timeMs) : earlierMs
      this.#decisions.push({ value, digest, timeMs, ...this.#countedFrom(this.#decisions.at(-1), value) })
    } else {
      check(sameValue(first.value, value), () => `node ${nodeId} decided another value for slot ${slot} than was decided before`)
      check(first.digest === digest, () => `node ${nodeId} got other results up to slot ${slot} than another node`)
    }
    this.#checkQuotaMarks(nodeId, slot, application.quotaMarks?.(slot) ?? [])
    for (const broken of application.brokenInvariants()) check(false, () => `node ${nodeId} at slot ${slot}: ${broken}`)
  }

  /** Checks the state that a node is about to write as its checkpoint. */
  onCheckpoint(nodeId: NodeId, info: CheckpointInfo): void {
    if (this.looksInside) this.#checkCheckpoint(nodeId, 'wrote', info)
  }

  /** Checks a peer's checkpoint that a node has installed in place of its own state. */
  onInstalled(nodeId: NodeId, info: CheckpointInfo, application: SimulatedApplication): void {
    this.#checkCheckpoint(nodeId, 'installed', info)
    for (const broken of application.brokenInvariants()) {
      check(false, () => `node ${nodeId} with the checkpoint of slot ${info.appliedUpTo}: ${broken}`)
    }
  }

  #checkCheckpoint(nodeId: NodeId, did: string, info: CheckpointInfo): void {
    const { appliedUpTo, memberships } = info
    const decision = this.#decisions[appliedUpTo - 1]
    const which = `a checkpoint of slot ${appliedUpTo} that has`
    check(
      decision?.digest === info.stateDigest && decision.timeMs === info.timeMs,
      () => `node ${nodeId} ${did} ${which} another digest or log time than the slot`,
    )
    check(
      decision.boundarySlots === info.boundarySlots && decision.boundaryCommands === info.boundaryCommands,
      () => `node ${nodeId} ${did} ${which} counted otherwise than from the last boundary on`,
    )
    this.#checkMemberships(nodeId, memberships, appliedUpTo)
  }

  /** Checks which memberships a node that has decided this far expects for the slots above. */
  onMemberships(nodeId: NodeId, records: readonly MembershipRecord[], decidedUpTo: Slot): void {
    if (this.looksInside) this.#checkMemberships(nodeId, records, decidedUpTo)
  }

  #checkMemberships(nodeId: NodeId, records: readonly MembershipRecord[], decidedUpTo: Slot): void {
    const known = this.memberships.knownBy(decidedUpTo)
    check(
      known.length === records.length && known.every((one, i) => sameMembership(one, records[i] as MembershipRecord)),
      () => `node ${nodeId} has other memberships above slot ${decidedUpTo} than the log says`,
    )
  }

  /** Returns the latest time that the clocks of the voters of any current membership allow. */
  #latestTimeOfAny(): number {
    return Math.max(...this.memberships.all.map(({ voterIds }) => this.#latestTimeMs(voterIds)))
  }

  /** Counts slots from the last boundary: a boundary is at the slot in which enough has come together since the one before. */
  #countedFrom(before: Decision | undefined, value: Value): Pick<Decision, 'boundarySlots' | 'boundaryCommands'> {
    const boundarySlots = (before?.boundarySlots ?? 0) + 1
    const boundaryCommands = (before?.boundaryCommands ?? 0) + (value.kind === 'batch' ? value.commands.length : 0)
    const { slotsMax, commandsMax } = this.#boundaries
    if (boundarySlots >= slotsMax || boundaryCommands >= commandsMax) return { boundarySlots: 0, boundaryCommands: 0 }
    return { boundarySlots, boundaryCommands }
  }

  /** Checks that a slot is on the disks of a majority, in one ballot, before a node takes it for decided. */
  #checkChosen(nodeId: NodeId, { slot, value }: LogEntry): void {
    const chosen = this.#book.chosenAt(slot)
    check(
      chosen !== undefined && sameValue(chosen, value),
      () => `node ${nodeId} took slot ${slot} for decided before its value was on the disks of a majority`,
    )
  }

  /** Checks that a leader without a vote does not lead on for long: it may do so only until another node leads. */
  #checkLeads(nodeId: NodeId, { leadingBallot, decidedUpTo }: CoreView): void {
    const nowMs = this.#nowMs()
    if (leadingBallot === 0 || this.#mayLead(nodeId, decidedUpTo)) {
      this.#voteless.delete(nodeId)
      return
    }
    const { sinceMs, lastMs } = this.#voteless.get(nodeId) ?? { sinceMs: nowMs, lastMs: nowMs }
    this.#voteless.set(nodeId, { sinceMs, lastMs: nowMs })
    check(
      // The node may have stood still meanwhile.
      nowMs - sinceMs < LEADS_ON_MS_MAX || nowMs - lastMs > STANDS_STILL_MS,
      () => `node ${nodeId} has led on for ${LEADS_ON_MS_MAX / 1_000} s though it knows that it votes nowhere any more`,
    )
  }

  /** Returns true if the node votes, by what is known to a node that has decided this far. */
  #mayLead(nodeId: NodeId, decidedUpTo: Slot): boolean {
    return this.memberships.knownBy(decidedUpTo).some((membership) => membership.voterIds.includes(nodeId))
  }

  #startCountOf(nodeId: NodeId): number {
    return this.#startCounts.get(nodeId) ?? 0
  }
}
