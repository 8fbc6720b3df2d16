/**
 * Checks linearizability and exactly-once execution with the help of the slots in the answers. The log is replayed on the model,
 * and every answer must be the model's. Then it remains to show, in n log n, that the slots respect real time.
 */
import type { Slot, Value } from '../../paxos/types.js'
import { decodeEnvelope, type Envelope } from '../../replication/envelope.js'
import type { QuotaMark } from '../checkers/quota-marks.js'
import { check } from '../checkers/violation.js'
import { type PlainAnswer, sameOutcome } from '../clients/plain-outcomes.js'
import type { SimulatedRequest } from '../clients/simulated-operations.js'
import { STATE_LIMITS, type StateLimits } from '../cluster/state-limits.js'
import type { SlotTime } from '../model/bank-model.js'
import { Model } from '../model/model.js'
import { SessionsModel } from '../model/sessions-model.js'
import { type ClientInvocation, type History, sessionName, tellAnswer, tellInvocation } from './client-history.js'

/** An execution of a request: its slot, and the answer to it. A repeat by id is told the slot of the first execution. */
interface Execution {
  readonly slot: Slot
  readonly answer: PlainAnswer
}

/** A request that no client makes. */
const MISUSE: SimulatedRequest = { operation: { kind: 'put', key: 'misused', value: '' }, requestId: '' }
const NO_COMMANDS: readonly Uint8Array[] = []

/** The conditions of a run that the log alone does not tell. */
interface Surroundings {
  readonly limits: StateLimits
  readonly quotaMarks: ReadonlyMap<Slot, readonly QuotaMark[]>
  /** The level of the genesis. */
  readonly firstLevel: number
}

const USUAL: Surroundings = { limits: STATE_LIMITS, quotaMarks: new Map(), firstLevel: 1 }

/** Returns the model as it is after the log. @throws Violation */
export function checkSlotOrder(history: History, log: readonly Value[], surroundings = USUAL): Model {
  const replay = new LogReplay(history, surroundings)
  log.forEach((value, i) => replay.apply(i + 1, value))
  replay.finish()
  checkRealTime(history.invocations, (invocation) => replay.executionsOf(invocation))
  return replay.model
}

/** Replays the log on the model, with the reads in their places. */
class LogReplay {
  readonly model: Model
  readonly #sessions: SessionsModel
  readonly #history: History
  /** Invocations by the names under which clients sent them in their own sessions. */
  readonly #sentAs = new Map<string, ClientInvocation>()
  /** Requests by the bytes of their commands. */
  readonly #requests = new Map<string, SimulatedRequest>()
  readonly #reads = new Map<Slot, ClientInvocation[]>()
  /** Executions of requests in clients' sessions by name, of all others by their bytes. */
  readonly #executions = new Map<string, Execution[]>()
  readonly #opened = new Set<number>()
  readonly #quotaMarks: ReadonlyMap<Slot, readonly QuotaMark[]>
  #timeMs = 0

