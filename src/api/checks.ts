import type { FieldViolation } from '../app/refusal.js'
import { Consistency, Order } from '../gen/synod/common/v1/common.js'
import { utf8Length } from '../tables/utf8.js'

/** How many violations one answer names at most: they travel in the trailers, which are small. */
export const VIOLATIONS_MAX = 20

const ID_BYTES_MAX = 128
const KEY_BYTES_MAX = 4_096
const VALUE_BYTES_MAX = 1024 * 1024
const PAGE_SIZE_MAX = 1_000

/** An id or an asset code: 1 to 128 bytes. */
export function id(out: FieldViolation[], field: string, value: string): void {
  if (value === '') out.push({ field, description: 'must not be empty' })
  else if (isLonger(value, ID_BYTES_MAX)) out.push({ field, description: 'must be at most 128 bytes of UTF-8' })
}

/** Empty, or an id. */
export function requestId(out: FieldViolation[], value: string): void {
  if (isLonger(value, ID_BYTES_MAX)) out.push({ field: 'request_id', description: 'must be at most 128 bytes of UTF-8' })
}

/** A key: 1 to 4,096 bytes. */
export function key(out: FieldViolation[], field: string, value: string): void {
  if (value === '') out.push({ field, description: 'must not be empty' })
  else keyPart(out, field, value)
}

/** A prefix, or an end of a range: at most 4,096 bytes, perhaps none. */
export function keyPart(out: FieldViolation[], field: string, value: string): void {
  if (isLonger(value, KEY_BYTES_MAX)) out.push({ field, description: 'must be at most 4,096 bytes of UTF-8' })
}

export function value(out: FieldViolation[], bytes: Uint8Array): void {
  if (bytes.length > VALUE_BYTES_MAX) out.push({ field: 'value', description: 'must be at most 1 MiB (1,048,576 bytes)' })
}

export function pageSize(out: FieldViolation[], field: string, size: number): void {
  if (size > PAGE_SIZE_MAX) out.push({ field, description: 'must be at most 1,000' })
}

export function order(out: FieldViolation[], order: Order): void {
  if (order >= Order.UNSPECIFIED && order <= Order.DESCENDING) return
  out.push({ field: 'order', description: 'must be ORDER_ASCENDING or ORDER_DESCENDING' })
}

export function consistency(out: FieldViolation[], consistency: Consistency): void {
  if (consistency >= Consistency.UNSPECIFIED && consistency <= Consistency.STALE) return
  out.push({ field: 'consistency', description: 'must be CONSISTENCY_LINEARIZABLE, CONSISTENCY_LOG or CONSISTENCY_STALE' })
}

/** Puts the path of the message around them before the fields named since `from`. Paths cost nothing while nothing is wrong. */
export function prefixed(out: FieldViolation[], from: number, prefix: string): void {
  for (const { field, description } of out.splice(from)) out.push({ field: prefix + field, description })
}

/** Checks the items of a list, `field[0].`, `field[1].` and so on, until enough are found at fault. */
export function each<T>(
  out: FieldViolation[],
  field: string,
  items: readonly T[],
  check: (out: FieldViolation[], item: T) => void,
): void {
  for (const [i, item] of items.entries()) {
    if (out.length >= VIOLATIONS_MAX) return
    const before = out.length
    check(out, item)
    if (out.length > before) prefixed(out, before, `${field}[${i}].`)
  }
}

function isLonger(text: string, bytesMax: number): boolean {
  // No UTF-16 unit takes more than three bytes in UTF-8: most texts need not be counted.
  return text.length * 3 > bytesMax && utf8Length(text) > bytesMax
}
