/** A buffer of one's own costs one to three microseconds, a part of a shared one a tenth of that. */
const POOL_BYTES = 8_192
/** Larger messages get buffers of their own: they would leave much of a shared one unused. */
const POOLED_BYTES_MAX = 1_024
let pool = new ArrayBuffer(POOL_BYTES)
let used = 0

/**
 * Allocates bytes without clearing them. To keep them is to keep the whole buffer that they are a part of: they are for what goes soon, or with
 * its neighbours.
 */
export function allocateUninitialized(bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes > POOLED_BYTES_MAX) return new Uint8Array(bytes)
  if (used + bytes > POOL_BYTES) {
    pool = new ArrayBuffer(POOL_BYTES)
    used = 0
  }
  const taken = new Uint8Array(pool, used, bytes)
  used += bytes
  return taken
}
