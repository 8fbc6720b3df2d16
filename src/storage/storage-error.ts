/**
 * Why a data directory cannot be used.
 * - LOCKED: another process uses it. Nothing was changed.
 * - NOT_WRITABLE: it cannot be made, read or written: permissions, a file in its place, a full disk. Nothing was changed.
 * - FOREIGN: it is another node's, or a part of it is. Nothing was changed.
 * - UNSUPPORTED_FORMAT: a newer Synod wrote it, or one that was never released. Nothing was changed.
 * - DAMAGED: something that was durable is missing, changed or older than it was. The node must not vote from it: it may have
 *   forgotten a promise. setAsideDamaged (set-aside.ts) makes room for another one, for the other members to fill.
 * - WRITE_FAILED: a write, or its sync, failed. Never retried: what is on disk now is known only after a restart.
 * - CLOSED: used after close.
 */
export type StorageErrorCode =
  | 'LOCKED'
  | 'NOT_WRITABLE'
  | 'FOREIGN'
  | 'UNSUPPORTED_FORMAT'
  | 'DAMAGED'
  | 'WRITE_FAILED'
  | 'CLOSED'

/** The message says what is wrong, where, and what to do about it. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  /** What is wrong, and where, without what it means and what to do. */
  readonly what: string

  constructor(code: StorageErrorCode, message: string, options: ErrorOptions & { readonly what?: string } = {}) {
    super(message, options)
    this.code = code
    this.what = options.what ?? message
  }
}

/** What to do about damage, whatever it is: the other members still hold what this one has lost. */
const DAMAGE_REMEDY =
  'This node must not vote from it. A member of a larger cluster repairs itself: it keeps these files in a folder damaged-<n> beside ' +
  'them, and learns all from the others. Where it cannot (no other members, or an unreadable identity.json), restore the directory ' +
  'whole from where it was moved or copied, or give the member a new one: see `synod member replace --help`. Where nobody else holds the ' +
  'data, a new cluster can be made from what is left here, without what it has lost: see `synod recover --help`.'

/** `what` says which part of the directory is wrong, and how. */
export function damaged(directory: string, what: string, options?: ErrorOptions): StorageError {
  return new StorageError('DAMAGED', `data directory ${directory} is damaged: ${what}. ${DAMAGE_REMEDY}`, { ...options, what })
}

/** Of something thrown by node:fs or LevelDB; the empty string when it has none. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** The directory cannot be used, for a reason that the system gave. */
export function notWritable(directory: string, cause: unknown): StorageError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new StorageError(
    'NOT_WRITABLE',
    `data directory ${directory} cannot be used: ${reason}. Give this user the right to write there, free some space, or name another directory.`,
    { cause },
  )
}
