import { checkAmount, type TransferOutcome, type TransferRequest } from '../bank/bank.js'
import { type Bounds, checkId } from '../bounds.js'
import type { Definition } from '../definition.js'

/** Moves money between two accounts of one asset, at once, or held until it is posted or voided. */
export type Request = TransferRequest

export type Outcome = TransferOutcome

const TIMEOUT_MS_MAX = 3_650 * 24 * 60 * 60 * 1_000

/** See bank/bank.ts for the order of refusals. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: (request) => [
    { right: 'DEBIT', account: request.sourceAccountId },
    { right: 'CREDIT', account: request.destinationAccountId },
  ],
  check: checkTransfer,
  carryOut: ({ bank }, request, at) => bank.withAccounts(bank.transfer(request, at)),
  effectSlot: ({ movement }) => movement.slot,
}

/** The bounds of a transfer, alone or in a batch. */
export function checkTransfer(request: Request, bounds: Bounds): void {
  checkId(bounds, 'transferId', request.transferId)
  checkId(bounds, 'sourceAccountId', request.sourceAccountId)
  checkId(bounds, 'destinationAccountId', request.destinationAccountId)
  if (request.sourceAccountId === request.destinationAccountId) bounds.broken('destinationAccountId', 'SAME_ACCOUNT')
  checkAmount(bounds, request.amount)
  if (request.timeoutMs === 0) return
  if (!request.pending) bounds.broken('timeout', 'NOT_PENDING')
  if (request.timeoutMs < 1 || request.timeoutMs > TIMEOUT_MS_MAX) bounds.broken('timeout', 'TIMEOUT')
}
