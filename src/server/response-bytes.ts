import { withWords } from '../api/words.js'
import { OPERATIONS } from '../app/operations/index.js'
import { encode } from '../encoding/encode.js'
import { allocateUninitialized } from '../encoding/pool.js'
import { BinaryReader } from '../encoding/protobuf.js'
import { ResponseHeader } from '../gen/synod/common/v1/common.js'
import { Result } from '../gen/synod/session/v1/session.js'
import { assert } from '../paxos/assert.js'
import type { Slot } from '../paxos/types.js'
import { refused } from './call-error.js'

type OutcomeCase = NonNullable<Result['outcome']>['$case']

/** The numbers of the fields of synod.session.v1.Result's oneof, by the names that generated code gives them. */
export const OUTCOME_FIELDS = Object.fromEntries(
  ['refusal', ...Object.keys(OPERATIONS)].map((name) => [name, outcomeField(name)]),
) as Readonly<Record<OutcomeCase, number>>

/** Finds the number of an outcome's field: the first tag of a result that holds nothing else. */
function outcomeField($case: string): number {
  const bytes = Result.encode(Result.fromPartial({ outcome: { $case, value: {} } as never })).finish()
  return new BinaryReader(bytes).tag()[0]
}

const SLOT_FIELD = 20

const VARINT = 0
const LENGTH_DELIMITED = 2
/** Field 1 of every response: its header. */
const HEADER_TAG = (1 << 3) | LENGTH_DELIMITED
const HEADER_SLOT_TAG = (3 << 3) | VARINT
/** TransferBatchResponse.results, and TransferResult.movement, which stands first in a transfer that was carried out. */
const BATCH_RESULTS_TAG = (2 << 3) | LENGTH_DELIMITED
const BATCH_MOVEMENT_TAG = (4 << 3) | LENGTH_DELIMITED
/** Lengths below it take one byte. */
const ONE_BYTE_MAX = 0x7f

/** An encoded Result, read as far as its response is needed: the inner message stays as it is. */
interface OpenedResult {
  readonly slot: Slot
  readonly field: number
  /** The response without its header. */
  readonly inner: Uint8Array
}

/**
 * Makes the bytes of a response from those of a Result: a header and the inner response, one after the other, are the response, as header
 * is field 1 of each and stands in none of a Result. `answeredAt` is the slot of a Result that names none.
 *
 * @throws CallError for a refusal
 */
export function responseIn(
  result: Uint8Array,
  expected: OutcomeCase,
  { answeredAt, headers }: { readonly answeredAt: Slot; readonly headers: HeaderEncoder },
): Uint8Array {
  const opened = openResult(result)
  const hasWords =
    opened.field !== OUTCOME_FIELDS.refusal && (opened.field !== OUTCOME_FIELDS.transferBatch || isCarriedOut(opened.inner))
  const { slot, field, inner } = hasWords ? opened : worded(result, answeredAt)
  assert(field === OUTCOME_FIELDS[expected], `a ${expected} comes to its own kind of result, not to field ${field}`)
  return headers.before(inner, slot || answeredAt)
}

/** Puts in the words that the state machine leaves out. @throws CallError for a refusal */
function worded(bytes: Uint8Array, answeredAt: Slot): OpenedResult {
  const result = withWords(Result.decode(bytes))
  const { outcome } = result
  if (outcome?.$case === 'refusal') throw refused(outcome.value, result.slot || answeredAt)
  return openResult(encode(Result, result))
}

/** Encodes response headers. All but the slot is the same in each header of a node. */
export class HeaderEncoder {
  /** The header without its slot. */
  readonly #start: Uint8Array

  constructor(clusterId: string, nodeId: number) {
    this.#start = encode(ResponseHeader, { clusterId, nodeId, slot: 0 })
  }

  /** The message that begins with the header and goes on with `inner`. */
  before(inner: Uint8Array, slot: Slot): Uint8Array {
    const start = this.#start
    const headerBytes = start.length + (slot === 0 ? 0 : 1 + varintBytes(slot))
    assert(headerBytes <= ONE_BYTE_MAX, 'a header is short')
    const response = allocateUninitialized(2 + headerBytes + inner.length)
    response[0] = HEADER_TAG
    response[1] = headerBytes
    response.set(start, 2)
    if (slot !== 0) {
      response[2 + start.length] = HEADER_SLOT_TAG
      writeVarint(response, 3 + start.length, slot)
    }
    response.set(inner, 2 + headerBytes)
    return response
  }
}

/** A Result is this node's own, or a state machine's: what is not well formed is a bug. */
function openResult(bytes: Uint8Array): OpenedResult {
  const reader = new VarintReader(bytes)
  let slot = 0
  let field = 0
  let inner = bytes
  while (reader.at < bytes.length) {
    const tag = reader.next()
    if (tag === ((SLOT_FIELD << 3) | VARINT)) {
      slot = reader.next()
      continue
    }
    assert((tag & 7) === LENGTH_DELIMITED && field === 0, 'a result holds its slot and one outcome')
    field = tag >>> 3
    const length = reader.next()
    inner = bytes.subarray(reader.at, reader.at + length)
    reader.at += length
  }
  assert(reader.at === bytes.length, 'a result ends with its last field')
  return { slot, field, inner }
}

/** Tells that no transfer of the batch was refused: it needs no words. */
function isCarriedOut(batch: Uint8Array): boolean {
  const reader = new VarintReader(batch)
  while (reader.at < batch.length) {
    if (reader.next() !== BATCH_RESULTS_TAG) return false
    const length = reader.next()
    if (length > 0 && batch[reader.at] !== BATCH_MOVEMENT_TAG) return false
    reader.at += length
  }
  return true
}

class VarintReader {
  /** The next byte. */
  at = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  /** Reads a number below 2^53. */
  next(): number {
    let value = 0
    for (let unit = 1; ; unit *= 0x80) {
      const byte = this.#bytes[this.at++]
      assert(byte !== undefined, 'a number ends within its message')
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes++
  return bytes
}

function writeVarint(bytes: Uint8Array, at: number, value: number): void {
  let rest = value
  let next = at
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes[next++] = (rest % 0x80) | 0x80
  bytes[next] = rest
}
