// The one way from text to bytes and back, on disk, in the log and on the wire. It is exact: what was written is read again, character by
// character, and what is no text is refused. Whoever used a decoder of its own would drop a leading U+FEFF, or make U+FFFD of what is not
// UTF-8, and so make two ids one.

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The words for a string that is no text; the same everywhere. */
export const ILL_FORMED = 'must be well-formed Unicode: it holds half a surrogate pair'

/** The text that the bytes are in UTF-8. @throws TypeError when they are not UTF-8 */
export function decodeText(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** As decodeText, but undefined when the bytes are not UTF-8. */
export function maybeText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

/** The text's bytes in UTF-8. @throws TypeError for half a surrogate pair, which UTF-8 has no bytes for */
export function encodeText(text: string): Uint8Array {
  assertText(text)
  return encoder.encode(text)
}

/** @throws TypeError for what is not a string, and for half a surrogate pair */
export function assertText(value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new TypeError(`must be a string, not ${value === null ? 'null' : typeof value}`)
  if (!value.isWellFormed()) throw new TypeError(ILL_FORMED)
}
