import type { Movement } from '../bank/movement.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Reads any movement by its id, also one that was refused. */
export interface Request {
  readonly transferId: string
}

export interface Outcome {
  readonly movement: Movement
}

/** Refused with TRANSFER_NOT_FOUND. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'read',
  isStep: false,
  access: ({ transferId }, { bank: { ledger } }) => {
    const movement = ledger.movements.get(transferId)
    const accounts = movement === undefined ? [] : [movement.source, movement.destination].filter((id) => id !== '')
    return accounts.map((account) => ({ right: 'READ' as const, account }))
  },
  check: ({ transferId }, bounds) => checkId(bounds, 'transferId', transferId),
  carryOut({ bank: { ledger } }, { transferId }) {
    const movement = ledger.movements.get(transferId)
    return movement === undefined ? Refusal.of('TRANSFER_NOT_FOUND', { transfer_id: transferId }) : { movement }
  },
}
