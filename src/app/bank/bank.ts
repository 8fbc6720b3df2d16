/**
 * The bank: what is done, and in which order it is refused.
 *
 * A movement (deposit, withdrawal, transfer) goes through these checks, and the first that fails decides:
 *   1. the id is known: the same content gets the first result, a refusal included; other content is refused with ID_REUSED
 *   2. of a deposit: UNKNOWN_AUTHORITY, INVALID_SIGNATURE
 *   3. ACCOUNT_NOT_FOUND, of the source, then of the destination
 *   4. ASSET_MISMATCH
 *   5. INSUFFICIENT_FUNDS
 *   6. BALANCE_OVERFLOW: of the destination's balance, or of what a pending transfer would hold at the source
 * A refusal by 3 to 6 is recorded under the movement's id, which stays refused (a late retry must not succeed). One by 2 is not, as
 * anybody could otherwise burn ids without a signature. Ending a hold: see holds.ts. Authorities: see authorities.ts.
 *
 * A repeat is answered with the first result: the movement, its slot and its accounts as they were right after it.
 */

import type { EventLog } from '../../replication/event-log.js'
import type { Moment } from '../../replication/state-machine.js'
import type { Deadlines } from '../../tables/deadlines.js'
import type { Journal } from '../../tables/journal.js'
import type { Bounds } from '../bounds.js'
import { Refusal } from '../refusal.js'
import type { Room } from '../room.js'
import { Authorities } from './authorities.js'
import type { StoredHistory } from './bank-history.js'
import { Holds } from './holds.js'
import { Ledger, standingOf } from './ledger.js'
import {
  type Account,
  INT64_MAX,
  type MovedAccounts,
  type Movement,
  type MovementDraft,
  type MovementRefusalReason,
} from './movement.js'
import { refusalOf, repeat } from './repeat.js'
import type { Crypto } from './signing.js'

/** A transfer between two accounts of one asset, at once, or held until it is posted or voided. */
export interface TransferRequest {
  readonly transferId: string
  readonly sourceAccountId: string
  /** Another one than the source. */
  readonly destinationAccountId: string
  /** Minor units, 1 to 2^63 - 1. */
  readonly amount: bigint
  readonly pending: boolean
  /** Duration of the hold in log time, at most 3,650 days; 0: until it is posted or voided. Only for pending transfers. */
  readonly timeoutMs: number
}

export interface TransferBatchRequest {
  /** 1 to 8,190. */
  readonly transfers: readonly TransferRequest[]
  /** Ascending, without overlap, within `transfers`, two or more each. */
  readonly linkedGroups: readonly { readonly first: number; readonly count: number }[]
}

/** The outcome of a deposit or a withdrawal. */
export interface MovementOutcome {
  readonly movement: Movement
  readonly account: Account | undefined
}

export interface TransferOutcome {
  readonly movement: Movement
  readonly source: Account | undefined
  readonly destination: Account | undefined
}

/** Tables that the bank shares with the rest of the application. */
export interface BankTables {
  readonly journal: Journal
  readonly deadlines: Deadlines
  readonly events: EventLog
}

/** Accounts and movements between them. Requests have been validated: ids are not empty, amounts are from 1 to 2^63 - 1. */
export class Bank {
  readonly ledger: Ledger
  readonly authorities: Authorities
  readonly holds: Holds
  readonly #journal: Journal
  readonly #crypto: Crypto

  constructor({ journal, deadlines, events }: BankTables, crypto: Crypto, stored?: StoredHistory) {
    this.#journal = journal
    this.#crypto = crypto
    this.ledger = new Ledger(journal, events, stored)
    this.authorities = new Authorities(journal, crypto)
    this.holds = new Holds(deadlines, this.ledger)
  }

  /** Digests what repeats of a deposit are compared by. */
  digest(bytes: Uint8Array): string {
    return this.#crypto.digest(bytes)
  }

  /** Makes a transfer, unless it was made before. */
  transfer(request: TransferRequest, at: Moment): Movement | Refusal {
    return this.moveOnce(draftTransfer(request), this.ledger.movements.get(request.transferId), at)
  }

