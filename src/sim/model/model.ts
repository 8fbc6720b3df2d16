import type { QuotaMark } from '../checkers/quota-marks.js'
import { check } from '../checkers/violation.js'
import { type PlainOutcome, refused } from '../clients/plain-outcomes.js'
import type { SimulatedOperation, SimulatedQuery, SimulatedRequest, Txn, TxnStep } from '../clients/simulated-operations.js'
import { NAMELESS, NEXT_LEVEL, TOUCHED } from '../cluster/next-machine.js'
import { BankModel, type Effect, type SlotTime } from './bank-model.js'
import { KeysModel } from './keys-model.js'
import { ModelTable, UndoLog } from './model-table.js'
import { Revisions } from './revisions.js'

interface ModelAnswer {
  readonly content: string
  readonly effect: Effect
  readonly timeMs: number
}

/**
 * A second implementation of the bank and the keys, as plain as possible, written from the documentation alone (docs/, the
 * protos). It keeps every answer forever. The real machine must give the same answers.
 */
export class Model {
  readonly #log: UndoLog
  readonly #revisions: Revisions
  readonly #bank: BankModel
  readonly #keys: KeysModel
  #quotaMarks: QuotaMark[] = []
  /** The level of the log. next-machine.ts says what is new at the next level. */
  level = 1
  /** First answers by request_id. Synod keeps them for a day of log time, longer than any run. */
  readonly #firstAnswers: ModelTable<ModelAnswer>
  /** Every request_id that was ever used. */
  readonly #used: ModelTable<true>
  readonly #firstAnswersMax: number

  /**
   * `isSearched`: maintains a fingerprint, which costs time. `firstAnswersMax`: beyond it the oldest first answers are dropped.
   */
  constructor({ isSearched = false, firstAnswersMax = Number.POSITIVE_INFINITY } = {}) {
    this.#firstAnswersMax = firstAnswersMax
    this.#log = new UndoLog(isSearched)
    this.#revisions = new Revisions(this.#log)
    this.#bank = new BankModel(this.#log, this.#revisions)
    this.#keys = new KeysModel(this.#log, this.#revisions)
    this.#firstAnswers = new ModelTable('request', this.#log)
    this.#used = new ModelTable('used', this.#log)
  }

  /** Sets the refusals for the quota that the machine made among the requests that are applied next, in order. */
  expectQuota(marks: readonly QuotaMark[]): void {
    this.#quotaMarks = [...marks]
  }

