import { NO_BALLOT, nextBallot, nodeOf } from '../ballot.js'
import { Leader } from '../leader.js'
import { JointTally } from '../membership.js'
import type { Nack, Poll, PollReply, Promised } from '../messages.js'
import { Scout } from '../scout.js'
import { Silences } from '../silence.js'
import type { Ballot, NodeId, Slot } from '../types.js'
import type { Roles } from './roles.js'

/** The phase of a node. A state object lives no longer than its phase. */
type State =
  | { readonly phase: 'joining' }
  | { readonly phase: 'following'; readonly electionAtMs: number }
  | { readonly phase: 'polling'; readonly pollId: number; readonly granted: JointTally; readonly endsAtMs: number }
  | { readonly phase: 'scouting'; readonly scout: Scout; retryAtMs: number; endsAtMs: number; learnedUpTo: Slot }
  | { readonly phase: 'leading'; readonly leader: Leader }

export type Phase = State['phase']

/**
 * Decides which leader a node follows and when it tries to lead. A follower that hears no leader polls the others; if a majority would
 * follow it, it scouts; with the promises of a majority, it leads.
 */
export class Elections {
  readonly #roles: Roles
  readonly #silences: Silences
  #state: State = { phase: 'joining' }
  /** The highest ballot seen in any message: the next own ballot is above it. */
  #highestSeen: Ballot
  #lastPollId: number

  constructor(roles: Roles) {
    this.#roles = roles
    this.#silences = new Silences(roles.options)
    this.#highestSeen = roles.acceptor.promised
    this.#lastPollId = roles.lastPollId
  }

  get phase(): Phase {
    return this.#state.phase
  }

  get hasJoined(): boolean {
    return this.#state.phase !== 'joining'
  }

  /** Present while this node leads. */
  get leader(): Leader | undefined {
    return this.#state.phase === 'leading' ? this.#state.leader : undefined
  }

  /** The node that leads, as far as this one knows; 0 for none. */
  get leaderId(): NodeId {
    const { self, followed, time } = this.#roles
    return this.#state.phase === 'leading' ? self : followed.nodeId(time.nowMs)
  }