  /** Transfers in order, each for itself, but of a linked group all or none. In steps of STEP_TRANSFERS or a few more. */
  *transferBatch(
    { transfers, linkedGroups }: TransferBatchRequest,
    at: Moment,
    room: Room,
  ): Generator<undefined, (Movement | Refusal)[]> {
    const results: (Movement | Refusal)[] = []
    const end = { first: transfers.length, count: 0 }
    let stepEnd = STEP_TRANSFERS
    for (const { first, count } of [...linkedGroups, end]) {
      while (results.length < first) {
        const transfer = transfers[results.length] as TransferRequest
        results.push(room.within(() => this.transfer(transfer, at)))
        if (results.length % STEP_TRANSFERS === 0) yield
      }
      if (count === 0) break
      const group = transfers.slice(first, first + count)
      const linked = yield* room.withinSteps(this.#linkedTransfers(group, at))
      for (const i of group.keys()) results.push(linked instanceof Refusal ? linked : (linked[i] as Movement | Refusal))
      if (results.length < stepEnd) continue
      stepEnd = results.length + STEP_TRANSFERS
      yield
    }
    return results
  }

  /** After a rollback took the record of a refusal back: the refused id must stay refused all the same. */
  keepRefused({ movement }: Refusal): void {
    if (movement === undefined || this.ledger.movements.get(movement.id) !== undefined) return
    this.ledger.record({ ...movement, sequence: this.ledger.movements.count.value + 1 }, NO_ACCOUNTS)
  }

  *#linkedTransfers(transfers: readonly TransferRequest[], at: Moment): Generator<undefined, (Movement | Refusal)[]> {
    const drafts = transfers.map(draftTransfer)
    // A retry of a refused group gets the first results, whatever those that were not to blame would come to now.
    const known: (Movement | undefined)[] = []
    for (const draft of drafts) {
      const movement = this.ledger.movements.get(draft.id)
      const first = movement && repeat(movement, draft)
      if (first instanceof Refusal) return groupRefusal(drafts, draft, first)
      if (known.push(movement) % STEP_TRANSFERS === 0) yield
    }
    this.#journal.begin()
    const results: (Movement | Refusal)[] = []
    for (const [i, draft] of drafts.entries()) {
      if (i % STEP_TRANSFERS === STEP_TRANSFERS - 1) yield
      const result = this.moveOnce(draft, this.ledger.movements.getAgain(draft.id, known[i]), at)
      if (result instanceof Refusal) {
        yield* this.#journal.rollbackInSteps()
        this.keepRefused(result)
        return groupRefusal(drafts, draft, result)
      }
      results.push(result)
    }
    this.#journal.commit()
    return results
  }

  /** Makes a movement, unless `known` stands under its id: then it is a repeat. */
  moveOnce(draft: MovementDraft, known: Movement | undefined, at: Moment): Movement | Refusal {
    return known === undefined ? this.#move(draft, at) : repeat(known, draft)
  }

