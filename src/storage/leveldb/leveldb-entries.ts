// LevelDB's internal key: the key, then eight bytes, little-endian: one for the kind (0: deleted, 1: put), seven for the sequence number.

export const TRAILER_BYTES = 8

/**
 * Some entries of a sorted run: ascending by key, of one key the newest first. Arrays side by side, not an object for each entry: there
 * are millions.
 */
export interface Entries {
  readonly keys: Buffer[]
  /** undefined: the key was deleted. */
  readonly records: (Buffer | undefined)[]
  /** LevelDB's sequence numbers: of two entries of one key the one with the higher number counts. */
  readonly sequences: number[]
}

/** Below 0 when `a` comes before `b` in the order of their bytes, 0 when they are equal. In JavaScript: Buffer.compare takes longer. */
export function compareKeys(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Keys that follow one another differ near their ends. */
export function isSameKey(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false
  return true
}

/** In LevelDB's own order: by their keys, of one key the newer first. */
export function compareInternalKeys(a: Buffer, b: Buffer): number {
  const [aEnd, bEnd] = [a.length - TRAILER_BYTES, b.length - TRAILER_BYTES]
  return compareKeys(a.subarray(0, aEnd), b.subarray(0, bEnd)) || sequenceAt(b, bEnd + 1) - sequenceAt(a, aEnd + 1)
}

/** Seven bytes; but LevelDB never gets past 2^53. */
export function sequenceAt(bytes: Buffer, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
  const high = (bytes[at + 3] as number) | ((bytes[at + 4] as number) << 8) | ((bytes[at + 5] as number) << 16)
  return low + high * 2 ** 24 + (bytes[at + 6] as number) * 2 ** 48
}
