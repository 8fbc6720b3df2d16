import type { Movement } from '../../app/bank/movement.js'
import { Refusal } from '../../app/refusal.js'
import type { TransferResult } from '../../gen/synod/bank/v1/bank.js'
import { header, type WireForm } from '../wire-form.js'
import { toWireMovement } from '../wire-movement.js'
import { readTransfer } from './transfer.js'

export const form: WireForm<'transferBatch'> = {
  fromWire: ({ transfers, linkedGroups }, reading) => ({
    transfers: transfers.map((transfer, i) => {
      // Nothing else of a transfer can be wrong on the wire, and there are thousands.
      if (transfer.timeout === undefined) return readTransfer(transfer, reading)
      reading.enter('transfers', i)
      const request = readTransfer(transfer, reading)
      reading.leave()
      return request
    }),
    linkedGroups,
  }),
  toWire: ({ results }) => ({ header, results: results.map(toResult) }),
}

/** Code and words are made where it is told: see words.ts. */
function toResult(result: Movement | Refusal): TransferResult {
  if (!(result instanceof Refusal)) {
    return { code: 0, reason: '', message: '', movement: toWireMovement(result), parameters: {} }
  }
  const { reason, parameters } = result
  return { code: 0, reason, message: '', movement: undefined, parameters }
}
