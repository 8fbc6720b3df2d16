import type { Membership } from '../../paxos/membership.js'
import type { MembershipRefusalReason } from '../../paxos/membership-changes.js'
import { isMade } from '../../paxos/membership-changes.js'
import type { Memberships } from '../../paxos/memberships.js'
import type { ChangeMembershipRefused } from '../../paxos/messages.js'
import type { MembershipChange, MembershipRecord, NodeId, Slot } from '../../paxos/types.js'
import { type Cancellation, MemberError } from '../api.js'
import type { Settle } from '../requests/pending.js'

/** The part of the core that is needed here. */
export interface MembershipCore {
  readonly memberships: Memberships | undefined
  readonly decidedUpTo: Slot
  /** 0 for nobody. */
  readonly leaderId: NodeId
  /** See Node.settledEpoch. */
  readonly settledEpoch: number
  changeMembership(requestId: number, change: MembershipChange): 'sent' | 'noLeader'
  /** Hands leadership over, or asks the leader to, which needs a name. False when there is nobody to ask. */
  handOver(to: NodeId): boolean
}

/** A change that is in force and settled (see Node.settledEpoch), with the slot in which it was decided. */
export interface ChangedMembership {
  readonly slot: Slot
  readonly membership: MembershipRecord
}

interface Change {
  readonly requestId: number
  readonly change: MembershipChange
  readonly deadlineMs: number
  readonly settle: Settle<ChangedMembership>
  readonly signal: Cancellation | undefined
  nextSendMs: number
  sentCount: number
  /** The membership that says so: it is decided, soon in force, and then settled. */
  membership: Membership | undefined
  /** The leader's last refusal, and when it came first and last. */
  refusal: { readonly error: MemberError; readonly firstMs: number; readonly lastMs: number } | undefined
}

interface Transfer {
  readonly to: NodeId
  readonly deadlineMs: number
  readonly settle: Settle<NodeId>
  readonly signal: Cancellation | undefined
  /** The leader when the transfer was asked for; 0 while none is known. */
  fromLeader: NodeId
  nextSendMs: number
  sentCount: number
}

const REPEAT_MS = 200
/**
 * A leader that refuses a repeated change may have carried out the first one, and one that has just begun may not have heard of
 * everybody yet: a refusal is believed when it has been the same for so long.
 */
const DOUBT_MS = 1_000
const WAITING_MAX = 100

/**
 * Calls that change who the members are, or who leads: repeated until the log says that it is so. A change is answered once it is settled:
 * from then on any majority of the new voters is enough for the cluster to go on, so whoever it has removed may be switched off, and so
 * may any minority of those that it has left. That another node leads permits nothing of the kind.
 */
export class MembershipCalls {
  readonly #core: MembershipCore
  readonly #changes = new Map<number, Change>()
  readonly #transfers = new Set<Transfer>()
  #lastRequestId: number

  /** Requests are numbered after `firstId`. */
  constructor(core: MembershipCore, firstId: number) {
    this.#core = core
    this.#lastRequestId = firstId
  }

