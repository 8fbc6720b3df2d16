import { utf8Length } from '../tables/utf8.js'

/**
 * Hears what of a request is out of its bounds. The machine wants to know only whether anything is; a door finds words for it
 * (api/violations.ts).
 */
export interface Bounds {
  /** The level whose bounds count. */
  readonly level: number
  /** True for a new cluster's initial commands. */
  readonly isInitial: boolean
  /** True when no more need be looked for. */
  readonly isEnough: boolean
  /** A field of the message that is being checked, and the bound that it breaks, with the bound's number where it has one. */
  broken(field: string, bound: Bound, number?: number | bigint): void
  /** Enters an element of a list; leave() leaves it. */
  enter(list: string, index: number): void
  leave(): void
  /** An operation inside of the one that is being checked. */
  checkStep(step: Step | undefined): void
}

/** An operation inside of another: any that may stand there. */
export interface Step {
  readonly $case: string
  readonly value: object
}

/** A bound by its name; api/violations.ts has the words for each. */
export type Bound =
  | 'EMPTY'
  | 'TEXT_TOO_LONG'
  | 'VALUE_TOO_LONG'
  | 'PAGE_TOO_LARGE'
  | 'PREFIX_WITH_RANGE'
  | 'TOO_MANY_CONDITIONS'
  | 'TOO_MANY_OPERATIONS'
  | 'AMOUNT'
  | 'AMOUNT_OF_HOLD'
  | 'OVERDRAFT_LIMIT'
  | 'SAME_ACCOUNT'
  | 'NOT_PENDING'
  | 'TIMEOUT'
  | 'TRANSFER_COUNT'
  | 'GROUP_OVERLAPS'
  | 'GROUP_COUNT'
  | 'PUBLIC_KEY'

const ID_BYTES_MAX = 128
const KEY_BYTES_MAX = 4_096
const VALUE_BYTES_MAX = 1_024 * 1_024
const PAGE_SIZE_MAX = 1_000

/** An id or an asset code: 1 to 128 bytes of UTF-8. */
export function checkId(bounds: Bounds, field: string, text: string): void {
  if (text === '') bounds.broken(field, 'EMPTY')
  else checkOptionalId(bounds, field, text)
}

/** Empty, or an id. */
function checkOptionalId(bounds: Bounds, field: string, text: string): void {
  if (isLonger(text, ID_BYTES_MAX)) bounds.broken(field, 'TEXT_TOO_LONG', ID_BYTES_MAX)
}

/** A key: 1 to 4,096 bytes of UTF-8. */
export function checkKey(bounds: Bounds, field: string, text: string): void {
  if (text === '') bounds.broken(field, 'EMPTY')
  else checkKeyPart(bounds, field, text)
}

/** A prefix, or an end of a range: at most 4,096 bytes of UTF-8, perhaps none. */
export function checkKeyPart(bounds: Bounds, field: string, text: string): void {
  if (isLonger(text, KEY_BYTES_MAX)) bounds.broken(field, 'TEXT_TOO_LONG', KEY_BYTES_MAX)
}

/** A value: at most 1 MiB. */
export function checkValue(bounds: Bounds, field: string, { length }: { readonly length: number }): void {
  if (length > VALUE_BYTES_MAX) bounds.broken(field, 'VALUE_TOO_LONG', VALUE_BYTES_MAX)
}

/** The size of a page: at most 1,000; 0 for the default. */
export function checkPageSize(bounds: Bounds, field: string, size: number): void {
  if (size > PAGE_SIZE_MAX) bounds.broken(field, 'PAGE_TOO_LARGE', PAGE_SIZE_MAX)
}

/** Checks the elements of a list one by one, until enough is found. */
export function checkEach<T>(bounds: Bounds, list: string, items: readonly T[], check: (item: T, bounds: Bounds) => void): void {
  for (let i = 0; i < items.length && !bounds.isEnough; i++) {
    bounds.enter(list, i)
    check(items[i] as T, bounds)
    bounds.leave()
  }
}

function isLonger(text: string, bytesMax: number): boolean {
  // No UTF-16 unit takes more than three bytes in UTF-8: most texts need not be counted.
  return text.length * 3 > bytesMax && utf8Length(text) > bytesMax
}
