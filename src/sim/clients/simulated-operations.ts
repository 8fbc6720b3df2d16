/** The operations of simulated clients: all of the bank and the keys, in amounts so small that no sum comes near an int64. */

export interface Put {
  readonly kind: 'put'
  readonly key: string
  readonly value: string
}

export interface Delete {
  readonly kind: 'delete'
  readonly target: { readonly key: string } | { readonly prefix: string }
}

export interface OpenAccount {
  readonly kind: 'open'
  readonly account: string
  readonly asset: string
  readonly overdraftLimit: number
}

export interface Deposit {
  readonly kind: 'deposit'
  readonly id: string
  readonly account: string
  readonly asset: string
  readonly amount: number
  /** True if the signature is invalid. */
  readonly isForged: boolean
}

export interface Withdraw {
  readonly kind: 'withdraw'
  readonly id: string
  readonly account: string
  readonly amount: number
}

export interface Transfer {
  readonly kind: 'transfer'
  readonly id: string
  readonly source: string
  /** Another account than the source. */
  readonly destination: string
  readonly amount: number
  /** The first of two phases: the amount is held. */
  readonly isPending: boolean
  /** Duration of a pending transfer, in ms of log time. 0: until it is posted or voided. */
  readonly timeoutMs: number
}

/** The second phase: `amount` 0 posts all that is held. */
export interface Post {
  readonly kind: 'post'
  readonly id: string
  readonly amount: number
}

export interface Void {
  readonly kind: 'void'
  readonly id: string
}

export interface TransferBatch {
  readonly kind: 'batch'
  readonly transfers: readonly Transfer[]
  /** Runs of transfers of which all happen or none does: ascending, without overlap, at least two each. */
  readonly linkedGroups: readonly { readonly first: number; readonly count: number }[]
}

interface Get {
  readonly kind: 'get'
  readonly key: string
}

export interface List {
  readonly kind: 'list'
  /** Not together with start or end. */
  readonly prefix: string
  readonly start: string
  /** Exclusive; empty: to the end. */
  readonly end: string
  /** 0: all there are. */
  readonly limit: number
  readonly isDescending: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
}

interface GetBalance {
  readonly kind: 'balance'
  readonly account: string
}

/** Lists all accounts at once. */
interface ListAccounts {
  readonly kind: 'accounts'
}

/** Reads a deposit, a withdrawal or a transfer. */
interface GetMovement {
  readonly kind: 'movement'
  readonly id: string
}

export type SimulatedQuery = Get | List | GetBalance | ListAccounts | GetMovement

/** One condition of a transaction: the key's value or version is compared with a constant. */
export interface TxnCondition {
  readonly key: string
  readonly operator: 'equal' | 'notEqual' | 'less' | 'greater'
  readonly target: { readonly value: string } | { readonly version: number }
}

/** An operation of a transaction. */
export type TxnStep = Put | Delete | OpenAccount | Deposit | Withdraw | Transfer | Post | Void | Get | GetBalance

export interface Txn {
  readonly kind: 'txn'
  readonly compare: readonly TxnCondition[]
  readonly whenTrue: readonly TxnStep[]
  readonly whenFalse: readonly TxnStep[]
}

/** The operation of the next level; see next-machine.ts. */
interface Touch {
  readonly kind: 'touch'
  readonly key: string
}

/** A read with CONSISTENCY_LOG: it takes a slot. */
interface LogRead {
  readonly kind: 'logRead'
  readonly query: SimulatedQuery
}

export type SimulatedOperation =
  | Put
  | Delete
  | Txn
  | OpenAccount
  | Deposit
  | Withdraw
  | Transfer
  | Post
  | Void
  | TransferBatch
  | LogRead
  | Touch

/** A client's request: an operation, perhaps with an id. */
export interface SimulatedRequest {
  readonly operation: SimulatedOperation
  /** Makes a put, a delete, a transaction or the opening of an account safe to repeat outside a session. '' is none. */
  readonly requestId: string
}

/** Returns true if the operation may carry a request_id. */
export function takesRequestId({ kind }: SimulatedOperation): boolean {
  return kind === 'put' || kind === 'delete' || kind === 'txn' || kind === 'open'
}

/**
 * Returns true if the request may be sent again in another session, or through another node's, and still happens once and gets one answer.
 * The end of a hold is not such: what refused it may have changed meanwhile. Nor is a forgery, which is not kept under its id.
 */
export function isSafeToRepeat({ operation, requestId }: SimulatedRequest): boolean {
  switch (operation.kind) {
    case 'put':
    case 'delete':
    case 'txn':
    case 'open':
      return requestId !== ''
    case 'deposit':
      return !operation.isForged
    case 'withdraw':
    case 'transfer':
    case 'batch':
      return true
    case 'post':
    case 'void':
    case 'logRead':
    case 'touch':
      return false
  }
}
