import { withWords } from '../api/words.js'
import type { Call, CallSink } from '../client/call.js'
import { errorOfRefusal, outcomeUnknown, SynodError } from '../client/errors.js'
import { Query, Result } from '../gen/synod/session/v1/session.js'
import { type Answer, MemberError } from '../host/api.js'
import type { SessionName } from '../replication/session-table.js'
import type { SimulatedCluster } from '../sim/cluster/simulated-cluster.js'
import type { SimulatedNode } from '../sim/cluster/simulated-node.js'

interface Pending {
  readonly call: Call
  readonly bytes: Uint8Array
  /** In the session; undefined, 0: in none so far. */
  session: SessionName | undefined
  requestNumber: number
  isSettled: boolean
  /** Tries that ended without word of what became of them. */
  unresolvedTries: number
}

/** A node that has not answered after this long may be dead: another is asked. */
const TRY_MS = 1_000
const OVERLOADED_DELAY_MS = 100

/**
 * A client's session with a simulated cluster: as the SDK's, each command is carried out once, though it is tried on one node after the
 * other until one answers.
 */
export class SimSession implements CallSink {
  readonly #cluster: SimulatedCluster
  #nodeIndex: number
  #session: SessionName | undefined
  #lastRequestNumber = 0
  /** Of commands, ascending. */
  readonly #unanswered = new Set<number>()

  /** Begins with the node of that number. */
  constructor(cluster: SimulatedCluster, nodeId: number) {
    this.#cluster = cluster
    this.#nodeIndex = nodeId - 1
  }

