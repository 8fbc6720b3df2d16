import type { ChangeMembership, Propose } from '../messages.js'
import type { MembershipChange, NodeId } from '../types.js'
import type { Elections } from './elections.js'
import type { Roles } from './roles.js'

/** The most nodes that a command may pass through on its way to the leader. */
const HOPS_MAX = 2
/** The request id of changes that no operator waits for. */
export const NO_REQUESTER = 0

/** The outcome of a proposal: commands that were 'sent' may be decided; with the other outcomes they never will be. */
export type ProposeOutcome = 'sent' | 'noLeader' | 'overloaded'

/** Handles requests that only the leader can carry out: here if this node leads; otherwise they are sent towards the leader. */
export class Requests {
  readonly #roles: Roles
  readonly #elections: Elections

  constructor(roles: Roles, elections: Elections) {
    this.#roles = roles
    this.#elections = elections
  }

  /** The node to send requests for the leader to; 0 when no leader is known, this node leads, or it has not joined. */
  get route(): NodeId {
    const { phase } = this.#elections
    if (phase === 'joining' || phase === 'leading') return 0
    return this.#roles.followed.wayThere(this.#roles.time.nowMs)
  }

  /** See Node.propose. */
  propose(commands: readonly Uint8Array[], { isRetry = false, pageId = 0 }): ProposeOutcome {
    const { leader } = this.#elections
    if (leader !== undefined) return leader.enqueue(commands) ? 'sent' : 'overloaded'
    if (isRetry) this.takeDetour()
    const to = this.route
    if (to === 0) return 'noLeader'
    const { self, out } = this.#roles
    out.send(to, { kind: 'propose', commands, hops: 0, originNodeId: self, pageId })
    return 'sent'
  }

  /** See Node.changeMembership. */
  changeMembership(requestId: number, change: MembershipChange): 'sent' | 'noLeader' {
    const { self, out } = this.#roles
    const m = { kind: 'changeMembership', requestId, change } as const
    if (this.#elections.leader !== undefined) {
      this.onChangeMembership(self, m)
      return 'sent'
    }
    const to = this.route
    if (to === 0) return 'noLeader'
    out.send(to, m)
    return 'sent'
  }

  /** See Node.handOver. */
  handOver(to: NodeId): boolean {
    const { self, out } = this.#roles
    const { leader } = this.#elections
    if (leader !== undefined) return to === self || leader.handOver(to)
    const leaderId = this.route
    if (to === 0 || leaderId === 0) return false
    out.send(leaderId, { kind: 'handOver', toNodeId: to })
    return true
  }

  /** Called last before a Ready is taken: proposes or sends the requests that wait. */
  flush(diskIdle: boolean, nextDeadlineMs: number | undefined): void {
    const { readIndexRequests, time } = this.#roles
    const { leader } = this.#elections
    if (leader === undefined) {
      const to = this.route
      if (to !== 0) readIndexRequests.flushTo(to, time.nowMs)
      return
    }
    for (const { from, id } of readIndexRequests.takeAll()) leader.readIndex(from, id)
    if (diskIdle) leader.proposeQueued(time.wallMs, time.nowMs, nextDeadlineMs)
    leader.flush(time.nowMs)
  }

  onPropose(m: Propose): void {
    const { self, told, out } = this.#roles
    const { leader, leaderId } = this.#elections
    if (leader !== undefined) {
      const isTaken = leader.enqueue(m.commands)
      const mayHear = m.pageId !== 0 && m.originNodeId !== self && told.isKnown(m.originNodeId)
      if (!isTaken && mayHear) out.send(m.originNodeId, { kind: 'proposeRefused', pageId: m.pageId })
      return
    }
    if (leaderId !== 0 && m.hops < HOPS_MAX) out.send(leaderId, { ...m, hops: m.hops + 1 })
  }

  onChangeMembership(from: NodeId, { requestId, change }: ChangeMembership): void {
    const { self, out, time } = this.#roles
    const { leader } = this.#elections
    if (leader === undefined) return
    const refusal = leader.changeMembership(change, time.nowMs)
    if (refusal === undefined || requestId === NO_REQUESTER) return
    const message = { kind: 'changeMembershipRefused', requestId, ...refusal } as const
    if (from === self) out.refuse(message)
    else out.send(from, message)
  }

  /** Tries another route to the leader after a message has not been answered. */
  takeDetour(): void {
    if (this.#elections.phase === 'following') this.#roles.followed.takeDetour(this.#roles.time.nowMs)
  }
}
