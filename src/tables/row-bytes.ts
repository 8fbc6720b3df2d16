import type { KeptBytes } from './kept-bytes.js'

/**
 * Memory of a row, in bytes: measured in V8's heap by scripts/row-bytes.ts, fresh and restored, and rounded up, as tables grow
 * by doubling. The state's quota is counted by these, so they are part of the replicated state machine: the same on every node.
 */

/** Any row: its places in its table and on the list of changes, and its key without the characters. */
export const KEY_BYTES = 176
/** More where keys are walked in order. */
export const ORDERED_KEY_BYTES = 24

/** A key of the store, without its value. */
export const PAIR_BYTES = 120
/** Without the text of its asset. */
export const ACCOUNT_BYTES = 180
/** A deadline: of a hold, a first answer, a session. */
export const DEADLINE_BYTES = 56
/** The sums that entered and left in an asset. */
export const TOTAL_BYTES = 160
export const AUTHORITY_BYTES = 300
/** A first answer, without the answer's bytes. */
export const ANSWER_BYTES = 240
/** A session that keeps no answers. */
export const SESSION_BYTES = 380
/** An answer that a session keeps, without its bytes. */
export const RESULT_BYTES = 350

/** A movement until a checkpoint has it on disk, without the characters of its ids. */
export const MOVEMENT_BYTES = 600

/** A used request id, until a checkpoint has it on disk, without its characters. */
export const USED_ID_BYTES = 160

/** Longer values are buffers of their own (encoding/keep.ts). */
const TEXT_BYTES_MAX = 1_024
const BUFFER_BYTES = 200

/** A value. */
export function keptBytes({ length }: KeptBytes): number {
  return length > TEXT_BYTES_MAX ? length + BUFFER_BYTES : length
}

/** The characters of a text: one byte each, or two each where one of them is above U+00FF. */
export function textBytes(text: string): number {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return 2 * text.length
  return text.length
}
