import { DELIMITED, RowReader, VARINT } from '../encoding/row-reader.js'
import { Command } from '../gen/synod/session/v1/session.js'

const PUT = 8 * 1 + DELIMITED
const TRANSFER = 8 * 7 + DELIMITED

const NO_VALUE = new Uint8Array(0)

const reader = new RowReader()

/**
 * Decodes a command: those that a busy log is full of, puts and transfers as our encoders write them, by hand, at a quarter of the
 * generated decoder's cost; that one does the rest, and says what is wrong.
 *
 * @throws when the bytes are no command, or its text is not UTF-8
 */
export function decodeCommand(bytes: Uint8Array): Command {
  return decodeUsual(bytes) ?? Command.decode(bytes)
}

function decodeUsual(bytes: Uint8Array): Command | undefined {
  try {
    reader.begin(bytes)
    const tag = reader.tag()
    if ((tag !== PUT && tag !== TRANSFER) || !reader.enterLast()) return undefined
    const command = tag === PUT ? readPut() : readTransfer()
    return reader.isAtEnd ? command : undefined
  } catch {
    return undefined
  }
}

function readPut(): Command | undefined {
  let key = ''
  let value: Uint8Array = NO_VALUE
  let returnPrevious = false
  let requestId = ''
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8 + DELIMITED) key = reader.string()
    else if (tag === 16 + DELIMITED) value = reader.view()
    else if (tag === 32 + VARINT) returnPrevious = reader.number() !== 0
    else if (tag === 40 + DELIMITED) requestId = reader.string()
    else return undefined
  }
  return { operation: { $case: 'put', value: { key, value, returnPrevious, requestId } } }
}

function readTransfer(): Command | undefined {
  let transferId = ''
  let sourceAccountId = ''
  let destinationAccountId = ''
  let amount = 0n
  let pending = false
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8 + DELIMITED) transferId = reader.string()
    else if (tag === 16 + DELIMITED) sourceAccountId = reader.string()
    else if (tag === 24 + DELIMITED) destinationAccountId = reader.string()
    else if (tag === 32 + VARINT) amount = reader.int64()
    else if (tag === 40 + VARINT) pending = reader.number() !== 0
    else return undefined
  }
  const value = { transferId, sourceAccountId, destinationAccountId, amount, pending, timeout: undefined }
  return { operation: { $case: 'transfer', value } }
}
