import { ENDS_PER_SLOT_MAX, type Moment } from '../replication/state-machine.js'
import { Deadlines } from '../tables/deadlines.js'
import { Journal } from '../tables/journal.js'
import { drained } from '../tables/steps.js'
import type { TransferBatchRequest } from './bank/bank.js'
import { Bank } from './bank/bank.js'
import { BATCH_ANSWER_BYTES_MAX, batchAnswerBytes } from './bank/batch-answer.js'
import type { StoredHistory } from './bank/history.js'
import { getBalance, getTransfer, listAccounts, listMovements } from './bank/reads.js'
import type { Crypto } from './bank/signing.js'
import { FIRST_ANSWER_LIMITS, type FirstAnswerLimits, FirstAnswers } from './first-answers.js'
import { ANSWER_BYTES_MAX, Keys, pairBytes, pairsBytes } from './kv/keys.js'
import type {
  Operation,
  Outcome,
  Query,
  QueryOutcome,
  TxnOperation,
  TxnOperationOutcome,
  TxnOutcome,
  TxnRequest,
} from './operations.js'
import { Refusal } from './refusal.js'
import { Room } from './room.js'

/** Deleted pairs that are cleared in a slot. */
const CLEARED_PER_SLOT_MAX = 10_000
/** Number of ends, and of cleared pairs, in a step. */
const STEP_ENDS = 200
const STEP_CLEARED = 2_000

/** Settings of the machine, for a restart and for tests. */
export interface TypedSettings {
  readonly stored?: StoredHistory
  /** See Room. */
  readonly growthBytesMax?: number
  readonly firstAnswerLimits?: FirstAnswerLimits
}

/**
 * The bank and the keys as one typed state machine. Requests have been validated (api/validate.ts). It neither knows how commands
 * are encoded nor how its rows are stored: app/bank-and-keys.ts does.
 */
export class TypedBankAndKeys {
  readonly keys: Keys
  readonly bank: Bank
  readonly firstAnswers: FirstAnswers
  /** Everything here that ends by itself. */
  readonly deadlines: Deadlines
  readonly #journal = new Journal()
  readonly #room: Room