  constructor(
    history: History,
    { limits: { sessionCountMax, answersPerSessionMax, firstAnswersMax }, quotaMarks, firstLevel }: Surroundings,
  ) {
    this.#quotaMarks = quotaMarks
    this.model = new Model(firstAnswersMax === STATE_LIMITS.firstAnswersMax ? {} : { firstAnswersMax })
    this.model.level = firstLevel
    this.#sessions = new SessionsModel(this.model, { sessionCountMax, answersPerSessionMax })
    this.#history = history
    for (const invocation of history.invocations) {
      const { asked, answer } = invocation
      for (const name of invocation.sentAs) this.#sentAs.set(name, invocation)
      if (asked.kind === 'command') this.#requests.set(keyOf(invocation.bytes), asked.request)
      else if (answer !== undefined) append(this.#reads, answer.slot, invocation)
    }
    this.#checkReads(0)
  }

  apply(slot: Slot, value: Value): void {
    this.model.expectQuota(this.#quotaMarks.get(slot) ?? [])
    // Log time never goes back, though an older leader's value may be proposed again after a newer leader's.
    if (value.kind === 'batch') {
      this.#timeMs = Math.max(this.#timeMs, value.timeMs)
      this.model.passTime(this.#timeMs)
    }
    for (const bytes of value.kind === 'batch' ? value.commands : NO_COMMANDS) {
      const envelope = decodeEnvelope(bytes)
      check(envelope !== undefined, () => `slot ${slot} holds bytes that are no command`)
      this.#applyEnvelope(envelope, { slot, timeMs: this.#timeMs })
    }
    for (const broken of this.model.broken()) check(false, () => `by the log, at slot ${slot} ${broken}`)
    this.#checkReads(slot)
  }

  /** Checks that every answer to a command is that of one of its executions, and that the log opened every client id. */
  finish(): void {
    for (const clientId of this.#history.clientIds) {
      check(this.#opened.has(clientId), () => `client id ${clientId} was given to a client, but the log opened no such session`)
    }
    for (const [slot, [read]] of this.#reads) {
      check(read === undefined, () => `${read && tellInvocation(read)}, was answered as of slot ${slot}, which was never decided`)
    }
    for (const invocation of this.#history.invocations) {
      const { asked, answer } = invocation
      if (asked.kind === 'read') continue
      this.#checkOnce(invocation)
      if (answer === undefined) continue
      const executions = this.executionsOf(invocation)
      const [first] = executions
      const inLog = first === undefined ? 'the log does not hold it' : `by the log it is ${tellAnswer(first.answer)}`
      const isRight = executions.some((execution) => isSame(execution.answer, answer))
      check(isRight, () => `${tellInvocation(invocation)}, was answered ${tellAnswer(answer)}, but ${inLog}`)
    }
  }

  /** Executions in the order of the log. For a bare call they include those of identical calls of other clients. */
  executionsOf({ bytes, sentAs }: ClientInvocation): readonly Execution[] {
    if (sentAs.length === 0) return this.#executions.get(keyOf(bytes)) ?? []
    return sentAs.flatMap((name) => this.#executions.get(name) ?? []).toSorted((a, b) => a.slot - b.slot)
  }

  /**
   * Checks a request in the client's own sessions: it is carried out at most once, under any of its names, and never if the
   * client was told so.
   */
  #checkOnce(invocation: ClientInvocation): void {
    const { sentAs, isDenied } = invocation
    const slots = sentAs.filter((name) => this.#executions.has(name)).map((name) => this.#executions.get(name)?.[0]?.slot)
    check(slots.length <= 1, () => `${tellInvocation(invocation)}, was carried out twice, in slots ${slots.join(' and ')}`)
    check(
      !isDenied || slots.length === 0,
      () => `${tellInvocation(invocation)}, was told not to be carried out, and was, in slot ${slots[0]}`,
    )
  }

  #applyEnvelope(envelope: Envelope, at: SlotTime): void {
    if (envelope.kind === 'open') {
      this.#opened.add(this.#sessions.open(envelope.token, at))
      return
    }
    if (envelope.kind === 'close') {
      this.#sessions.close(envelope.session, at)
      return
    }
    if (envelope.kind === 'level') {
      this.model.level = Math.max(this.model.level, envelope.level)
      return
    }
    const { clientId, requestNumber, command } = envelope.command
    const key = keyOf(command)
    if (this.#history.isMisuse(command)) {
      const { kind } = this.#sessions.apply(envelope.command, MISUSE, at)
      check(kind !== 'result', () => `slot ${at.slot} holds a misuse of session ${clientId}, and it was carried out`)
      return
    }
    const request = this.#requests.get(key)
    check(request !== undefined, () => `slot ${at.slot} holds a command that no client sent`)
    const owner = this.#history.ownerOf(clientId)
    const name = sessionName(clientId, requestNumber)
    if (owner !== undefined) {
      const sent = this.#sentAs.get(name)
      const isOwn = sent !== undefined && keyOf(sent.bytes) === key
      check(isOwn, () => `slot ${at.slot} holds, as ${name} of ${owner}, what ${owner} did not send under that number`)
    }
    const result = this.#sessions.apply(envelope.command, request, at)
    if (result.kind !== 'result') return
    const { operation } = request
    if (!result.isFirst && operation.kind !== 'logRead') return
    // A logged read is answered as of each of its places; for anything else the first execution counts.
    const { slot, outcome } =
      operation.kind === 'logRead' ? { slot: at.slot, outcome: this.model.query(operation.query) } : result.effect
    append(this.#executions, owner === undefined ? key : name, { slot: at.slot, answer: { slot, outcome } })
  }

  #checkReads(slot: Slot): void {
    for (const invocation of this.#reads.get(slot) ?? []) {
      const { asked, answer } = invocation
      if (asked.kind !== 'read' || answer === undefined) continue
      const expected = { slot, outcome: this.model.query(asked.query) }
      check(
        isSame(answer, expected),
        () => `${tellInvocation(invocation)}, was answered ${tellAnswer(answer)}, but by the log it is ${tellAnswer(expected)}`,
      )
    }
    this.#reads.delete(slot)
  }
}

/**
 * Checks that everything answered before another request was asked stands before it: a command in its slot, a read right after
 * its slot. A request answered with an earlier effect (a repeat by id) stands where that effect was looked up.
 */
function checkRealTime(
  invocations: readonly ClientInvocation[],
  executionsOf: (invocation: ClientInvocation) => readonly Execution[],
): void {
  const byReturn = invocations.filter((i) => i.answer !== undefined).toSorted((a, b) => (a.returnedUs ?? 0) - (b.returnedUs ?? 0))
  const placeOf = new Map<ClientInvocation, Slot>()
  let latest: { readonly invocation: ClientInvocation; readonly slot: Slot } | undefined
  let next = 0
  // In the order of invocation: every request that was answered before this one was asked has its place already.
  for (const invocation of invocations) {
    for (; (byReturn[next]?.returnedUs ?? Number.POSITIVE_INFINITY) < invocation.invokedUs; next++) {
      const earlier = byReturn[next] as ClientInvocation
      const slot = placeOf.get(earlier) ?? 0
      if (slot > (latest?.slot ?? -1)) latest = { invocation: earlier, slot }
    }
    const before = latest
    const slot = findPlace(invocation, before?.slot ?? -1, executionsOf(invocation))
    check(
      slot !== undefined,
      () =>
        `${tellInvocation(invocation)}, ${invocation.answer === undefined ? 'was carried out' : 'stands'} no later than slot ` +
        `${before?.slot} of ${before && tellInvocation(before.invocation)}, which was answered before it was asked`,
    )
    placeOf.set(invocation, slot)
  }
}

/**
 * Returns the first place after `latest` that explains the answer: an early place leaves most room for the requests that follow.
 */
function findPlace(invocation: ClientInvocation, latest: Slot, executions: readonly Execution[]): Slot | undefined {
  const { asked, answer, sentAs } = invocation
  if (answer === undefined) {
    // An unanswered request need not have a place, but it must not have been carried out before it was asked.
    const isEarly = sentAs.length > 0 && executions.some(({ slot }) => slot <= latest)
    return isEarly ? undefined : Number.POSITIVE_INFINITY
  }
  if (asked.kind === 'read') return answer.slot >= latest ? answer.slot : undefined
  return executions.find(({ slot, answer: known }) => slot > latest && isSame(known, answer))?.slot
}

function isSame(a: PlainAnswer, b: PlainAnswer): boolean {
  return a.slot === b.slot && sameOutcome(a.outcome, b.outcome)
}

function keyOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

function append<K, V>(lists: Map<K, V[]>, key: K, item: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}
