import { maskedCrc32c } from './crc32c.js'
import { FileFormatError } from './file-format-error.js'

// LevelDB's log format (doc/log_format.md there), which its write-ahead logs and its manifest share: blocks of 32 KiB with fragments
//
//   masked CRC-32C of type and data (4 bytes) | length (2) | type (1: whole, 2: first, 3: middle, 4: last) | data
//
// Numbers are little-endian. A fragment that is longer than the rest of the file is a write that a crash cut off: it was never
// acknowledged.

const BLOCK_BYTES = 32_768
const HEADER_BYTES = 7

const FRAGMENT = { unwritten: 0, whole: 1, first: 2, middle: 3, last: 4 } as const

/** A record of a log, and its offset in the file. */
export interface LevelRecord {
  readonly data: Buffer
  readonly offset: number
}

/** Returns the complete records of a log. @throws FileFormatError where LevelDB would drop records */
export function* readLevelLog(file: Buffer): Generator<LevelRecord> {
  let fragments: Buffer[] = []
  let start = 0
  for (const { type, data, offset } of readFragments(file)) {
    const continues = type === FRAGMENT.middle || type === FRAGMENT.last
    if (continues !== fragments.length > 0) throw new FileFormatError(`a record is not whole before byte ${offset}`)
    if (type === FRAGMENT.unwritten) continue
    if (!continues) start = offset
    fragments.push(data)
    if (type === FRAGMENT.first || type === FRAGMENT.middle) continue
    yield { data: fragments.length === 1 ? data : Buffer.concat(fragments), offset: start }
    fragments = []
  }
}

/** Returns the length of the longest prefix of a log in which every record is complete and undamaged. */
export function intactLength(file: Buffer): number {
  let length = 0
  let isWithin = false
  try {
    for (const { type, data, offset } of readFragments(file)) {
      const continues = type === FRAGMENT.middle || type === FRAGMENT.last
      if (continues !== isWithin) break
      isWithin = type === FRAGMENT.first || type === FRAGMENT.middle
      if (!isWithin) length = offset + (type === FRAGMENT.unwritten ? 0 : HEADER_BYTES) + data.length
    }
  } catch (error) {
    if (!(error instanceof FileFormatError)) throw error
  }
  return length
}

interface Fragment {
  readonly type: number
  readonly data: Buffer
  readonly offset: number
}

/** Returns the fragments of a log. The unwritten rest of a block counts as one fragment. */
function* readFragments(file: Buffer): Generator<Fragment> {
  let offset = 0
  while (offset + HEADER_BYTES <= file.length) {
    const blockEnd = offset - (offset % BLOCK_BYTES) + BLOCK_BYTES
    if (offset + HEADER_BYTES > blockEnd) {
      offset = blockEnd
      continue
    }
    const length = file.readUInt16LE(offset + 4)
    const type = file.readUInt8(offset + 6)
    const end = offset + HEADER_BYTES + length
    if (type === FRAGMENT.unwritten && length === 0) {
      yield { type, data: file.subarray(offset, offset), offset }
      offset = blockEnd
      continue
    }
    if (end > blockEnd) throw new FileFormatError(`a record does not fit its block at byte ${offset}`)
    if (end > file.length) return
    if (
      type === FRAGMENT.unwritten ||
      type > FRAGMENT.last ||
      file.readUInt32LE(offset) !== maskedCrc32c(file, offset + 6, end)
    ) {
      throw new FileFormatError(`a record does not match its checksum at byte ${offset}`)
    }
    yield { type, data: file.subarray(offset + HEADER_BYTES, end), offset }
    offset = end
  }
}
