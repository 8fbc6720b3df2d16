/** Why the node stops after a write. It is never tried again (docs/protocol.md, rule 6): what is on disk now, nobody knows. */
export function writeFailure(cause: unknown): Error {
  const isFull = codesOf(cause).includes('ENOSPC')
  const what = isFull
    ? 'the disk of the data directory is full; the node stops. Free some space and start it again: nothing else is needed'
    : 'a write to the data directory failed; the node stops'
  return new Error(what, { cause })
}

/** Collects the codes of the error and of its causes. LevelDB tells the system's code only in its message. */
function codesOf(error: unknown): string {
  if (!(error instanceof Error)) return ''
  const code = 'code' in error ? String(error.code) : ''
  const own = /no space left/i.test(error.message) ? `${code} ENOSPC` : code
  return `${own} ${codesOf(error.cause)}`
}
