import { HaltError } from '../../host/halt-error.js'
import { StorageError } from '../../storage/storage-error.js'

/** Returns the code of the innermost cause that has one: a write after a failed read fails because of the read. */
export function stopCodeOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const own = error instanceof HaltError || error instanceof StorageError ? error.code : ''
  return stopCodeOf(error.cause) || own
}