  /** The ballot that this node leads or scouts in. */
  get ownBallot(): Ballot {
    if (this.#state.phase === 'leading') return this.#state.leader.ballot
    return this.#state.phase === 'scouting' ? this.#state.scout.ballot : NO_BALLOT
  }

  /** Starts to follow: this node has joined. */
  start(): void {
    this.#state = this.#followingFrom()
  }

  tick(): void {
    const { options, patience } = this.#roles
    const { nowMs } = this.#roles.time
    switch (this.#state.phase) {
      case 'joining':
        return
      case 'following':
        if (nowMs >= this.#state.electionAtMs) this.#onSilence()
        return
      case 'polling':
        if (nowMs >= this.#state.endsAtMs) this.becomeFollowing(options.heartbeatIntervalMs)
        return
      case 'scouting':
        return this.#tickScouting(this.#state)
      case 'leading':
        if (patience.isDiskStalled(nowMs) || !this.#state.leader.tick(nowMs)) this.becomeFollowing()
        else this.#maybeResign(this.#state.leader)
    }
  }

  onMembershipChanged(): void {
    if (this.#state.phase === 'leading') this.#state.leader.onMembershipChanged()
    if (this.#state.phase === 'scouting') this.#state.scout.ask()
  }

  // --- following ------------------------------------------------------------------------------------------------------------------

  /** Follows the leader of `ballot`. If a higher ballot is known, sends a Nack instead, and returns false. */
  hearLeader(from: NodeId, ballot: Ballot): boolean {
    if (nodeOf(ballot) !== from) return false
    const { acceptor, followed, readIndexRequests, patience, out, time } = this.#roles
    const highest = Math.max(acceptor.promised, followed.ballot)
    if (ballot < highest) {
      out.send(from, { kind: 'nack', ballot, promised: highest })
      return false
    }
    if (ballot > followed.ballot) readIndexRequests.askAgain()
    followed.onHeard(ballot, time.nowMs)
    patience.onLed()
    this.#highestSeen = Math.max(this.#highestSeen, ballot)
    this.becomeFollowing()
    return true
  }

  /** This node's acceptor was asked to promise `ballot`: a leader or scout of a lower ballot than the promise gives up. */
  onPromisedTo(ballot: Ballot): void {
    this.#highestSeen = Math.max(this.#highestSeen, ballot)
    const own = this.ownBallot
    const { promised } = this.#roles.acceptor
    if (own !== NO_BALLOT && own < promised) return this.becomeFollowing()
    // The node that was promised the ballot gets time to lead, without a rival scout while its pages are on their way.
    if (own === NO_BALLOT && ballot === promised) this.becomeFollowing()
  }

  onNack(m: Nack): void {
    this.#highestSeen = Math.max(this.#highestSeen, m.promised)
    if (m.ballot === this.ownBallot && m.promised > m.ballot) this.becomeFollowing()
  }

  becomeFollowing(delayMs?: number): void {
    if (this.#state.phase === 'leading') {
      const { self, readIndexRequests } = this.#roles
      for (const { from, id } of this.#state.leader.takeReads()) if (from === self) readIndexRequests.add(from, id)
    }
    this.#state = this.#followingFrom(delayMs)
  }

  #followingFrom(delayMs = this.#roles.options.electionTimeoutMsMin): State {
    const { patience, followed, time } = this.#roles
    return { phase: 'following', electionAtMs: time.nowMs + patience.silenceMs(delayMs) + followed.extraMs }
  }

  // --- polling --------------------------------------------------------------------------------------------------------------------

  /** No leader is heard. A node that does not vote sends polls, too: the replies tell it of slots that it misses. */
  #onSilence(): void {
    const { patience, votingRight, told, out, time } = this.#roles
    // Its own promise would wait for this write, and a promise to the next leader may be waiting for it already.
    if (patience.isWriting(time.nowMs)) return
    if (votingRight.isHeld) return this.#becomePolling()
    this.becomeFollowing()
    for (const to of told.others) out.send(to, { kind: 'poll', pollId: ++this.#lastPollId })
  }

  #becomePolling(): void {
    const { self, memberships, told, followed, readIndexRequests, options, out, time } = this.#roles
    const granted = new JointTally(memberships.governing)
    granted.add(self)
    followed.goStraight()
    readIndexRequests.askAgain()
    const pollId = ++this.#lastPollId
    this.#state = { phase: 'polling', pollId, granted, endsAtMs: time.nowMs + options.retryDelayMs }
    for (const to of told.others) out.send(to, { kind: 'poll', pollId })
    if (granted.hasQuorum) this.#becomeScouting()
  }

  /** Grants a poll if this node follows the sender already, or hears no leader. */
  onPoll(from: NodeId, m: Poll): void {
    const { options, followed, acceptor, replica, out, time } = this.#roles
    const patienceMs = options.electionTimeoutMsMin - options.heartbeatIntervalMs
    const isLed =
      this.#state.phase === 'leading' || (followed.isHeard(time.nowMs, patienceMs) && nodeOf(followed.ballot) !== from)
    out.send(from, {
      kind: 'pollReply',
      pollId: m.pollId,
      granted: !isLed,
      promised: acceptor.promised,
      leaderId: isLed ? this.leaderId : 0,
      decidedUpTo: replica.decidedUpTo,
    })
  }

  onPollReply(from: NodeId, m: PollReply): void {
    const { self, followed, replica, time } = this.#roles
    this.#highestSeen = Math.max(this.#highestSeen, m.promised)
    replica.noteDecided(from, m.decidedUpTo, time.nowMs)
    if (this.#state.phase !== 'polling' || m.pollId !== this.#state.pollId) return
    if (m.granted) {
      this.#state.granted.add(from)
      if (this.#state.granted.hasQuorum) this.#becomeScouting()
    } else if (m.leaderId !== self) {
      // A leader that this node cannot hear is alive: commands and reads go through the peer that hears it.
      followed.goThrough(from)
    }
  }

  // --- scouting -------------------------------------------------------------------------------------------------------------------

  /** The leader of `ballot` asks this node to lead. */
  onTakeOver(from: NodeId, ballot: Ballot): void {
    const { followed, votingRight } = this.#roles
    if (this.#state.phase !== 'following' || followed.ballot !== ballot || nodeOf(ballot) !== from) return
    if (votingRight.isHeld) this.#becomeScouting()
  }

  #becomeScouting(): void {
    const { self, memberships, acceptor, replica, patience, out, options, time } = this.#roles
    const ballot = nextBallot(Math.max(this.#highestSeen, acceptor.promised), self)
    this.#highestSeen = ballot
    const fromSlot = replica.decidedUpTo + 1
    const scout = new Scout({ ballot, fromSlot, self, memberships, out })
    this.#state = {
      phase: 'scouting',
      scout,
      retryAtMs: time.nowMs + options.retryDelayMs,
      endsAtMs: time.nowMs + patience.attemptMs,
      learnedUpTo: replica.decidedUpTo,
    }
    patience.onAttempt()
    acceptor.onPrepare(self, { kind: 'prepare', ballot, fromSlot })
    scout.ask()
  }

  onPromise(from: NodeId, m: Promised): void {
    if (m.ballot !== this.ownBallot) return
    const { patience, time } = this.#roles
    if (this.#state.phase === 'leading') return this.#state.leader.onPromise(from, m, time.nowMs)
    if (this.#state.phase !== 'scouting') return
    // A page is progress: many of them may take longer than an election timeout.
    if (this.#state.scout.onPromise(from, m)) this.#state.endsAtMs = time.nowMs + patience.attemptMs
    this.#maybeLead(this.#state.scout)
  }

  /** The replica has learned slots from a peer. */
  onLearned(): void {
    if (this.#state.phase === 'leading') this.#state.leader.onLearned()
    if (this.#state.phase === 'scouting') this.#maybeLead(this.#state.scout)
  }

  #tickScouting(state: State & { phase: 'scouting' }): void {
    const { replica, patience, options } = this.#roles
    const { nowMs } = this.#roles.time
    const isOwnPromiseOnItsWay = patience.isWriting(nowMs)
    if (replica.decidedUpTo > state.learnedUpTo || isOwnPromiseOnItsWay) {
      // Learning slots that a promise has reported, or writing its own promise: that is progress.
      state.learnedUpTo = replica.decidedUpTo
      state.endsAtMs = nowMs + patience.attemptMs
    }
    if (nowMs >= state.endsAtMs) return this.becomeFollowing(options.heartbeatIntervalMs)
    if (nowMs < state.retryAtMs) return
    state.retryAtMs = nowMs + options.retryDelayMs
    state.scout.ask()
  }

  // --- leading --------------------------------------------------------------------------------------------------------------------

  /** Leads once a majority has promised, and this node has every slot that a promise reports as decided. */
  #maybeLead(scout: Scout): void {
    if (!scout.hasQuorum) return
    const { replica, followed, patience } = this.#roles
    const { nowMs } = this.#roles.time
    if (scout.decidedUpTo > replica.decidedUpTo) {
      return replica.noteDecided(scout.decidedSource, scout.decidedUpTo, nowMs)
    }
    const leader = new Leader({ ...this.#roles, scout, silences: this.#silences, nowMs })
    followed.onOwnBallot(scout.ballot)
    patience.onLed()
    this.#state = { phase: 'leading', leader }
    leader.adopt(nowMs)
  }

  /** A leader without a vote asks another node to lead. It asks once: if that fails, it steps down, and its silence does the rest. */
  #maybeResign(leader: Leader): void {
    if (!leader.shouldResign || leader.isHandingOver) return
    if (leader.hasHandedOver || !leader.handOver()) this.becomeFollowing()
  }
}