  submit(call: Call): void {
    const { scheduler } = this.#cluster
    const bytes = bytesOf(call)
    const pending: Pending = { call, bytes, session: undefined, requestNumber: 0, isSettled: false, unresolvedTries: 0 }
    scheduler.after(call.timeoutMs, () => this.#expire(pending))
    this.#try(pending)
  }

  #try(pending: Pending): void {
    if (pending.isSettled) return
    const node = this.#node
    let isOver = false
    const end = (): boolean => {
      const isFirst = !isOver
      isOver = true
      return isFirst && !pending.isSettled
    }
    const again = (delayMs: number): void => {
      this.#moveOnFrom(node)
      this.#cluster.scheduler.after(delayMs, () => this.#try(pending))
    }
    this.#cluster.scheduler.after(TRY_MS, () => {
      if (end()) again(0)
    })
    if (pending.call.isQuery) {
      return node.read(pending.bytes, TRY_MS, (outcome) => {
        if (end()) this.#onOutcome(pending, outcome, again)
      })
    }
    if (this.#session === undefined) {
      return node.openSession(TRY_MS, (outcome) => {
        if (!end()) return
        if (outcome instanceof MemberError) return again(OVERLOADED_DELAY_MS)
        // Of sessions that are opened at the same time the first one counts.
        this.#session ??= outcome
        this.#try(pending)
      })
    }
    if (pending.session !== undefined && pending.session !== this.#session && pending.unresolvedTries > 0) {
      this.#settle(pending)
      return pending.call.reject(outcomeUnknown('the session expired before the answer came'))
    }
    this.#enter(pending, this.#session)
    pending.unresolvedTries++
    const { requestNumber, bytes } = pending
    const [firstUnacknowledged = requestNumber] = this.#unanswered
    node.submit({ ...this.#session, requestNumber, firstUnacknowledged, command: bytes }, TRY_MS, (outcome) => {
      if (end()) this.#onOutcome(pending, outcome, again)
    })
  }

  #onOutcome(pending: Pending, outcome: Answer | MemberError, again: (delayMs: number) => void): void {
    if (!(outcome instanceof MemberError)) return this.#onAnswer(pending, outcome)
    switch (outcome.code) {
      case 'NO_QUORUM':
      case 'OVERLOADED':
      case 'NOT_JOINED':
      case 'STOPPED':
        if (pending.unresolvedTries > 0) pending.unresolvedTries--
        return again(OVERLOADED_DELAY_MS)
      case 'OUTCOME_UNKNOWN':
        return again(OVERLOADED_DELAY_MS)
      case 'SESSION_FULL': // the number stays refused, whoever asked under it
        if (pending.session === this.#session) this.#unanswered.delete(pending.requestNumber)
        pending.session = undefined
        pending.unresolvedTries = 0
        return again(OVERLOADED_DELAY_MS)
      case 'DATA_DAMAGED':
        this.#settle(pending)
        return pending.call.reject(new SynodError('INTERNAL', outcome.code, outcome.message, { cause: outcome }))
      case 'SESSION_EXPIRED':
      case 'BEYOND_ASKED':
        if (pending.unresolvedTries > 0) pending.unresolvedTries--
        return this.#onExpired(pending, outcome, again)
      case 'ALREADY_ACKNOWLEDGED':
      case 'ID_REUSED':
      // Of changes of the membership only.
      case 'NODE_ID_USED':
      case 'NODE_ID_TOO_HIGH':
      case 'ADDRESS_USED':
      case 'MEMBER_NOT_FOUND':
      case 'LEVEL_UNKNOWN_TO_MEMBER':
      case 'NOT_CAUGHT_UP':
      case 'CHANGE_IN_PROGRESS':
      case 'QUORUM_AT_RISK':
      case 'TOO_MANY_MEMBERS':
      case 'DATA_DIR_MISMATCH':
        this.#settle(pending)
        return pending.call.reject(outcomeUnknown(outcome.message, outcome))
    }
  }

  /** A retry in the same session keeps its number. */
  #enter(pending: Pending, session: SessionName): void {
    if (pending.session === session) return
    pending.session = session
    pending.requestNumber = ++this.#lastRequestNumber
    this.#unanswered.add(pending.requestNumber)
  }

  /** This try was not carried out; whether an earlier one was, nobody can tell any more. Otherwise it goes on in another session. */
  #onExpired(pending: Pending, error: MemberError, again: (delayMs: number) => void): void {
    if (this.#session === pending.session) {
      this.#session = undefined
      this.#lastRequestNumber = 0
      this.#unanswered.clear()
    }
    if (pending.unresolvedTries === 0) return again(0)
    this.#settle(pending)
    pending.call.reject(outcomeUnknown(error.message, error))
  }

  #onAnswer(pending: Pending, { slot, result }: Answer): void {
    this.#settle(pending)
    const { call } = pending
    const { outcome, slot: effectSlot } = withWords(Result.decode(result))
    if (outcome?.$case === 'refusal') return call.reject(errorOfRefusal(outcome.value))
    if (outcome?.$case !== call.expected) {
      return call.reject(new SynodError('INTERNAL', 'INTERNAL', `expected a result of ${call.expected}, got ${outcome?.$case}`))
    }
    outcome.value.header = { clusterId: 'simulated', nodeId: this.#node.id, slot: effectSlot || slot }
    call.resolve(outcome.value)
  }

  #expire(pending: Pending): void {
    if (pending.isSettled) return
    this.#settle(pending)
    const message = 'no node could answer within the time given'
    if (pending.unresolvedTries > 0) pending.call.reject(outcomeUnknown(message))
    else pending.call.reject(new SynodError('UNAVAILABLE', 'NO_QUORUM', message))
  }

  #settle(pending: Pending): void {
    pending.isSettled = true
    if (pending.session === this.#session) this.#unanswered.delete(pending.requestNumber)
  }

  get #node(): SimulatedNode {
    const { nodes } = this.#cluster
    return nodes[this.#nodeIndex % nodes.length] as SimulatedNode
  }

  /** Unless another call has moved on already. */
  #moveOnFrom(node: SimulatedNode): void {
    if (this.#node === node) this.#nodeIndex++
  }
}

/** The bytes as a node takes them. The caller has looked at what is in them, with the server's own bounds. */
function bytesOf({ body }: Call): Uint8Array {
  return body.$case === 'command' ? body.value : Query.encode(body.value).finish()
}
