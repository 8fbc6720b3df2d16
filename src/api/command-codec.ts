import type { Command, CommandCodec } from '../app/codec.js'
import type { Operation, OperationName, Outcome } from '../app/operation.js'
import { Refusal } from '../app/refusal.js'
import { encode } from '../encoding/encode.js'
import { keep } from '../encoding/keep.js'
import { DELIMITED, RowReader, VARINT } from '../encoding/row-reader.js'
import { Query, Result, Command as WireCommand, type Refusal as WireRefusal } from '../gen/synod/session/v1/session.js'
import type { KeptBytes } from '../tables/kept-bytes.js'
import { readCommand, readQuery, readStep, requestIdOf } from './from-wire.js'
import { FORMS } from './operations/index.js'
import type { Reading, WireOutcome, WireStep, Writing } from './wire-form.js'

const PUT = 8 * 1 + DELIMITED
const TRANSFER = 8 * 7 + DELIMITED

/** What an encoded Command begins with, by its operation: the first fifteen of the oneof have a tag of one byte. */
const FIRST_BYTES: ReadonlyMap<number, OperationName | 'query'> = new Map(
  (['query', ...Object.keys(FORMS)] as (OperationName | 'query')[]).flatMap(($case) => {
    const [first] = WireCommand.encode(WireCommand.fromPartial({ operation: { $case, value: {} } as never })).finish()
    return first === undefined ? [] : [[first, $case] as const]
  }),
)

/** Commands, queries and results in the bytes of synod.session.v1. */
export const COMMAND_CODEC: CommandCodec = {
  decodeCommand: (bytes, level) => decodeUsual(bytes) ?? decodeAny(bytes, level),
  decodeQuery(bytes, level) {
    try {
      reading.begin(level)
      return reading.complete(readQuery(Query.decode(bytes), reading))
    } catch {
      return undefined
    }
  },
  peek: (bytes) => FIRST_BYTES.get(bytes[0] as number),
  encodeResult: (outcome, slot) => encode(Result, { slot, outcome: toWireOutcome(outcome) }),
}

/** An outcome as it goes over the wire. */
export function toWireOutcome(outcome: Outcome): WireOutcome {
  return outcome instanceof Refusal ? { $case: 'refusal', value: toWireRefusal(outcome) } : writing.outcome(outcome)
}

const writing: Writing = {
  outcome: ({ $case, value }) =>
    ({ $case, value: FORMS[$case].toWire(value as never, writing) }) as Exclude<WireOutcome, { $case: 'refusal' }>,
}

/** Without words: see words.ts. */
function toWireRefusal({ reason, parameters, fields }: Refusal): WireRefusal {
  return { reason, message: '', fieldViolations: fields.map((field) => ({ field, description: '' })), parameters }
}

/** Decodes what the generated decoder takes. What that said of other bytes is not told: results are the same with every version of it. */
function decodeAny(bytes: Uint8Array, level: number): Command | undefined {
  try {
    const wire = WireCommand.decode(bytes)
    reading.begin(level)
    const operation = reading.complete(readCommand(wire, reading))
    if (wire.operation?.$case === 'query') return { kind: 'query', operation }
    return operation && { kind: 'write', operation, requestId: requestIdOf(wire) }
  } catch {
    return undefined
  }
}

/** Reads what has passed a gateway: only whether anything is wrong counts. What is kept is copied. */
class TrustingReading implements Reading {
  level = 1
  #isWrong = false

  begin(level: number): void {
    this.level = level
    this.#isWrong = false
  }

  /** What was read, unless something was wrong with it. */
  complete(operation: Operation | undefined): Operation | undefined {
    return this.#isWrong ? undefined : operation
  }

  wrong(): void {
    this.#isWrong = true
  }

  enter(): void {}

  leave(): void {}

  keep(bytes: Uint8Array): KeptBytes {
    return keep(bytes)
  }

  readStep(step: WireStep | undefined): Operation | undefined {
    if (step !== undefined) return readStep(step, this)
    this.wrong()
    return undefined
  }
}

/** Used again for each command. */
const reading = new TrustingReading()
const reader = new RowReader()

/**
 * Decodes what a busy log is full of, puts and transfers as our encoders write them, by hand and at once into our types: at a fraction of
 * what the generated decoder costs. Undefined for anything else.
 */
function decodeUsual(bytes: Uint8Array): Command | undefined {
  const tag = bytes[0]
  if (tag !== PUT && tag !== TRANSFER) return undefined
  try {
    reader.begin(bytes)
    reader.tag()
    if (!reader.enterLast()) return undefined
    const command = tag === PUT ? readPut() : readTransfer()
    return reader.isAtEnd ? command : undefined
  } catch {
    return undefined
  }
}

function readPut(): Command | undefined {
  let key = ''
  let value: KeptBytes = ''
  let returnPrevious = false
  for (let tag = reader.tag(); tag !== 0; tag = reader.tag()) {
    if (tag === 8 + DELIMITED) key = reader.string()
    else if (tag === 16 + DELIMITED) value = reader.kept()
    else if (tag === 32 + VARINT) returnPrevious = reader.number() !== 0
    else return undefined
  }
  return { kind: 'write', operation: { $case: 'put', value: { key, value, returnPrevious } }, requestId: '' }
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
  const value = { transferId, sourceAccountId, destinationAccountId, amount, pending, timeoutMs: 0 }
  return { kind: 'write', operation: { $case: 'transfer', value }, requestId: '' }
}
