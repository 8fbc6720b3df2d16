import type { TransferOutcome } from '../bank/bank.js'
import { accessToHold, checkEndOfHold, type EndOfHold } from '../bank/holds.js'
import type { Definition } from '../definition.js'

/** Gives a pending transfer's hold back. */
export type Request = EndOfHold

export type Outcome = TransferOutcome

export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: true,
  access: ({ transferId }, { bank }) => accessToHold(bank.ledger.movements.get(transferId)),
  check: checkEndOfHold,
  carryOut: ({ bank }, request, at) => bank.withAccounts(bank.holds.void(request, at)),
  effectSlot: ({ movement }) => movement.endSlot,
}
