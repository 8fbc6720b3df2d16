import { check } from '../checkers/violation.js'
import { type AccountView, type MovementView, type PlainOutcome, refused } from '../clients/plain-outcomes.js'
import type { Deposit, OpenAccount, Post, Transfer, TransferBatch, Void, Withdraw } from '../clients/simulated-operations.js'
import { ModelTable, type UndoLog } from './model-table.js'
import type { Revisions } from './revisions.js'

/** A slot and its log time. */
export interface SlotTime {
  readonly slot: number
  readonly timeMs: number
}

/** The outcome of a request, and the slot in which it took effect. A repeat has those of the first execution. */
export interface Effect {
  readonly slot: number
  readonly outcome: PlainOutcome
  /** A refused movement, which stays refused even if the rest of its group or transaction is undone. */
  readonly refusedMovement?: MovementRow
}

type MovementOperation = Deposit | Withdraw | Transfer

/** Everything known under the id of a movement. */
interface MovementRow {
  /** The content that a repeat must have, too. */
  readonly content: string
  readonly now: MovementView
  /** The effect of the first request, which repeats get. */
  readonly first: Effect
  /** The effect of posting or voiding, which repeats get. */
  readonly end: Effect | null
}

/** The bank as docs/errors.md and bank.proto describe it: the order of refusals, ids, holds. */
export class BankModel {
  readonly #log: UndoLog
  readonly #revisions: Revisions
  readonly #accounts: ModelTable<AccountView>
  readonly #movements: ModelTable<MovementRow>
  /** The pending transfers, as they were created. */
  readonly #holds: ModelTable<MovementView>
  /** Deposits minus withdrawals, by asset. */
  readonly #totals: ModelTable<{ readonly asset: string; readonly amount: number }>

  constructor(log: UndoLog, revisions: Revisions) {
    this.#log = log
    this.#revisions = revisions
    this.#accounts = new ModelTable('account', log)
    this.#movements = new ModelTable('movement', log)
    this.#holds = new ModelTable('hold', log)
    this.#totals = new ModelTable('total', log)
  }

