import { NO_REMEDIES, type Remedy } from '../remedy.js'

/**
 * The reason for which a data directory cannot be used.
 * - LOCKED: another process uses it. Nothing was changed.
 * - NOT_WRITABLE: it cannot be made, read or written: permissions, a file in its place, a full disk. Nothing was changed.
 * - FOREIGN: it, or a part of it, belongs to another node. Nothing was changed.
 * - UNSUPPORTED_FORMAT: it was written by a newer Synod, or by one that was never released. Nothing was changed.
 * - DAMAGED: durable data is missing, changed or older than it was. The node must not vote from it: it may have forgotten a promise.
 *   setAsideDamaged (set-aside.ts) moves the files aside, so that a new directory can be filled from the other members.
 * - WRITE_FAILED: a write, or its sync, failed. It must never be retried: the contents of the disk are unknown until a restart.
 * - CLOSED: the storage was used after close.
 */
export type StorageErrorCode =
  | 'LOCKED'
  | 'NOT_WRITABLE'
  | 'FOREIGN'
  | 'UNSUPPORTED_FORMAT'
  | 'DAMAGED'
  | 'WRITE_FAILED'
  | 'CLOSED'

interface StorageErrorOptions extends ErrorOptions {
  readonly what?: string
  readonly remedies?: readonly Remedy[]
}

/** A data directory that cannot be used. The message states the problem, the place and the remedy. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  /** The problem and its place, without meaning and remedy. */
  readonly what: string

  readonly remedies: readonly Remedy[]

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.what = options.what ?? message
    this.remedies = options.remedies ?? NO_REMEDIES
  }
}

/** The advice on any damage: the other members still hold what this one has lost. */
const DAMAGE_ADVICE =
  'This node must not vote from it. A member of a larger cluster repairs itself: it moves these files to a folder damaged-<n> beside ' +
  'them and learns everything from the others. Where it cannot (no other members, or an unreadable identity.json), restore the whole ' +
  'directory from a copy, or replace the member. Where no other member holds the data, a new cluster can be made from what is left ' +
  'here, without what was lost.'

const DAMAGE_REMEDIES: readonly Remedy[] = [{ code: 'REPLACE_MEMBER' }, { code: 'RECOVER_SURVIVORS' }]

/** Returns a DAMAGED error. `what` names the damaged part and the damage. */
export function damaged(directory: string, what: string, options?: ErrorOptions): StorageError {
  const message = `data directory ${directory} is damaged: ${what}. ${DAMAGE_ADVICE}`
  return new StorageError('DAMAGED', message, { ...options, what, remedies: DAMAGE_REMEDIES })
}

/** Returns the error code of an error from node:fs or LevelDB; the empty string when it has none. */
export function systemCodeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
}

/** Returns a NOT_WRITABLE error with the reason that the system gave. */
export function notWritable(directory: string, cause: unknown): StorageError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new StorageError(
    'NOT_WRITABLE',
    `data directory ${directory} cannot be used: ${reason}. Give this user the right to write there, free some space, or name another directory.`,
    { cause },
  )
}