  /** Carries a request out, unless its ids show that it was carried out already. */
  apply(request: SimulatedRequest, at: SlotTime): Effect {
    const { requestId, operation } = request
    const mark = this.#quotaMarks.shift()
    if (mark === 'whole') {
      check(mayGrow(operation), () => `a ${operation.kind} was refused for the quota, though it does not let the state grow`)
      return { slot: at.slot, outcome: refused('QUOTA_EXCEEDED') }
    }
    this.#revisions.begin()
    if (this.#isUnknown(operation)) return { slot: at.slot, outcome: refused('INVALID_ARGUMENT') }
    if (mark !== undefined && operation.kind === 'batch') return this.#bank.batch(operation, at, mark)
    if (requestId === '') return this.#carryOut(request, at)
    const content = JSON.stringify(operation)
    const known = this.#firstAnswers.get(requestId)
    if (known !== undefined) return known.content === content ? known.effect : { slot: at.slot, outcome: refused('ID_REUSED') }
    if (this.#used.has(requestId)) return { slot: at.slot, outcome: refused('EXPIRED_ID') }
    const effect = this.#carryOut(request, at)
    // Without a bound the time has no influence: then the search must not distinguish states by it.
    const timeMs = this.#firstAnswersMax < Number.POSITIVE_INFINITY ? at.timeMs : 0
    this.#keepAnswer(requestId, { content, effect, timeMs })
    return effect
  }

  /**
   * Keeps a first answer. Beyond the bound, those of the earliest log time are dropped, and among them those with the lowest ids.
   */
  #keepAnswer(requestId: string, row: ModelAnswer): void {
    if (this.#firstAnswersMax < Number.POSITIVE_INFINITY) {
      this.#used.set(requestId, true)
      const rows = this.#firstAnswers.entries().toSorted(([a, x], [b, y]) => x.timeMs - y.timeMs || (a < b ? -1 : 1))
      for (const [id] of rows.slice(0, Math.max(0, rows.length + 1 - this.#firstAnswersMax))) this.#firstAnswers.delete(id)
    }
    this.#firstAnswers.set(requestId, row)
  }

  /** Advances log time: holds that have expired are released before anything else is carried out. */
  passTime(timeMs: number): void {
    this.#bank.expire(timeMs)
  }

  query(query: SimulatedQuery): PlainOutcome {
    switch (query.kind) {
      case 'get':
        return this.#keys.get(query.key)
      case 'list':
        return this.#keys.list(query)
      case 'balance':
        return this.#bank.balance(query.account)
      case 'accounts':
        return this.#bank.accounts()
      case 'movement':
        return this.#bank.movement(query.id)
    }
  }

  /** Ends the hold of this transfer, if it is pending and has a timeout. */
  expireHold(id: string): void {
    this.#bank.expireHold(id)
  }

  /** Returns one sentence for each invariant that does not hold. */
  broken(): string[] {
    return this.#bank.broken()
  }

  get mark(): number {
    return this.#log.mark
  }

  undoTo(mark: number): void {
    this.#log.undoTo(mark)
  }

  get fingerprint(): string {
    return this.#log.fingerprint
  }

  #carryOut({ operation }: SimulatedRequest, at: SlotTime): Effect {
    switch (operation.kind) {
      case 'txn':
        return this.#txn(operation, at)
      case 'batch':
        return this.#bank.batch(operation, at)
      case 'logRead':
        return { slot: at.slot, outcome: this.query(operation.query) }
      case 'touch': {
        const { key } = operation
        return { slot: at.slot, outcome: this.#keys.put({ kind: 'put', key, value: this.#keys.valueOf(key) ?? TOUCHED }) }
      }
      case 'put':
      case 'delete':
      case 'open':
      case 'deposit':
      case 'withdraw':
      case 'transfer':
      case 'post':
      case 'void':
        return this.#step(operation, at)
    }
  }

  /** Returns true if the operation is unknown, or out of bounds, at the level of the log. */
  #isUnknown(operation: SimulatedOperation): boolean {
    const isOfNext = operation.kind === 'touch' || (operation.kind === 'put' && operation.key === '')
    return isOfNext && this.level < NEXT_LEVEL
  }

  /** Carries a transaction out, all or nothing. All changes share one revision; the id of a refused movement stays refused. */
  #txn({ compare, whenTrue, whenFalse }: Txn, at: SlotTime): Effect {
    const { mark } = this.#log
    const succeeded = compare.every((condition) => this.#keys.holds(condition))
    const responses: PlainOutcome[] = []
    for (const step of succeeded ? whenTrue : whenFalse) {
      const effect = this.#step(step, at)
      if (effect.outcome.kind === 'refused') {
        this.#log.undoTo(mark)
        this.#bank.keepRefused(effect)
        return effect
      }
      responses.push(effect.outcome)
    }
    return { slot: at.slot, outcome: { kind: 'txn', succeeded, responses, revision: this.#revisions.current } }
  }

  #step(step: TxnStep, at: SlotTime): Effect {
    switch (step.kind) {
      case 'put':
        return { slot: at.slot, outcome: this.#keys.put({ ...step, key: step.key === '' ? NAMELESS : step.key }) }
      case 'delete':
        return { slot: at.slot, outcome: this.#keys.delete(step) }
      case 'get':
      case 'balance':
        return { slot: at.slot, outcome: this.query(step) }
      case 'open':
        return this.#bank.openAccount(step, at)
      case 'deposit':
      case 'withdraw':
      case 'transfer':
        return this.#bank.move(step, at)
      case 'post':
        return this.#bank.post(step, at)
      case 'void':
        return this.#bank.void(step, at)
    }
  }
}

/** Returns true if the operation may need memory that it does not give back (docs/limits.md, Sizing). */
function mayGrow(operation: SimulatedOperation): boolean {
  switch (operation.kind) {
    case 'put':
    case 'open':
    case 'deposit':
    case 'withdraw':
    case 'txn':
    case 'touch':
      return true
    case 'transfer':
      return operation.isPending && operation.timeoutMs > 0
    case 'delete':
    case 'post':
    case 'void':
    case 'batch':
    case 'logRead':
      return false
  }
}
