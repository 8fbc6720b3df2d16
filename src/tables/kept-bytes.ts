/**
 * Bytes that the state keeps for long. As text, one character from U+0000 to U+00FF a byte, they stand in the heap with all else: a
 * buffer of their own takes microseconds to make, and a part of a shared one would keep the whole of that. `length` counts bytes either
 * way.
 */
export type KeptBytes = string | Uint8Array

/** Below 0, 0 or above 0, by their order as byte strings. */
export function compareKept(kept: KeptBytes, bytes: Uint8Array): number {
  const length = Math.min(kept.length, bytes.length)
  for (let i = 0; i < length; i++) {
    const difference = (typeof kept === 'string' ? kept.charCodeAt(i) : (kept[i] ?? 0)) - (bytes[i] ?? 0)
    if (difference !== 0) return difference
  }
  return kept.length - bytes.length
}
