import type { MovementOutcome, TransferOutcome } from '../app/bank/bank.js'
import { type Account, expiresAtMs, type Movement } from '../app/bank/movement.js'
import {
  MovementKind,
  MovementStatus,
  type TransferResponse,
  type Account as WireAccount,
  type Movement as WireMovement,
} from '../gen/synod/bank/v1/bank.js'
import { header } from './wire-form.js'

/** The response of a deposit or a withdrawal. */
export function toMovementResponse({ movement, account }: MovementOutcome): {
  header: undefined
  movement: WireMovement
  account: WireAccount | undefined
} {
  return { header, movement: toWireMovement(movement), account: account && toWireAccount(account) }
}

/** The response of a transfer, or of the end of a pending one. */
export function toTransferResponse({ movement, source, destination }: TransferOutcome): TransferResponse {
  return {
    header,
    movement: toWireMovement(movement),
    source: source && toWireAccount(source),
    destination: destination && toWireAccount(destination),
  }
}

/** An account as it goes over the wire. */
export function toWireAccount(account: Account): WireAccount {
  return {
    accountId: account.accountId,
    asset: account.asset,
    balance: account.balance,
    held: account.held,
    overdraftLimit: account.overdraftLimit,
    openedAt: new Date(account.openedAtMs),
  }
}

/** A movement as it goes over the wire. */
export function toWireMovement(movement: Movement): WireMovement {
  const expiryMs = expiresAtMs(movement)
  return {
    id: movement.id,
    kind: KINDS[movement.kind],
    source: movement.source,
    destination: movement.destination,
    asset: movement.asset,
    amount: movement.amount,
    status: STATUSES[movement.status],
    slot: movement.slot,
    time: new Date(movement.timeMs),
    pendingAmount: movement.pendingAmount,
    expiresAt: expiryMs === undefined ? undefined : new Date(expiryMs),
    refusalReason: movement.refusalReason,
  }
}

const KINDS = {
  deposit: MovementKind.DEPOSIT,
  withdrawal: MovementKind.WITHDRAWAL,
  transfer: MovementKind.TRANSFER,
} as const

const STATUSES = {
  posted: MovementStatus.POSTED,
  pending: MovementStatus.PENDING,
  voided: MovementStatus.VOIDED,
  expired: MovementStatus.EXPIRED,
  refused: MovementStatus.REFUSED,
} as const
