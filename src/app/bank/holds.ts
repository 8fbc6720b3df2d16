import type { Moment } from '../../replication/state-machine.js'
import { assert } from '../../tables/assert.js'
import type { Deadlines } from '../../tables/deadlines.js'
import type { Access } from '../access.js'
import { type Bounds, checkId } from '../bounds.js'
import { Refusal, type RefusalParameters } from '../refusal.js'
import type { Ledger } from './ledger.js'
import { expiresAtMs, INT64_MAX, type Movement } from './movement.js'

/** A request to end a hold. */
export interface EndOfHold {
  readonly transferId: string
  /** Minor units. 0: all that is held. A hold is posted in full or in part, and voided as a whole. */
  readonly amount: bigint
}

/** The second phase of two-phase transfers: a hold ends once, by being posted, voided or expired. */
export class Holds {
  readonly #deadlines: Deadlines
  readonly #ledger: Ledger

  constructor(deadlines: Deadlines, ledger: Ledger) {
    this.#deadlines = deadlines
    this.#ledger = ledger
  }

  /** Watches over a pending transfer that has just been recorded. */
  watch(movement: Movement): void {
    const atMs = expiresAtMs(movement)
    if (atMs !== undefined) this.#deadlines.set('hold', movement.id, atMs)
  }

  /** Gives back a hold whose deadline was taken out. */
  expire(id: string): void {
    const movement = this.#ledger.movements.get(id)
    assert(movement?.status === 'pending', 'what is watched over is pending')
    this.#giveBack(movement)
    this.#ledger.replace(movement, { ...movement, status: 'expired' })
  }

  /**
   * Carries out a pending transfer, in full or in part. Refused, in this order: TRANSFER_NOT_FOUND, TRANSFER_EXPIRED, (posted
   * already with this amount: the first result), TRANSFER_NOT_PENDING, EXCEEDS_PENDING_AMOUNT, BALANCE_OVERFLOW (and stays pending).
   */
  post({ transferId, amount }: EndOfHold, at: Moment): Movement | Refusal {
    const movement = this.#find(transferId, at)
    if (movement instanceof Refusal) return movement
    const posted = amount === 0n ? movement.pendingAmount : amount
    if (movement.status === 'posted' && movement.pendingAmount !== 0n && movement.amount === posted) return movement
    if (movement.status !== 'pending') return notPending(movement)
    if (posted > movement.pendingAmount) {
      return Refusal.of('EXCEEDS_PENDING_AMOUNT', aboutHold(movement, posted))
    }
    const destination = this.#ledger.accounts.get(movement.destination)
    if (destination !== undefined && destination.balance + posted > INT64_MAX) {
      return Refusal.of('BALANCE_OVERFLOW', { account_id: movement.destination })
    }
    this.#ledger.change(this.#ledger.account(movement.source), { balance: -posted, held: -movement.pendingAmount })
    this.#ledger.change(this.#ledger.account(movement.destination), { balance: posted })
    return this.#end(movement, { ...movement, status: 'posted', amount: posted }, at)
  }

  /**
   * Gives a hold back. Refused, in this order: TRANSFER_NOT_FOUND, TRANSFER_EXPIRED, (voided already: the first result),
   * TRANSFER_NOT_PENDING, PENDING_AMOUNT_DIFFERS.
   */
  void({ transferId, amount }: EndOfHold, at: Moment): Movement | Refusal {
    const movement = this.#find(transferId, at)
    if (movement instanceof Refusal) return movement
    const isWhole = amount === 0n || amount === movement.pendingAmount
    if (movement.status === 'voided' && isWhole) return movement
    if (movement.status !== 'pending') return notPending(movement)
    if (!isWhole) {
      return Refusal.of('PENDING_AMOUNT_DIFFERS', aboutHold(movement, amount))
    }
    this.#giveBack(movement)
    return this.#end(movement, { ...movement, status: 'voided' }, at)
  }

  /** A hold whose time has come is over, though others may have to end before it. */
  #find(transferId: string, at: Moment): Movement | Refusal {
    const movement = this.#ledger.movements.get(transferId)
    if (movement === undefined) return Refusal.of('TRANSFER_NOT_FOUND', { transfer_id: transferId })
    const isOver = movement.status === 'pending' && (expiresAtMs(movement) ?? Number.POSITIVE_INFINITY) <= at.timeMs
    if (movement.status !== 'expired' && !isOver) return movement
    return Refusal.of('TRANSFER_EXPIRED', { transfer_id: transferId })
  }

  #giveBack(movement: Movement): void {
    this.#ledger.change(this.#ledger.account(movement.source), { held: -movement.pendingAmount })
  }

  /** Enters a movement that was just posted or voided, with what a repeat will be answered. */
  #end(before: Movement, movement: Movement, at: Moment): Movement {
    const ended: Movement = { ...movement, endSlot: at.slot, endStanding: this.#ledger.standing(movement) }
    this.#ledger.replace(before, ended)
    if (before.timeoutMs !== 0) this.#deadlines.delete('hold', before.id)
    return ended
  }
}

function notPending({ id, kind, status }: Movement): Refusal {
  return Refusal.of('TRANSFER_NOT_PENDING', { transfer_id: id, kind, status })
}

function aboutHold({ id, pendingAmount }: Movement, amount: bigint): RefusalParameters['EXCEEDS_PENDING_AMOUNT'] {
  return { transfer_id: id, held: String(pendingAmount), amount: String(amount) }
}

/** The bounds of a request that ends a hold: 0 stands for all of it. */
export function checkEndOfHold(request: EndOfHold, bounds: Bounds): void {
  checkId(bounds, 'transferId', request.transferId)
  if (request.amount < 0n || request.amount > INT64_MAX) bounds.broken('amount', 'AMOUNT_OF_HOLD', INT64_MAX)
}

/** The rights to end a hold: those to move the money that it holds. */
export function accessToHold(movement: Movement | undefined): readonly Access[] {
  if (movement === undefined) return []
  return [
    { right: 'DEBIT', account: movement.source },
    { right: 'CREDIT', account: movement.destination },
  ]
}