  openAccount({ account, asset, overdraftLimit }: OpenAccount, at: SlotTime): Effect {
    if (this.#accounts.has(account)) return { slot: at.slot, outcome: refused('ACCOUNT_EXISTS') }
    const view: AccountView = { account, asset, balance: 0, held: 0, overdraftLimit, openedMs: at.timeMs }
    this.#accounts.set(account, view)
    this.#revisions.change()
    return { slot: at.slot, outcome: { kind: 'account', account: view } }
  }

  balance(account: string): PlainOutcome {
    const view = this.#accounts.get(account)
    return view === undefined ? refused('ACCOUNT_NOT_FOUND') : { kind: 'account', account: view }
  }

  accounts(): PlainOutcome {
    return { kind: 'accounts', accounts: this.#accounts.sorted() }
  }

  movement(id: string): PlainOutcome {
    const row = this.#movements.get(id)
    return row === undefined
      ? refused('TRANSFER_NOT_FOUND')
      : { kind: 'movement', movement: row.now, source: null, destination: null }
  }

  /** Carries out a deposit, a withdrawal or a transfer; a repeat gets the effect of the first. */
  move(asked: MovementOperation, at: SlotTime): Effect {
    const known = this.#movements.get(asked.id)
    if (known !== undefined) {
      return known.content === contentOf(asked) ? asRepeat(known) : { slot: at.slot, outcome: refused('ID_REUSED') }
    }
    if (asked.kind === 'deposit' && asked.isForged) return { slot: at.slot, outcome: refused('INVALID_SIGNATURE') }
    const reason = this.#whatIsWrong(asked)
    const now = this.#viewOf(asked, reason, at)
    if (reason === '') {
      this.#changeAccounts(now)
      // A refusal changes nothing visible, though its id is remembered.
      this.#revisions.change()
    }
    const outcome: PlainOutcome = reason === '' ? { kind: 'movement', movement: now, ...this.#accountsOf(now) } : refused(reason)
    const row: MovementRow = { content: contentOf(asked), now, first: { slot: at.slot, outcome }, end: null }
    this.#movements.set(asked.id, row)
    if (now.status === 'pending') this.#holds.set(asked.id, now)
    return asRepeat(row)
  }

  post({ id, amount }: Post, at: SlotTime): Effect {
    const row = this.#movements.get(id)
    const refusal = this.#whyNotToEnd(row)
    if (row === undefined || refusal === 'TRANSFER_EXPIRED') return { slot: at.slot, outcome: refused(refusal) }
    const { now } = row
    const posted = amount === 0 ? now.pendingAmount : amount
    if (row.end !== null && now.status === 'posted' && now.amount === posted) return row.end
    if (refusal !== '') return { slot: at.slot, outcome: refused(refusal) }
    if (posted > now.pendingAmount) return { slot: at.slot, outcome: refused('EXCEEDS_PENDING_AMOUNT') }
    this.#change(now.source, { balance: -posted, held: -now.pendingAmount })
    this.#change(now.destination, { balance: posted })
    return this.#end(row, { ...now, amount: posted, status: 'posted' }, at)
  }

  void({ id }: Void, at: SlotTime): Effect {
    const row = this.#movements.get(id)
    const refusal = this.#whyNotToEnd(row)
    if (row !== undefined && row.end !== null && row.now.status === 'voided') return row.end
    if (row === undefined || refusal !== '') return { slot: at.slot, outcome: refused(refusal) }
    this.#change(row.now.source, { held: -row.now.pendingAmount })
    return this.#end(row, { ...row.now, status: 'voided' }, at)
  }

  /**
   * Carries the transfers out in order, each for itself; a linked group is all-or-nothing. The slot of the batch is that of its
   * last transfer.
   */
  batch({ transfers, linkedGroups }: TransferBatch, at: SlotTime, refusedForQuota: readonly number[] = []): Effect {
    const effects: Effect[] = []
    for (let next = 0; next < transfers.length; next = effects.length) {
      const group = linkedGroups.find(({ first }) => first === next)
      const members = transfers.slice(next, next + (group?.count ?? 1))
      if (refusedForQuota.includes(next)) effects.push(...members.map(() => this.#refuseForQuota(members, at)))
      else effects.push(...(group === undefined ? members.map((transfer) => this.move(transfer, at)) : this.#linked(members, at)))
    }
    const results = effects.map(({ outcome }) => resultOf(outcome))
    return { slot: Math.max(...effects.map(({ slot }) => slot)), outcome: { kind: 'batch', results } }
  }

  #refuseForQuota(members: readonly Transfer[], at: SlotTime): Effect {
    const mayGrow = members.some(({ isPending, timeoutMs }) => isPending && timeoutMs > 0)
    check(mayGrow, () => `transfer ${members[0]?.id} of a batch was refused for the quota, though it does not let the state grow`)
    return { slot: at.slot, outcome: refused('QUOTA_EXCEEDED') }
  }

  /** Releases the holds that have expired by `nowMs`, in the order of their expiry. */
  expire(nowMs: number): void {
    const ends = this.#holds.rows().map(({ id, expiresMs }) => ({ id, atMs: expiresMs ?? Number.POSITIVE_INFINITY }))
    for (const { id } of ends.filter(({ atMs }) => atMs <= nowMs).toSorted((a, b) => a.atMs - b.atMs || (a.id < b.id ? -1 : 1))) {
      this.expireHold(id)
    }
  }

  /** Releases a hold, if it is pending and has a timeout. */
  expireHold(id: string): void {
    const row = this.#movements.get(id)
    if (row?.now.status !== 'pending' || row.now.expiresMs === null) return
    this.#change(row.now.source, { held: -row.now.pendingAmount })
    this.#movements.set(id, { ...row, now: { ...row.now, status: 'expired' } })
    this.#revisions.begin()
    this.#revisions.change()
    this.#holds.delete(id)
  }

  /** Keeps a refusal after everything else was undone: a refused id stays refused. */
  keepRefused({ refusedMovement }: Effect): void {
    const id = refusedMovement?.now.id
    if (refusedMovement !== undefined && id !== undefined && !this.#movements.has(id)) this.#movements.set(id, refusedMovement)
  }

  /** Returns one sentence for each invariant that does not hold. */
  broken(): string[] {
    const sums = new Map<string, number>()
    const held = new Map<string, number>()
    for (const { source, pendingAmount } of this.#holds.rows()) held.set(source, (held.get(source) ?? 0) + pendingAmount)
    const broken: string[] = []
    for (const { account, asset, balance, held: isHeld, overdraftLimit } of this.#accounts.rows()) {
      sums.set(asset, (sums.get(asset) ?? 0) + balance)
      if (isHeld !== (held.get(account) ?? 0)) broken.push(`${account} holds other than its pending transfers`)
      if (balance - isHeld < -overdraftLimit) broken.push(`${account} is below its limit`)
    }
    for (const { asset, amount } of this.#totals.rows()) {
      if (sums.get(asset) !== amount) broken.push(`balances in ${asset} are not deposits - withdrawals`)
    }
    return broken
  }

  #linked(transfers: readonly Transfer[], at: SlotTime): Effect[] {
    const refuseAll = (culprit: Transfer, refusal: Effect): Effect[] =>
      transfers.map((t) => (t === culprit ? refusal : { ...refusal, outcome: refused('LINKED_REFUSED') }))
    // A refused group that is sent again gets the first results.
    for (const transfer of transfers) {
      const known = this.#movements.has(transfer.id) ? this.move(transfer, at) : undefined
      if (known?.outcome.kind === 'refused') return refuseAll(transfer, known)
    }
    const { mark } = this.#log
    const effects: Effect[] = []
    for (const transfer of transfers) {
      const effect = this.move(transfer, at)
      if (effect.outcome.kind === 'refused') {
        this.#log.undoTo(mark)
        this.keepRefused(effect)
        return refuseAll(transfer, effect)
      }
      effects.push(effect)
    }
    return effects
  }

  /** Returns the first reason to refuse, or ''. */
  #whatIsWrong(asked: MovementOperation): string {
    const { source, destination } = endsOf(asked)
    const from = this.#accounts.get(source)
    const to = this.#accounts.get(destination)
    if ((source !== '' && from === undefined) || (destination !== '' && to === undefined)) return 'ACCOUNT_NOT_FOUND'
    const asset = asked.kind === 'deposit' ? asked.asset : from?.asset
    if (to !== undefined && to.asset !== asset) return 'ASSET_MISMATCH'
    const isShort = from !== undefined && from.balance - from.held + from.overdraftLimit < asked.amount
    return isShort ? 'INSUFFICIENT_FUNDS' : ''
  }

  #viewOf(asked: MovementOperation, refusalReason: string, { timeMs }: SlotTime): MovementView {
    const { source, destination } = endsOf(asked)
    const isPending = asked.kind === 'transfer' && asked.isPending
    const endsByItself = isPending && asked.timeoutMs > 0 && refusalReason === ''
    const known = this.#accounts.get(source) ?? this.#accounts.get(destination)
    return {
      id: asked.id,
      kind: asked.kind === 'withdraw' ? 'withdrawal' : asked.kind,
      source,
      destination,
      asset: asked.kind === 'deposit' ? asked.asset : (known?.asset ?? ''),
      amount: asked.amount,
      status: refusalReason !== '' ? 'refused' : isPending ? 'pending' : 'posted',
      pendingAmount: isPending ? asked.amount : 0,
      refusalReason,
      timeMs,
      expiresMs: endsByItself ? timeMs + asked.timeoutMs : null,
    }
  }

  #changeAccounts({ status, source, destination, asset, amount }: MovementView): void {
    if (status === 'pending') return this.#change(source, { held: amount })
    if (source === '') this.#countTotal(asset, amount)
    else this.#change(source, { balance: -amount })
    if (destination === '') this.#countTotal(asset, -amount)
    else this.#change(destination, { balance: amount })
  }

  #countTotal(asset: string, amount: number): void {
    this.#totals.set(asset, { asset, amount: (this.#totals.get(asset)?.amount ?? 0) + amount })
  }

  #change(account: string, { balance = 0, held = 0 }: { balance?: number; held?: number }): void {
    const view = this.#accounts.get(account)
    if (view !== undefined) this.#accounts.set(account, { ...view, balance: view.balance + balance, held: view.held + held })
  }

  #accountsOf({ source, destination }: MovementView): { source: AccountView | null; destination: AccountView | null } {
    return { source: this.#accounts.get(source) ?? null, destination: this.#accounts.get(destination) ?? null }
  }

  #whyNotToEnd(row: MovementRow | undefined): string {
    if (row === undefined) return 'TRANSFER_NOT_FOUND'
    if (row.now.status === 'expired') return 'TRANSFER_EXPIRED'
    return row.now.status === 'pending' ? '' : 'TRANSFER_NOT_PENDING'
  }

  #end(row: MovementRow, now: MovementView, { slot }: SlotTime): Effect {
    const end: Effect = { slot, outcome: { kind: 'movement', movement: now, ...this.#accountsOf(now) } }
    this.#movements.set(now.id, { ...row, now, end })
    this.#revisions.change()
    this.#holds.delete(now.id)
    return end
  }
}

function asRepeat(row: MovementRow): Effect {
  return row.now.status === 'refused' ? { ...row.first, refusedMovement: row } : row.first
}

/** Returns every field but the id, in one order, as text to compare. */
function contentOf(asked: MovementOperation): string {
  switch (asked.kind) {
    case 'deposit':
      return JSON.stringify([asked.kind, asked.account, asked.asset, asked.amount, asked.isForged])
    case 'withdraw':
      return JSON.stringify([asked.kind, asked.account, asked.amount])
    case 'transfer':
      return JSON.stringify([asked.kind, asked.source, asked.destination, asked.amount, asked.isPending, asked.timeoutMs])
  }
}

function endsOf(asked: MovementOperation): { source: string; destination: string } {
  switch (asked.kind) {
    case 'deposit':
      return { source: '', destination: asked.account }
    case 'withdraw':
      return { source: asked.account, destination: '' }
    case 'transfer':
      return asked
  }
}

function resultOf(outcome: PlainOutcome): MovementView | { readonly reason: string } {
  if (outcome.kind === 'movement') return outcome.movement
  return { reason: outcome.kind === 'refused' ? outcome.reason : '' }
}
