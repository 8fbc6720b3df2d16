import { ByteReader } from './byte-reader.js'
import { maskedCrc32c } from './crc32c.js'
import { FileFormatError } from './file-format-error.js'

// A table file (doc/table_format.md in LevelDB): blocks, each followed by one byte for its compression and the masked CRC-32C of
// both. The last two blocks are the index of the filter and the index of the data. A footer holds their offsets.

const FOOTER_BYTES = 48
const MAGIC = Buffer.from('57fb808b247547db', 'hex')
const TRAILER_BYTES = 5
const UNCOMPRESSED = 0

interface BlockHandle {
  readonly offset: number
  readonly size: number
}

/** The first and the last internal key: each key is followed by LevelDB's eight bytes of kind and sequence number. */
export interface TableBounds {
  readonly smallest: Buffer
  readonly largest: Buffer
}

/** A block of a table's entries. */
export interface DataBlock {
  /** Offsets of the entries in the file. */
  readonly start: number
  readonly end: number
  /** An internal key that is at least the block's last key and below the next block's first key. */
  readonly separator: Buffer
}

/**
 * Checks every block of a table file against its checksum, and the first and last key against the manifest. Returns the blocks with
 * entries. LevelDB, as `level` configures it, checks none of them: depending on the damage it returns wrong values or aborts the
 * process.
 *
 * @throws FileFormatError
 */
export function readTable(file: Buffer, range: TableBounds): DataBlock[] {
  if (file.length < FOOTER_BYTES) throw new FileFormatError('it is cut short')
  const footer = file.subarray(file.length - FOOTER_BYTES)
  if (!footer.subarray(FOOTER_BYTES - MAGIC.length).equals(MAGIC))
    throw new FileFormatError('its footer is not that of a LevelDB table')
  const reader = new ByteReader(footer)
  const filterIndex = readHandle(reader)
  for (const { handle } of readIndex(file, filterIndex)) checkBlock(file, handle)
  const dataIndex = readHandle(reader)
  const blocks = readIndex(file, dataIndex).map(({ key, handle }) => {
    checkBlock(file, handle)
    return { start: handle.offset, end: entriesEnd(file, handle), separator: key }
  })
  checkRange(file, blocks, range)
  return blocks
}

/** Checks the first and last key: a table of another database, or an older one of the same name, has valid checksums. */
function checkRange(file: Buffer, blocks: readonly DataBlock[], { smallest, largest }: TableBounds): void {
  const [first, last] = [blocks[0], blocks.at(-1)]
  if (first === undefined || last === undefined) throw new FileFormatError('it has no entries')
  const firstKey = keysIn(file, first).next().value
  let lastKey: Buffer | undefined
  for (const key of keysIn(file, last)) lastKey = key
  if (firstKey?.equals(smallest) !== true || lastKey?.equals(largest) !== true) {
    throw new FileFormatError('its keys are not those that the manifest names')
  }
}

function* keysIn(file: Buffer, { start, end }: DataBlock): Generator<Buffer, undefined> {
  for (const { key } of entriesIn(file.subarray(start, end))) yield key
}

function readHandle(reader: ByteReader): BlockHandle {
  return { offset: reader.varint(), size: reader.varint() }
}

function checkBlock(file: Buffer, { offset, size }: BlockHandle): void {
  const typeAt = offset + size
  if (typeAt + TRAILER_BYTES > file.length) throw new FileFormatError(`the block at byte ${offset} is cut short`)
  if (file.readUInt32LE(typeAt + 1) !== maskedCrc32c(file, offset, typeAt + 1)) {
    throw new FileFormatError(`the block at byte ${offset} does not match its checksum`)
  }
  if (file[typeAt] !== UNCOMPRESSED) throw new FileFormatError(`the block at byte ${offset} is compressed, and we never compress`)
}

/** Returns the offset at which a block's entries end and its restart points begin. */
function entriesEnd(file: Buffer, { offset, size }: BlockHandle): number {
  const restarts = size < 4 ? 0 : file.readUInt32LE(offset + size - 4)
  const end = offset + size - 4 * (restarts + 1)
  if (end < offset) throw new FileFormatError(`the block at byte ${offset} is no block`)
  return end
}

interface IndexEntry {
  readonly key: Buffer
  readonly handle: BlockHandle
}

/** Returns the entries of an index block: the places of other blocks. */
function readIndex(file: Buffer, index: BlockHandle): IndexEntry[] {
  checkBlock(file, index)
  const entries = entriesIn(file.subarray(index.offset, entriesEnd(file, index)))
  return Array.from(entries, ({ key, value }) => ({ key, handle: readHandle(new ByteReader(value)) }))
}

/** Returns the entries of any block. BlockReader is the fast way for data blocks. */
function* entriesIn(bytes: Buffer): Generator<{ readonly key: Buffer; readonly value: Buffer }> {
  const reader = new ByteReader(bytes)
  let key: Buffer = bytes.subarray(0, 0)
  while (!reader.isAtEnd) {
    const sharedBytes = reader.varint()
    const ownBytes = reader.varint()
    const valueBytes = reader.varint()
    const own = reader.take(ownBytes)
    key = sharedBytes === 0 ? own : Buffer.concat([key.subarray(0, sharedBytes), own])
    yield { key, value: reader.take(valueBytes) }
  }
}
