import type { Random } from '../random.js'
import type { ClientHabits, OperationMix } from './habits.js'
import {
  type Deposit,
  type SimulatedOperation,
  type SimulatedQuery,
  type SimulatedRequest,
  type Transfer,
  type TransferBatch,
  type Txn,
  type TxnCondition,
  type TxnStep,
  takesRequestId,
} from './simulated-operations.js'

/** The order of the last two by UTF-16 units differs from their order by UTF-8 bytes. */
const KEYS = ['k1', 'k2', 'j', 'k', 'k\u{ff5e}', 'k\u{1f600}']
const KINDS = ['keyRate', 'txnRate', 'movementRate', 'holdRate', 'batchRate', 'logReadRate'] as const
const ASSET = 'EUR'
const OTHER_ASSET = 'USD'
const REQUESTS_MAX = 30
/** Number of recent holds remembered; most of the older ones have ended. */
const HOLDS_MAX = 6
const AMOUNT_MAX = 50
/** Small, so that most holds find enough money. */
const HELD_MAX = 15
/** Deposits exceed withdrawals, so that most transfers find enough money. */
const DEPOSIT_MAX = 200
/**
 * Share of requests for what only the next level has: of all clients once a node offers it, and before that of clients that do
 * not look.
 */
const NEXT_RATE = 0.2
const PREMATURE_RATE = 0.05

type TxnWrite = Exclude<TxnStep, { kind: 'get' | 'balance' }>

/** Draws the requests of the clients of a world. The clients share the ids that are worth using again. */
export class Workload {
  readonly #habits: ClientHabits
  readonly #random: Random
  /** Ids of recent movements, and of the pending transfers among them. */
  readonly #movements: string[] = []
  readonly #holds: string[] = []
  readonly #requests: SimulatedRequest[] = []
  readonly #opened = new Set<string>()
  readonly #isNextOffered: (() => boolean) | undefined
  #lastId = 0

  /** `isNextOffered`: returns true if a node offers the next level; absent: no client asks for it. */
  constructor(habits: ClientHabits, random: Random, isNextOffered?: () => boolean) {
    this.#isNextOffered = isNextOffered
    this.#habits = habits
    this.#random = random
  }

