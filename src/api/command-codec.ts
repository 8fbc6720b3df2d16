import type { Command, CommandCodec } from '../app/codec.js'
import type { Operation, OperationName, Outcome } from '../app/operation.js'
import { Refusal } from '../app/refusal.js'
import { encode } from '../encoding/encode.js'
import { keep } from '../encoding/keep.js'
import { Query, Result, Command as WireCommand, type Refusal as WireRefusal } from '../gen/synod/session/v1/session.js'
import type { KeptBytes } from '../tables/kept-bytes.js'
import { readCommand, readQuery, readStep, requestIdOf } from './from-wire.js'
import { FORMS } from './operations/index.js'
import { decodeUsual } from './usual-commands.js'
import type { Reading, WireOutcome, WireStep, Writing } from './wire-form.js'

/** First bytes of an encoded Command, by its operation: the first fifteen fields of the oneof have a tag of one byte. */
const FIRST_BYTES: ReadonlyMap<number, OperationName | 'query'> = new Map(
  (['query', ...Object.keys(FORMS)] as (OperationName | 'query')[]).flatMap(($case) => {
    const [first] = WireCommand.encode(WireCommand.fromPartial({ operation: { $case, value: {} } as never })).finish()
    return first === undefined ? [] : [[first, $case] as const]
  }),
)

/** Commands, queries and results in the bytes of synod.session.v1. */
export const COMMAND_CODEC: CommandCodec = {
  decodeCommand: (bytes, level) => decodeUsual(bytes, keep) ?? decodeAny(bytes, level),
  decodeQuery(bytes, level) {
    try {
      return operationOf(Query.decode(bytes), level)
    } catch {
      return undefined
    }
  },
  peek: (bytes) => FIRST_BYTES.get(bytes[0] as number),
  encodeResult: (outcome, slot) => encode(Result, { slot, outcome: toWireOutcome(outcome) }),
}

/** The operation of a query that a door has checked; undefined when this level has no such query. */
export function operationOf(query: Query, level: number): Operation | undefined {
  reading.begin(level)
  return reading.complete(readQuery(query, reading))
}

/** An outcome as it goes over the wire. */
export function toWireOutcome(outcome: Outcome): WireOutcome {
  return outcome instanceof Refusal ? { $case: 'refusal', value: toWireRefusal(outcome) } : writing.outcome(outcome)
}

const writing: Writing = {
  outcome: ({ $case, value }) =>
    ({ $case, value: FORMS[$case as OperationName].toWire(value as never, writing) }) as Exclude<
      WireOutcome,
      { $case: 'refusal' }
    >,
}

/** Without words: see words.ts. */
function toWireRefusal({ reason, parameters, fields }: Refusal): WireRefusal {
  return { reason, message: '', fieldViolations: fields.map((field) => ({ field, description: '' })), parameters }
}

/** Decodes what the generated decoder takes. What that said of other bytes is not told: results are the same with every version of it. */
export function decodeAny(bytes: Uint8Array, level: number): Command | undefined {
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

  /** Returns the operation that was read, unless something was wrong with it. */
  complete(operation: Operation | undefined): Operation | undefined {
    return this.#isWrong ? undefined : operation
  }

  has(_field: string, since: number): boolean {
    return since <= this.level
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
