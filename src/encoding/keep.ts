import type { KeptBytes } from '../tables/kept-bytes.js'

/** Longer values cost more to copy than a buffer costs to make. */
const TEXT_BYTES_MAX = 1_024

/** A copy, for the state: the bytes may be a view of a frame or a page, which must not be kept with them. */
export function keep(bytes: Uint8Array): KeptBytes {
  if (bytes.length > TEXT_BYTES_MAX) return new Uint8Array(bytes)
  const { buffer, byteOffset, length } = bytes
  return (Buffer.isBuffer(bytes) ? bytes : Buffer.from(buffer, byteOffset, length)).toString('latin1')
}

/** May be the state's own: not to be changed. */
export function bytesOf(kept: KeptBytes): Uint8Array {
  return typeof kept === 'string' ? Buffer.from(kept, 'latin1') : kept
}
