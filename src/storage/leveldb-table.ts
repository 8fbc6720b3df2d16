import { ByteReader } from './byte-reader.js'
import { maskedCrc32c } from './crc32c.js'
import { FileFormatError } from './leveldb-log.js'

// A table file (doc/table_format.md in LevelDB): blocks, each followed by one byte for its compression and the masked CRC-32C of
// both; the last two are the index of the filter and the index of the data; a footer says where they are.

const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
const TRAILER_BYTES = 5
const UNCOMPRESSED = 0

interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/**
 * Checks every block of a table file against its checksum. LevelDB, as we get it, checks none of them: it hands out wrong values for
 * some damage, and for other damage it aborts the process.
 *
 * @throws FileFormatError
 */
export function checkTable(file: Buffer): void {
  if (file.length < FOOTER_BYTES) throw new FileFormatError('it is cut short')
  const footer = file.subarray(file.length - FOOTER_BYTES)
  if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC)) throw new FileFormatError('its footer is not one of LevelDB')
  const reader = new ByteReader(footer)
  for (const index of [readHandle(reader), readHandle(reader)]) {
    for (const handle of handlesIn(readBlock(file, index))) readBlock(file, handle)
  }
}

function readHandle(reader: ByteReader): BlockHandle {
  return { offset: reader.varint(), size: reader.varint() }
}

function readBlock(file: Buffer, { offset, size }: BlockHandle): Buffer {
  const typeAt = offset + size
  if (typeAt + TRAILER_BYTES > file.length) throw new FileFormatError(`the block at byte ${offset} is cut short`)
  if (file.readUInt32LE(typeAt + 1) !== maskedCrc32c(file, offset, typeAt + 1)) {
    throw new FileFormatError(`the block at byte ${offset} does not match its checksum`)
  }
  if (file[typeAt] !== UNCOMPRESSED) throw new FileFormatError(`the block at byte ${offset} is compressed, which ours never are`)
  return file.subarray(offset, typeAt)
}

/** The values of an index block: where other blocks are. Its keys are of no interest here. */
function handlesIn(block: Buffer): BlockHandle[] {
  const restartCount = block.readUInt32LE(block.length - 4)
  const reader = new ByteReader(block.subarray(0, block.length - 4 * (restartCount + 1)))
  const handles: BlockHandle[] = []
  while (!reader.isAtEnd) {
    reader.varint()
    const keyBytes = reader.varint()
    const valueBytes = reader.varint()
    reader.take(keyBytes)
    handles.push(readHandle(new ByteReader(reader.take(valueBytes))))
  }
  return handles
}
