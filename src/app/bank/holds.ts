import type { Moment } from '../../replication/state-machine.js'
import { assert } from '../../tables/assert.js'
import { type Expiry, ExpiryHeap, type HeapEntry } from '../../tables/expiry-heap.js'
import type { Journal } from '../../tables/journal.js'
import { HOLD_BYTES } from '../../tables/row-bytes.js'
import { Table } from '../../tables/table.js'
import { Refusal, type RefusalParameters } from '../refusal.js'
import type { Ledger } from './ledger.js'
import { expiresAtMs, INT64_MAX, type Movement } from './movement.js'

export interface PostTransferRequest {
  readonly transferId: string
  /** 0: all that is held. */
  readonly amount: bigint
}

export interface VoidTransferRequest {
  readonly transferId: string
  /** 0, or all that is held. */
  readonly amount: bigint
}

/** The holds that end by themselves, by the id of their transfer, and which of them comes first. */
class Expiries extends Table<HeapEntry> {
  readonly #heap = new ExpiryHeap()

  get first(): Expiry | undefined {
    return this.#heap.first
  }

  override load(id: string, entry: HeapEntry): void {
    super.load(id, entry)
    this.#heap.push(entry)
  }

  protected override write(id: string, entry: HeapEntry | undefined): void {
    const before = this.get(id)
    super.write(id, entry)
    if (before !== undefined) this.#heap.remove(before)
    if (entry !== undefined) this.#heap.push(entry)
  }
}

/** The second phase of two-phase transfers: a hold ends once, by being posted, voided or expired. */
export class Holds {
  /** In memory, as the heap must be, though the transfers themselves are perhaps on disk. */
  readonly expiries: Table<HeapEntry>
  readonly #expiries: Expiries
  readonly #ledger: Ledger

  constructor(journal: Journal, ledger: Ledger) {
    this.#expiries = new Expiries(journal, () => HOLD_BYTES)
    this.expiries = this.#expiries
    this.#ledger = ledger
  }

  /** Watches over a pending transfer that has just been recorded. */
  watch(movement: Movement): void {
    const atMs = expiresAtMs(movement)
    if (atMs !== undefined) this.#expiries.set(movement.id, { atMs, id: movement.id, place: -1 })
  }

  /** The hold whose time comes first. */
  get nextExpiry(): Expiry | undefined {
    return this.#expiries.first
  }

  /** Whether the time of one has come. */
  isDue(nowMs: number): boolean {
    return (this.#expiries.first?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs
  }

  /** Gives holds back whose time has come, so many at most, in the order of (time, id). The others are over, too, and wait. */
  expire(nowMs: number, countMax: number): void {
    for (let count = 0; count < countMax; count++) {
      const due = this.#expiries.first
      if (due === undefined || due.atMs > nowMs) return
      const movement = this.#ledger.movements.get(due.id)
      assert(movement?.status === 'pending', 'what is watched over is pending')
      this.#expire(movement)
    }
  }

  /**
   * Carries out a pending transfer, in full or in part. Refused, in this order: TRANSFER_NOT_FOUND, TRANSFER_EXPIRED, (posted
   * already with this amount: the first result), TRANSFER_NOT_PENDING, EXCEEDS_PENDING_AMOUNT, BALANCE_OVERFLOW (and stays pending).
   */
  post({ transferId, amount }: PostTransferRequest, at: Moment): Movement | Refusal {
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
  void({ transferId, amount }: VoidTransferRequest, at: Moment): Movement | Refusal {
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

  #expire(movement: Movement): void {
    this.#giveBack(movement)
    this.#replace(movement, { ...movement, status: 'expired' })
  }

  #giveBack(movement: Movement): void {
    this.#ledger.change(this.#ledger.account(movement.source), { held: -movement.pendingAmount })
  }

  /** Enters a movement that was just posted or voided, with what a repeat will be answered. */
  #end(before: Movement, movement: Movement, at: Moment): Movement {
    const ended: Movement = { ...movement, endSlot: at.slot, endStanding: this.#ledger.standing(movement) }
    this.#replace(before, ended)
    return ended
  }

  #replace(before: Movement, ended: Movement): void {
    this.#ledger.replace(before, ended)
    if (before.timeoutMs !== 0) this.#expiries.delete(before.id)
  }
}

function notPending({ id, kind, status }: Movement): Refusal {
  return Refusal.of('TRANSFER_NOT_PENDING', { transfer_id: id, kind, status })
}

function aboutHold({ id, pendingAmount }: Movement, amount: bigint): RefusalParameters['EXCEEDS_PENDING_AMOUNT'] {
  return { transfer_id: id, held: String(pendingAmount), amount: String(amount) }
}
