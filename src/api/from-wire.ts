import type { Operation } from '../app/operation.js'
import { Consistency } from '../gen/synod/common/v1/common.js'
import type { Command, Query } from '../gen/synod/session/v1/session.js'
import { utf8Length } from '../tables/utf8.js'
import { FORMS } from './operations/index.js'
import type { Reading, WireOperation, WireStep } from './wire-form.js'

const REQUEST_ID_BYTES_MAX = 128
/** The bound of a consistency. */
export const WRONG_CONSISTENCY = 'must be CONSISTENCY_LINEARIZABLE, CONSISTENCY_LOG or CONSISTENCY_STALE'

/** The operation of a command; undefined when it has none. */
export function readCommand({ operation }: Command, reading: Reading): Operation | undefined {
  if (operation?.$case === 'query') return readQuery(operation.value, reading)
  if (operation !== undefined) return readOperation(operation, reading)
  reading.wrong('operation', 'must be given')
  return undefined
}

/** The operation of a query; undefined when it has none. */
export function readQuery({ query }: Query, reading: Reading): Operation | undefined {
  if (query !== undefined) return readOperation(query, reading)
  reading.wrong('query', 'must be given')
  return undefined
}

/** An operation that stands by itself. */
function readOperation(wire: WireOperation, reading: Reading): Operation {
  const operation = formOf(wire, reading)
  const { value } = wire
  if ('requestId' in value && isTooLong(value.requestId)) reading.wrong('request_id', 'must be at most 128 bytes of UTF-8')
  if ('consistency' in value && !isConsistency(value.consistency)) {
    reading.wrong('consistency', WRONG_CONSISTENCY)
  }
  return operation
}

/** An operation in a transaction, which has a request_id and a consistency of its own. */
export function readStep(wire: WireStep, reading: Reading): Operation {
  const operation = formOf(wire, reading)
  const { value } = wire
  if ('requestId' in value && value.requestId !== '') {
    reading.wrong('request_id', 'must be empty in a transaction, which has its own')
  }
  if ('consistency' in value && value.consistency !== Consistency.UNSPECIFIED) {
    reading.wrong('consistency', 'must be left out in a transaction')
  }
  return operation
}

/** Under which a command's answer is kept; empty: under none. */
export function requestIdOf({ operation }: Command): string {
  return operation !== undefined && 'requestId' in operation.value ? operation.value.requestId : ''
}

function formOf({ $case, value }: WireOperation, reading: Reading): Operation {
  return { $case, value: FORMS[$case].fromWire(value as never, reading) } as Operation
}

function isTooLong(requestId: string): boolean {
  return requestId.length * 3 > REQUEST_ID_BYTES_MAX && utf8Length(requestId) > REQUEST_ID_BYTES_MAX
}

/** Returns whether a consistency is one that we know, or left out. */
export function isConsistency(consistency: Consistency): boolean {
  return consistency >= Consistency.UNSPECIFIED && consistency <= Consistency.STALE
}
