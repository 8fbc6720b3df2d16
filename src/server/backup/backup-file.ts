import { crc32 } from 'node:zlib'

// A backup file:
//
//   magic      8 bytes, "SYNODBAK"
//   version    4 bytes, big-endian: 1
//   frames     each: length of its body, 4 bytes big-endian; body, a synod.backup.v1.Frame; CRC-32 of length and body, 4 bytes
//              big-endian
//
// The frames are: one Head, which says of which cluster and slot the state is; CheckpointPages with the state machine's records as
// they stand in a node's database, ascending by key, each with its own checksum; one CheckpointEnd with their tallies; LogEntries
// with every decided slot from the one after the checkpoint's to the last, without a gap; one Trailer with the counts and the
// SHA-256 of every byte before it. Nothing follows the trailer: a file that ends without it was cut.
//
// So a restored cluster may begin at any slot from the checkpoint's to the last, and nothing outside the file is needed for it.

const MAGIC = Buffer.from('SYNODBAK')
const FORMAT_VERSION = 1
export const PREAMBLE_BYTES = MAGIC.length + 4
export const LENGTH_BYTES = 4
export const CHECKSUM_BYTES = 4
/** Far above what a node puts into one: a length above it is damage. */
export const FRAME_BYTES_MAX = 256 << 20

/** A file that is no backup, or not the whole of one. The message says what is wrong, and where. */
export class BackupError extends Error {
  override readonly name = 'BackupError'
}

export function preamble(): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_BYTES)
  MAGIC.copy(bytes)
  bytes.writeUInt32BE(FORMAT_VERSION, MAGIC.length)
  return bytes
}

/** @throws BackupError when the file is of another kind, or of a newer version */
export function checkPreamble(bytes: Buffer): void {
  if (!bytes.subarray(0, MAGIC.length).equals(MAGIC)) throw new BackupError('it is no backup of Synod: it does not begin as one')
  const version = bytes.readUInt32BE(MAGIC.length)
  if (version === FORMAT_VERSION) return
  throw new BackupError(`its format is ${version}; this version of Synod knows ${FORMAT_VERSION}`)
}

/** Puts a body between its length and its checksum. */
export function frame(body: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES + body.length + CHECKSUM_BYTES)
  bytes.writeUInt32BE(body.length, 0)
  bytes.set(body, LENGTH_BYTES)
  bytes.writeUInt32BE(checksumOfFrame(bytes), LENGTH_BYTES + body.length)
  return bytes
}

/** The bytes that every whole frame ends with. */
export function checksumOfFrame(bytes: Buffer): number {
  return crc32(bytes.subarray(0, bytes.length - CHECKSUM_BYTES))
}
