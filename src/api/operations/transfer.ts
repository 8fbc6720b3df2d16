import type { Request } from '../../app/operations/transfer.js'
import type { Duration } from '../../gen/google/protobuf/duration.js'
import type { TransferRequest } from '../../gen/synod/bank/v1/bank.js'
import { durationMs } from '../duration.js'
import type { Reading, WireForm } from '../wire-form.js'
import { toTransferResponse } from '../wire-movement.js'

export const form: WireForm<'transfer'> = { fromWire: readTransfer, toWire: toTransferResponse }

/** A transfer, alone or in a batch. */
export function readTransfer(request: TransferRequest, reading: Reading): Request {
  const { transferId, sourceAccountId, destinationAccountId, amount, pending, timeout } = request
  const timeoutMs = timeout === undefined ? 0 : readTimeoutMs(timeout, reading)
  return { transferId, sourceAccountId, destinationAccountId, amount, pending, timeoutMs }
}

/** 0 stands for no timeout in our types: a timeout that is given must be more. */
function readTimeoutMs(timeout: Duration, reading: Reading): number {
  const ms = durationMs(timeout)
  if (timeout.nanos >= 0 && timeout.nanos < 1_000_000_000 && ms >= 1) return ms
  reading.wrong('timeout', 'must be 1 ms to 3,650 days')
  return 0
}