  /** `stored`: the part of the bank that is read back from disk; absent: nothing. */
  constructor(crypto: Crypto, { stored, growthBytesMax, firstAnswerLimits = FIRST_ANSWER_LIMITS }: TypedSettings = {}) {
    this.#room = new Room(this.#journal, growthBytesMax)
    this.deadlines = new Deadlines(['hold', 'firstAnswer'], this.#journal)
    this.keys = new Keys(this.#journal)
    this.bank = new Bank(this.#journal, this.deadlines, crypto, stored)
    this.firstAnswers = new FirstAnswers(this.deadlines, firstAnswerLimits)
  }

  /** Memory of the rows, and of the filter of movements' ids; see row-bytes.ts. */
  get stateBytes(): number {
    return this.#journal.meter.bytes + this.bank.ledger.movements.filterBytes + this.firstAnswers.bytes
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#journal.meter.writtenBytes + this.firstAnswers.writtenBytes
  }

  /** See StateMachine.onSlot. */
  onSlot(at: Moment, endsMax = ENDS_PER_SLOT_MAX): void {
    drained(this.onSlotInSteps(at, endsMax))
  }

  /** As onSlot. Each hold may want a look at the disk. */
  *onSlotInSteps({ timeMs }: Moment, endsMax = ENDS_PER_SLOT_MAX): Generator<undefined, void> {
    for (let ends = 0; ends < endsMax; ends++) {
      const due = this.deadlines.takeDue(timeMs)
      if (due === undefined) break
      if (due.kind === 'hold') this.bank.holds.expire(due.id)
      else this.firstAnswers.forget(due.id)
      if (ends % STEP_ENDS === STEP_ENDS - 1) yield
    }
    const { cuts } = this.keys
    for (let cleared = 0; cleared < CLEARED_PER_SLOT_MAX && cuts.isPending; cleared += STEP_CLEARED) {
      cuts.clear(STEP_CLEARED)
      yield
    }
  }

  /** See StateMachine.nextDeadlineMs. */
  get nextDeadlineMs(): number | undefined {
    return this.keys.cuts.isPending ? 0 : this.deadlines.nextMs
  }

  /** Carries out one command of the log. */
  apply(operation: Operation, at: Moment): Outcome {
    if (operation.$case === 'transferBatch') return drained(this.transferBatch(operation.value, at))
    this.#room.begin(at.roomBytes)
    return this.#room.within(() => this.#carryOut(operation, at))
  }

  /** As apply, in steps. */
  *transferBatch(request: TransferBatchRequest, at: Moment): Generator<undefined, Outcome> {
    if (batchAnswerBytes(request) > BATCH_ANSWER_BYTES_MAX) {
      return Refusal.of('RESPONSE_TOO_LARGE', { bytes_max: String(BATCH_ANSWER_BYTES_MAX) })
    }
    yield
    this.#room.begin(at.roomBytes)
    return { $case: 'transferBatch', value: yield* this.bank.transferBatch(request, at, this.#room) }
  }

  #carryOut(operation: Exclude<Operation, { $case: 'transferBatch' }>, at: Moment): Outcome {
    switch (operation.$case) {
      case 'txn':
        return this.#txn(operation.value, at)
      case 'registerAuthority':
        return this.bank.authorities.register(operation.value, at) ?? { $case: 'registerAuthority', value: undefined }
      case 'revokeAuthority':
        return this.bank.authorities.revoke(operation.value) ?? { $case: 'revokeAuthority', value: undefined }
      case 'list':
      case 'getTransfer':
      case 'listMovements':
      case 'listAccounts':
        return this.query(operation)
      case 'put':
      case 'get':
      case 'delete':
      case 'openAccount':
      case 'deposit':
      case 'withdraw':
      case 'transfer':
      case 'postTransfer':
      case 'voidTransfer':
      case 'getBalance':
        return this.#applyOne(operation, at, this.keys.nextRevision)
    }
  }

  /** Answers a read from the state as it is. */
  query(query: Query): QueryOutcome | Refusal {
    switch (query.$case) {
      case 'get':
        return { $case: 'get', value: this.keys.get(query.value) }
      case 'list':
        return named('list', this.keys.list(query.value))
      case 'getBalance':
        return named('getBalance', getBalance(this.bank.ledger, query.value))
      case 'getTransfer':
        return named('getTransfer', getTransfer(this.bank.ledger, query.value))
      case 'listMovements':
        return named('listMovements', listMovements(this.bank.ledger, query.value))
      case 'listAccounts':
        return named('listAccounts', listAccounts(this.bank.ledger, query.value))
    }
  }

  /** What may stand alone as well as in a transaction. Writes of keys make the revision that is given. */
  #applyOne(operation: TxnOperation, at: Moment, revision: bigint): TxnOperationOutcome | Refusal {
    switch (operation.$case) {
      case 'put':
        return { $case: 'put', value: this.keys.put(operation.value, revision) }
      case 'get':
        return { $case: 'get', value: this.keys.get(operation.value) }
      case 'delete':
        return named('delete', this.keys.delete(operation.value, revision))
      case 'openAccount':
        return named('openAccount', this.bank.openAccount(operation.value, at))
      case 'deposit':
        return named('deposit', this.bank.deposit(operation.value, at))
      case 'withdraw':
        return named('withdraw', this.bank.withdraw(operation.value, at))
      case 'transfer':
        return named('transfer', this.bank.transfer(operation.value, at))
      case 'postTransfer':
        return named('postTransfer', this.bank.postTransfer(operation.value, at))
      case 'voidTransfer':
        return named('voidTransfer', this.bank.voidTransfer(operation.value, at))
      case 'getBalance':
        return named('getBalance', getBalance(this.bank.ledger, operation.value))
    }
  }

  /** All or nothing: the first refusal takes back everything but itself. */
  #txn(request: TxnRequest, at: Moment): Outcome {
    const revision = this.keys.nextRevision
    const succeeded = request.compare.every((compare) => this.keys.holds(compare))
    const responses: TxnOperationOutcome[] = []
    let bytes = 0
    this.#journal.begin()
    for (const operation of succeeded ? request.then : request.else) {
      const outcome = this.#applyOne(operation, at, revision)
      if (outcome instanceof Refusal) return this.#refuseTxn(outcome)
      bytes += outcomeBytes(outcome)
      if (bytes > ANSWER_BYTES_MAX) return this.#refuseTxn(answerTooLarge())
      responses.push(outcome)
    }
    this.#journal.commit()
    const value: TxnOutcome = { succeeded, responses, revision: this.keys.revision.value }
    return { $case: 'txn', value }
  }

  #refuseTxn(refusal: Refusal): Refusal {
    this.#journal.rollback()
    this.bank.keepRefused(refusal)
    return refusal
  }
}

function named<Name extends string, Value extends object>(
  $case: Name,
  value: Value | Refusal,
): { readonly $case: Name; readonly value: Value } | Refusal {
  return value instanceof Refusal ? value : { $case, value }
}

/** How much room the pairs in an answer take; the rest of it is small. */
function outcomeBytes({ value }: TxnOperationOutcome): number {
  if ('pair' in value) return value.pair === undefined ? 0 : pairBytes(value.pair)
  if (!('previous' in value) || value.previous === undefined) return 0
  return 'key' in value.previous ? pairBytes(value.previous) : pairsBytes(value.previous)
}

function answerTooLarge(): Refusal {
  return Refusal.of('RESPONSE_TOO_LARGE', { bytes_max: String(ANSWER_BYTES_MAX) })
}