  change(change: MembershipChange, deadlineMs: number, settle: Settle<ChangedMembership>, signal?: Cancellation): void {
    if (this.#changes.size >= WAITING_MAX) return settle(tooMany())
    const requestId = ++this.#lastRequestId
    this.#changes.set(requestId, {
      requestId,
      change,
      deadlineMs,
      settle,
      signal,
      nextSendMs: 0,
      sentCount: 0,
      membership: undefined,
      refusal: undefined,
    })
  }

  transfer(to: NodeId, deadlineMs: number, settle: Settle<NodeId>, signal?: Cancellation): void {
    if (this.#transfers.size >= WAITING_MAX) return settle(tooMany())
    const latest = this.#core.memberships?.latest
    if (to !== 0 && latest !== undefined && !latest.isVoter(to)) {
      const what = latest.has(to) ? 'does not vote yet' : 'is not a member'
      return settle(new MemberError('MEMBER_NOT_FOUND', `node ${to} ${what}: it cannot lead`))
    }
    this.#transfers.add({ to, deadlineMs, settle, signal, fromLeader: 0, nextSendMs: 0, sentCount: 0 })
  }

  /** Takes the leader's refusals of changes that were asked for here. */
  onRefusals(refusals: readonly ChangeMembershipRefused[], nowMs: number): void {
    for (const { requestId, reason, message } of refusals) {
      const call = this.#changes.get(requestId)
      if (call === undefined || call.membership !== undefined) continue
      const error = new MemberError(reason, message)
      const firstMs = call.refusal?.error.code === reason ? call.refusal.firstMs : nowMs
      call.refusal = { error, firstMs, lastMs: nowMs }
      if (nowMs - firstMs >= patienceMs(reason, call.sentCount)) this.#settle(call, error)
    }
  }

  /** `asks`: whether the core may be told anything now. */
  tick(nowMs: number, asks = true): void {
    for (const call of this.#changes.values()) this.#tickChange(call, nowMs, asks)
    for (const call of this.#transfers) this.#tickTransfer(call, nowMs, asks)
  }

  /** `removed`: this node, if it stops because it is no member any more. Then its removal is settled, and it is the last to hear so. */
  stop(message: string, removed?: NodeId): void {
    const { memberships } = this.#core
    for (const call of this.#changes.values()) {
      const { change } = call
      if (memberships === undefined || change.kind !== 'remove' || change.nodeId !== removed) continue
      this.#settle(call, changed(memberships.latest, memberships.windowSlots))
    }
    const error = (wasSent: boolean): MemberError => new MemberError(wasSent ? 'OUTCOME_UNKNOWN' : 'STOPPED', message)
    for (const call of this.#changes.values()) this.#settle(call, error(call.sentCount > 0))
    for (const call of this.#transfers) this.#settleTransfer(call, error(call.fromLeader !== 0))
  }

  #tickChange(call: Change, nowMs: number, asks: boolean): void {
    const { memberships, decidedUpTo, settledEpoch } = this.#core
    if (memberships !== undefined && call.membership === undefined && isMade(memberships.latest, call.change)) {
      call.membership = memberships.latest
    }
    const { membership } = call
    const isInForce = membership !== undefined && decidedUpTo >= membership.fromSlot - 1
    if (memberships !== undefined && isInForce && settledEpoch >= membership.epoch) {
      return this.#settle(call, changed(membership, memberships.windowSlots))
    }
    if (call.signal?.aborted === true) return this.#settle(call, gaveUp(call.sentCount))
    if (nowMs >= call.deadlineMs) return this.#settle(call, timedOut(call))
    if (!asks || call.membership !== undefined || nowMs < call.nextSendMs) return
    call.nextSendMs = nowMs + REPEAT_MS
    if (this.#core.changeMembership(call.requestId, call.change) === 'sent') call.sentCount++
  }

  #tickTransfer(call: Transfer, nowMs: number, asks: boolean): void {
    const { leaderId } = this.#core
    if (call.fromLeader === 0) call.fromLeader = leaderId
    const hasMoved = call.to === 0 ? leaderId !== call.fromLeader : leaderId === call.to
    if (leaderId !== 0 && hasMoved) return this.#settleTransfer(call, leaderId)
    if (call.signal?.aborted === true) return this.#settleTransfer(call, gaveUp(call.sentCount))
    if (nowMs >= call.deadlineMs) {
      const error =
        call.fromLeader === 0
          ? new MemberError('NO_QUORUM', 'no leader with a majority was found in time')
          : new MemberError('OUTCOME_UNKNOWN', `node ${call.fromLeader} was asked to hand over, but no other leads yet`)
      return this.#settleTransfer(call, error)
    }
    if (!asks || leaderId === 0 || nowMs < call.nextSendMs) return
    call.nextSendMs = nowMs + REPEAT_MS
    if (this.#core.handOver(call.to === 0 ? this.#anotherThan(leaderId, call.sentCount) : call.to)) call.sentCount++
  }

  /** Chooses another voter to lead: each in turn, as some may be down. */
  #anotherThan(leaderId: NodeId, turn: number): NodeId {
    const others = this.#core.memberships?.latest.voterIds.filter((nodeId) => nodeId !== leaderId) ?? []
    return others[turn % Math.max(1, others.length)] ?? 0
  }

  #settle(call: Change, outcome: ChangedMembership | MemberError): void {
    if (this.#changes.delete(call.requestId)) call.settle(outcome)
  }

  #settleTransfer(call: Transfer, outcome: NodeId | MemberError): void {
    if (this.#transfers.delete(call)) call.settle(outcome)
  }
}

function changed({ epoch, fromSlot, members, lastNodeId }: Membership, windowSlots: number): ChangedMembership {
  return { slot: Math.max(0, fromSlot - windowSlots), membership: { epoch, fromSlot, members, lastNodeId } }
}

function patienceMs(reason: MembershipRefusalReason, sentCount: number): number {
  switch (reason) {
    case 'CHANGE_IN_PROGRESS':
      return Number.POSITIVE_INFINITY
    case 'NOT_CAUGHT_UP':
    case 'QUORUM_AT_RISK':
      return DOUBT_MS
    case 'NODE_ID_USED':
    case 'NODE_ID_TOO_HIGH':
    case 'ADDRESS_USED':
    case 'MEMBER_NOT_FOUND':
    case 'TOO_MANY_MEMBERS':
    case 'DATA_DIR_MISMATCH':
      return sentCount > 1 ? DOUBT_MS : 0
  }
}

function timedOut({ membership, refusal, sentCount, deadlineMs }: Change): MemberError {
  // The last time that it was sent it was refused, too.
  const isRefused = refusal !== undefined && refusal.lastMs > deadlineMs - 2 * REPEAT_MS
  if (isRefused && membership === undefined) return refusal.error
  if (sentCount === 0) return new MemberError('NO_QUORUM', 'no leader with a majority was found in time; nothing was proposed')
  const what =
    membership === undefined
      ? 'is not known to be decided'
      : 'is decided, but no majority of the new members was known in time to have it in force on disk'
  return new MemberError('OUTCOME_UNKNOWN', `the change of the membership ${what}; it may still take effect`)
}

function gaveUp(sentCount: number): MemberError {
  return sentCount === 0
    ? new MemberError('CANCELLED', 'the caller gave up before the leader was asked')
    : new MemberError('OUTCOME_UNKNOWN', 'the caller gave up after the leader was asked; it may still take effect')
}

function tooMany(): MemberError {
  return new MemberError('OVERLOADED', `${WAITING_MAX} such calls wait on this node`)
}
