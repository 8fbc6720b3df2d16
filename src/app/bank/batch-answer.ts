import { utf8Length } from '../../tables/utf8.js'
import type { TransferBatchRequest } from './bank.js'

/** The largest answer to a batch. A client takes 4 MiB in one message by default; a frame around the answer has room beside it. */
export const BATCH_ANSWER_BYTES_MAX = 4 * 1024 * 1024 - 64 * 1024
/** The size of a result without ids, with the asset's code or the words of a refusal. */
const RESULT_BYTES = 260
/** A control character stands as six in the words of a refusal. */
const ESCAPED_CHARACTERS = 6

/** The answer to a batch is at most so large, in bytes, whatever becomes of its transfers. Known before any is carried out. */
export function batchAnswerBytes({ transfers }: TransferBatchRequest): number {
  let longest = 0
  for (const { transferId, sourceAccountId, destinationAccountId } of transfers) {
    longest = Math.max(longest, toldBytes(transferId), toldBytes(sourceAccountId), toldBytes(destinationAccountId))
  }
  let bytes = 0
  for (const { transferId, sourceAccountId, destinationAccountId } of transfers) {
    const ids = utf8Length(transferId) + utf8Length(sourceAccountId) + utf8Length(destinationAccountId)
    // A refusal names one id, in its parameters and in words: that of another transfer, if they are linked.
    bytes += RESULT_BYTES + Math.max(ids, 2 * longest)
  }
  return bytes
}

function toldBytes(id: string): number {
  let bytes = utf8Length(id)
  for (let i = 0; i < id.length; i++) if (id.charCodeAt(i) < 0x20) bytes += ESCAPED_CHARACTERS - 1
  return bytes
}