  drawQuery(): SimulatedQuery {
    switch (this.#random.int(0, 6)) {
      case 0:
      case 1:
        return { kind: 'get', key: this.#key() }
      case 2:
        return this.#drawList()
      case 3:
      case 4:
        return { kind: 'balance', account: this.#account() }
      case 5:
        return { kind: 'accounts' }
      default:
        return { kind: 'movement', id: this.#anyMovement() }
    }
  }

  /** `hasSession`: true if the client has a session, in which repeats are safe. */
  drawRequest({ hasSession }: { hasSession: boolean }): SimulatedRequest {
    if (this.#requests.length > 0 && this.#random.chance(this.#habits.reuseRate)) return this.#drawReuse()
    const ofNextLevel = hasSession ? undefined : this.#drawOfNextLevel()
    const operation = ofNextLevel ?? this.#drawOperation()
    const isOdd = this.#random.chance(this.#habits.oddIdRate)
    const requestId = takesRequestId(operation) && hasSession === isOdd ? this.#newId('r') : ''
    const request = { operation, requestId }
    // A client with a session must not repeat it: its door is of this version.
    if (ofNextLevel === undefined) remember(this.#requests, request, REQUESTS_MAX)
    return request
  }

  #drawOperation(): SimulatedOperation {
    const kind = pickKind(this.#random, this.#habits)
    // The accounts come first.
    const unopened = this.#accounts().find((account) => !this.#opened.has(account))
    const isOfBank = kind !== 'keyRate' && kind !== 'logReadRate'
    if (isOfBank && unopened !== undefined && this.#random.chance(0.7)) return this.#drawOpening(unopened)
    switch (kind) {
      case 'keyRate':
        return this.#drawKeyWrite()
      case 'txnRate':
        return this.#drawTxn()
      case 'movementRate':
        return this.#drawMovement()
      case 'holdRate':
        return this.#drawHold()
      case 'batchRate':
        return this.#drawBatch()
      case 'logReadRate':
        return { kind: 'logRead', query: this.drawQuery() }
    }
  }

  #drawOfNextLevel(): SimulatedOperation | undefined {
    if (this.#isNextOffered === undefined) return undefined
    if (!this.#random.chance(this.#isNextOffered() ? NEXT_RATE : PREMATURE_RATE)) return undefined
    if (this.#random.chance(0.5)) return { kind: 'touch', key: this.#key() }
    return { kind: 'put', key: '', value: this.#value() }
  }

  /** Draws the same request as another client's, or another request with the same id. */
  #drawReuse(): SimulatedRequest {
    const known = this.#random.pick(this.#requests)
    if (this.#random.chance(0.5)) return known
    const { operation, requestId } = known
    if (requestId !== '') return { operation: this.#drawKeyWrite(), requestId }
    if (operation.kind === 'transfer' && this.#random.chance(0.5)) {
      return { operation: this.#withOneDifference(operation), requestId: '' }
    }
    if (operation.kind === 'deposit' || operation.kind === 'withdraw' || operation.kind === 'transfer') {
      return { operation: { ...this.#drawTransfer(), id: operation.id }, requestId: '' }
    }
    return known
  }

  /** Returns another transfer under the same id, with a small difference. */
  #withOneDifference(transfer: Transfer): Transfer {
    switch (this.#random.int(0, 2)) {
      case 0:
        return { ...transfer, amount: transfer.amount + 1 }
      case 1:
        return { ...transfer, isPending: !transfer.isPending, timeoutMs: 0 }
      default:
        return { ...transfer, timeoutMs: transfer.isPending ? transfer.timeoutMs + 1 : 0 }
    }
  }

  #drawKeyWrite(): TxnWrite {
    const key = this.#key()
    switch (this.#random.int(0, 9)) {
      case 0:
      case 1:
        return { kind: 'delete', target: { key } }
      case 2:
        return { kind: 'delete', target: { prefix: key.slice(0, 1) } }
      default:
        return { kind: 'put', key, value: this.#value() }
    }
  }

  #drawMovement(): TxnWrite {
    const account = this.#account()
    if (this.#random.chance(0.05)) return this.#drawOpening(account)
    switch (this.#random.int(0, 6)) {
      case 0:
        return { kind: 'withdraw', id: this.#newMovement('w'), account, amount: this.#amount() }
      case 1:
      case 2:
      case 3:
        return this.#drawDeposit(account)
      default:
        return this.#drawTransfer()
    }
  }

  #drawOpening(account: string): TxnWrite {
    this.#opened.add(account)
    const asset = this.#random.chance(0.06) ? OTHER_ASSET : ASSET
    return { kind: 'open', account, asset, overdraftLimit: this.#random.chance(0.2) ? 30 : 0 }
  }

  #drawDeposit(account: string): Deposit {
    const isForged = this.#random.chance(0.03)
    return {
      kind: 'deposit',
      id: this.#newMovement('d'),
      account,
      asset: ASSET,
      amount: this.#random.int(1, DEPOSIT_MAX),
      isForged,
    }
  }

  #drawTransfer({ isPending = false } = {}): Transfer {
    const source = this.#account()
    const destination = this.#random.pick(this.#accounts().filter((account) => account !== source))
    const hasTimeout = isPending && this.#random.chance(0.7)
    const timeoutMs = hasTimeout ? this.#random.int(1, this.#habits.holdMsMax) : 0
    const id = this.#newMovement('t')
    if (isPending) remember(this.#holds, id, HOLDS_MAX)
    const amount = isPending ? this.#random.int(1, HELD_MAX) : this.#amount()
    return { kind: 'transfer', id, source, destination, amount, isPending, timeoutMs }
  }

  #drawHold(): Transfer | Extract<SimulatedOperation, { kind: 'post' | 'void' }> {
    if (this.#holds.length === 0 || this.#random.chance(0.5)) return this.#drawTransfer({ isPending: true })
    const id = this.#random.chance(0.9) ? this.#random.pick(this.#holds) : this.#anyMovement()
    if (this.#random.chance(0.35)) return { kind: 'void', id }
    return { kind: 'post', id, amount: this.#random.chance(0.5) ? 0 : this.#random.int(1, HELD_MAX) }
  }

  #drawBatch(): TransferBatch {
    const count = this.#random.int(1, 5)
    const transfers = Array.from({ length: count }, () => this.#drawTransfer({ isPending: this.#random.chance(0.2) }))
    const linkedGroups: { first: number; count: number }[] = []
    for (let first = 0; first + 2 <= count; ) {
      const length = this.#random.int(1, count - first)
      if (length >= 2) linkedGroups.push({ first, count: length })
      first += length
    }
    return { kind: 'batch', transfers, linkedGroups }
  }

  #drawTxn(): Txn {
    const compare = Array.from({ length: this.#random.int(0, 2) }, () => this.#drawCompare())
    const steps = (max: number): TxnStep[] => Array.from({ length: this.#random.int(0, max) }, () => this.#drawStep())
    return { kind: 'txn', compare, whenTrue: steps(4), whenFalse: steps(2) }
  }

  #drawStep(): TxnStep {
    switch (this.#random.int(0, 7)) {
      case 0:
        return { kind: 'get', key: this.#key() }
      case 1:
        return { kind: 'balance', account: this.#account() }
      case 2:
        return this.#drawHold()
      case 3:
      case 4:
        return this.#drawMovement()
      default:
        return this.#drawKeyWrite()
    }
  }

  #drawCompare(): TxnCondition {
    const operator = this.#random.pick(['equal', 'equal', 'notEqual', 'less', 'greater'] as const)
    const target = this.#random.chance(0.6) ? { value: this.#value() } : { version: this.#random.int(0, 4) }
    return { key: this.#key(), operator, target }
  }

  #drawList(): SimulatedQuery {
    const random = this.#random
    const hasPrefix = random.chance(0.5)
    const bound = (): string => (hasPrefix || random.chance(0.4) ? '' : this.#key())
    return {
      kind: 'list',
      prefix: hasPrefix ? this.#key().slice(0, 1) : '',
      start: bound(),
      end: bound(),
      limit: random.chance(0.5) ? 0 : random.int(1, 4),
      isDescending: random.chance(0.4),
      keysOnly: random.chance(0.2),
      countOnly: random.chance(0.1),
    }
  }

  #anyMovement(): string {
    return this.#movements.length === 0 ? 'none' : this.#random.pick(this.#movements)
  }

  /** A transfer takes two. */
  get #accountCount(): number {
    return Math.max(2, this.#habits.accountCount)
  }

  #accounts(): string[] {
    return Array.from({ length: this.#accountCount }, (_, i) => `a${i + 1}`)
  }

  #account(): string {
    const isHot = this.#random.chance(this.#habits.hotRate)
    return `a${this.#random.int(1, isHot ? 2 : this.#accountCount)}`
  }

  #key(): string {
    return this.#random.pick(KEYS.slice(0, this.#habits.keyCount))
  }

  #value(): string {
    return `v${this.#random.int(1, 4)}`
  }

  #amount(): number {
    return this.#random.int(1, AMOUNT_MAX)
  }

  #newMovement(prefix: string): string {
    const id = this.#newId(prefix)
    remember(this.#movements, id, REQUESTS_MAX)
    return id
  }

  #newId(prefix: string): string {
    return `${prefix}${++this.#lastId}`
  }
}

function pickKind(random: Random, mix: OperationMix): keyof OperationMix {
  let rest = random.next() * KINDS.reduce((sum, kind) => sum + mix[kind], 0)
  for (const kind of KINDS) {
    rest -= mix[kind]
    if (rest < 0) return kind
  }
  return 'movementRate'
}

function remember<T>(list: T[], item: T, countMax: number): void {
  list.push(item)
  if (list.length > countMax) list.shift()
}
