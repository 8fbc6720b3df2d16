// LevelDB's internal key: the key, then eight bytes, little-endian: one for the kind (0: deleted, 1: put), seven for the sequence number.

export const TRAILER_BYTES = 8

/**
 * Some entries of a sorted run, ascending by key; entries of one key have the newest first. Parallel arrays are used instead of an
 * object for each entry, because there are millions.
 */
export interface Entries {
  readonly keys: Buffer[]
  /** Records; undefined where the key was deleted. */
  readonly records: (Buffer | undefined)[]
  /** LevelDB's sequence numbers. Of two entries of one key the higher number counts. */
  readonly sequences: number[]
}

/** Compares keys by their bytes: negative when `a` is before `b`, 0 when they are equal. Faster in JavaScript than Buffer.compare. */
export function compareKeys(a: Buffer, b: Buffer): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Compares from the end, because adjacent keys differ near their ends. */
export function isSameKey(a: Buffer, b: Buffer): boolean {
  if (a.length !== b.length) return false
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return false
  return true
}

/** Compares internal keys in LevelDB's order: by key, then the newer first. */
export function compareInternalKeys(a: Buffer, b: Buffer): number {
  const [aEnd, bEnd] = [a.length - TRAILER_BYTES, b.length - TRAILER_BYTES]
  return compareKeys(a.subarray(0, aEnd), b.subarray(0, bEnd)) || sequenceAt(b, bEnd + 1) - sequenceAt(a, aEnd + 1)
}

/** Reads a sequence number of seven bytes. LevelDB never reaches 2^53. */
export function sequenceAt(bytes: Buffer, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
  const high = (bytes[at + 3] as number) | ((bytes[at + 4] as number) << 8) | ((bytes[at + 5] as number) << 16)
  return low + high * 2 ** 24 + (bytes[at + 6] as number) * 2 ** 48
}