  /** Checks 3 to 6, then the movement itself. */
  #move(draft: MovementDraft, at: Moment): Movement | Refusal {
    const source = draft.source === '' ? undefined : this.ledger.accounts.get(draft.source)
    const destination = draft.destination === '' ? undefined : this.ledger.accounts.get(draft.destination)
    const asset = draft.asset || (source?.asset ?? destination?.asset ?? '')
    const wrong = findWrong(draft, { source, destination, asset })
    const entered = wrong === undefined ? this.#enter(draft, { source, destination, asset }) : NO_ACCOUNTS
    const movement: Movement = {
      id: draft.id,
      kind: draft.kind,
      source: draft.source,
      destination: draft.destination,
      asset,
      amount: draft.amount,
      status: wrong !== undefined ? 'refused' : draft.isPending ? 'pending' : 'posted',
      slot: at.slot,
      timeMs: at.timeMs,
      pendingAmount: draft.isPending ? draft.amount : 0n,
      timeoutMs: draft.timeoutMs,
      refusalReason: wrong === undefined ? '' : wrong.reason,
      refusedAccount: wrong === undefined ? '' : wrong.accountId,
      authorization: draft.authorization,
      sequence: this.ledger.movements.count.value + 1,
      standing: wrong === undefined ? standingOf(entered) : undefined,
      endSlot: 0,
      endStanding: undefined,
    }
    this.ledger.record(movement, wrong === undefined ? { source, destination } : NO_ACCOUNTS)
    if (wrong !== undefined) return refusalOf(movement)
    if (draft.isPending) this.holds.watch(movement)
    return movement
  }

  /** Changes the accounts, two different ones, and totals as a draft says that nothing is wrong with. Gives the accounts after it. */
  #enter({ amount, isPending }: MovementDraft, { source, destination, asset }: MovedAccounts & { asset: string }): MovedAccounts {
    if (source === undefined) this.ledger.count(asset, { deposits: amount })
    if (destination === undefined) this.ledger.count(asset, { withdrawals: amount })
    const place = this.ledger.nextPlace('source')
    return {
      source: source && this.ledger.change(source, isPending ? { held: amount, place } : { balance: -amount, place }),
      destination:
        destination &&
        this.ledger.change(destination, { balance: isPending ? 0n : amount, place: this.ledger.nextPlace('destination') }),
    }
  }

  /** With its accounts as they were right after it. */
  withAccounts(movement: Movement | Refusal): TransferOutcome | Refusal {
    return movement instanceof Refusal ? movement : { movement, ...this.ledger.accountsAfter(movement) }
  }
}

/** Number of transfers in a step of a batch. Others have their turn between steps: each transfer may want a look at the disk. */
const STEP_TRANSFERS = 256

const NO_ACCOUNTS: MovedAccounts = Object.freeze({ source: undefined, destination: undefined })

function draftTransfer(request: TransferRequest): MovementDraft {
  return {
    id: request.transferId,
    kind: 'transfer',
    source: request.sourceAccountId,
    destination: request.destinationAccountId,
    asset: '',
    amount: request.amount,
    isPending: request.pending,
    timeoutMs: request.timeoutMs,
    authorization: '',
  }
}

/** The results of a linked group of which one transfer is refused. */
function groupRefusal(drafts: readonly MovementDraft[], refused: MovementDraft, refusal: Refusal): Refusal[] {
  const linked = Refusal.of('LINKED_REFUSED', { transfer_id: refused.id }, refusal.movement)
  return drafts.map((draft) => (draft === refused ? refusal : linked))
}

/** The first of checks 3 to 6 that fails, with the account at fault; undefined when all is well. */
function findWrong(
  draft: MovementDraft,
  { source, destination, asset }: MovedAccounts & { asset: string },
): { reason: MovementRefusalReason; accountId: string } | undefined {
  const { amount, isPending } = draft
  if (draft.source !== '' && source === undefined) return { reason: 'ACCOUNT_NOT_FOUND', accountId: draft.source }
  if (draft.destination !== '' && destination === undefined) return { reason: 'ACCOUNT_NOT_FOUND', accountId: draft.destination }
  if (destination !== undefined && destination.asset !== asset) return { reason: 'ASSET_MISMATCH', accountId: draft.destination }
  if (source !== undefined && source.balance - source.held + source.overdraftLimit < amount) {
    return { reason: 'INSUFFICIENT_FUNDS', accountId: draft.source }
  }
  if (isPending) {
    const isTooMuchHeld = source !== undefined && source.held + amount > INT64_MAX
    return isTooMuchHeld ? { reason: 'BALANCE_OVERFLOW', accountId: draft.source } : undefined
  }
  const isOverflow = destination !== undefined && destination.balance + amount > INT64_MAX
  return isOverflow ? { reason: 'BALANCE_OVERFLOW', accountId: draft.destination } : undefined
}

/** The bound of an amount: 1 to 2^63 - 1 minor units. */
export function checkAmount(bounds: Bounds, amount: bigint): void {
  if (amount < 1n || amount > INT64_MAX) bounds.broken('amount', 'AMOUNT', INT64_MAX)
}
