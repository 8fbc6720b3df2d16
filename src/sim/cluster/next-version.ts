import { crc32 } from 'node:zlib'
import { WireType } from '@bufbuild/protobuf/wire'
import { BinaryReader, BinaryWriter } from '../../encoding/protobuf.js'
import { inGeneration } from '../../storage/record-keys.js'

// A Synod one version newer than this one, as far as others see of it: its messages have fields that this one does not know, it knows a
// level more (next-machine.ts), and from that level on its records have another format with a field more. Nodes are upgraded one by one, and
// back, so both versions work together until the level is raised; what stands at that level this one must refuse, and not take for something
// else.

/** What a node runs: this Synod, or the next one. */
export type SoftwareVersion = 'current' | 'next'

const NEXT_FORMAT = 2
const FORMAT_BYTES = 1
const CHECKSUM_BYTES = 4
/** Field 15,000 with the text `new`: none of ours, nor reserved. */
const NEW_FIELD = Buffer.from(
  new BinaryWriter()
    .uint32((15_000 << 3) | WireType.LengthDelimited)
    .string('new')
    .finish(),
)
/** ConnectRequest.messages. */
const MESSAGES_FIELD = 2

/** A frame as the newer version sends it: it knows something more of each message, and of the whole. */
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

/** A record as the newer version writes it. */
export function toNextRecord(key: Buffer, record: Buffer): Buffer {
  const next = Buffer.concat([
    Buffer.of(NEXT_FORMAT),
    record.subarray(FORMAT_BYTES, record.length - CHECKSUM_BYTES),
    NEW_FIELD,
    Buffer.alloc(CHECKSUM_BYTES),
  ])
  return seal(key, next)
}

/** What the newer version makes of a record, whichever version wrote it. */
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
