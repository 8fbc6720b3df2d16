import type { TransferOutcome } from '../bank/bank.js'
import { accessToHold, checkEndOfHold } from '../bank/holds.js'
import type { Definition } from '../definition.js'

/** Gives a pending transfer's hold back. */
export interface Request {
  readonly transferId: string
  /** Minor units; 0, or all that is held. */
  readonly amount: bigint
}

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
