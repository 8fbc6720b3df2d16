import { crc32 } from 'node:zlib'
import { WireType } from '@bufbuild/protobuf/wire'
import { BinaryReader, BinaryWriter } from '../../encoding/protobuf.js'
import { inGeneration } from '../../storage/record-keys.js'

// The next version of Synod, as far as other nodes can see it. Its messages have unknown fields, it knows one more level
// (next-machine.ts), and from that level on its records have another format, with one more field. Nodes are upgraded one by one,
// and back: both versions work together until the level is raised. From then on this version must refuse what it finds, and never
// misread it.

/** The version that a node runs: this one, or the next. */
export type SoftwareVersion = 'current' | 'next'

const NEXT_FORMAT = 2
const FORMAT_BYTES = 1
const CHECKSUM_BYTES = 4
/** Field 15,000 with the text `new`: unknown, and not reserved. */
const NEW_FIELD = Buffer.from(
  new BinaryWriter()
    .uint32((15_000 << 3) | WireType.LengthDelimited)
    .string('new')
    .finish(),
)
/** ConnectRequest.messages. */
const MESSAGES_FIELD = 2

/** Returns a frame as the next version sends it: with a new field in each message and in the frame. */
export function toNextFrame(frame: Uint8Array): Uint8Array {
  const reader = new BinaryReader(frame)
  const writer = new BinaryWriter()
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag()
    const start = reader.pos
    if (field === MESSAGES_FIELD && type === WireType.LengthDelimited) {
      writer.tag(field, type).bytes(Buffer.concat([reader.bytes(), NEW_FIELD]))
    } else {
      reader.skip(type)
      writer.tag(field, type).raw(frame.subarray(start, reader.pos))
    }
  }
  return writer.raw(NEW_FIELD).finish()
}

/** Returns a record as the next version writes it. */
export function toNextRecord(key: Buffer, record: Buffer): Buffer {
  const next = Buffer.concat([
    Buffer.of(NEXT_FORMAT),
    record.subarray(FORMAT_BYTES, record.length - CHECKSUM_BYTES),
    NEW_FIELD,
    Buffer.alloc(CHECKSUM_BYTES),
  ])
  return seal(key, next)
}

/** Returns a record as the next version reads it, whichever version wrote it. */
export function fromNextRecord(key: Buffer, record: Buffer): Buffer {
  if (record[0] !== NEXT_FORMAT) return record
  const body = record.subarray(FORMAT_BYTES, record.length - CHECKSUM_BYTES - NEW_FIELD.length)
  return seal(key, Buffer.concat([Buffer.of(NEXT_FORMAT - 1), body, Buffer.alloc(CHECKSUM_BYTES)]))
}

function seal(key: Buffer, record: Buffer): Buffer {
  const checksum = crc32(record.subarray(0, record.length - CHECKSUM_BYTES), crc32(inGeneration(key, 0)))
  record.writeUInt32BE(checksum, record.length - CHECKSUM_BYTES)
  return record
}
