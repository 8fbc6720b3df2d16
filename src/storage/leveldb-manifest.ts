import { ByteReader } from './byte-reader.js'
import { FileFormatError, readLevelLog } from './leveldb-log.js'

/** What LevelDB's manifest says is in use. */
export interface LiveFiles {
  /** Logs from this number on are replayed at the next open. */
  readonly firstLog: number
  /** Table files: number and length in bytes. */
  readonly tables: ReadonlyMap<number, number>
}

/** The tags of a version edit (LevelDB's db/version_edit.cc). */
const TAG = {
  comparator: 1,
  logNumber: 2,
  nextFileNumber: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLogNumber: 9,
} as const

/** @throws FileFormatError when the manifest is damaged */
export function readManifest(file: Buffer): LiveFiles {
  const tables = new Map<number, number>()
  let firstLog = 0
  for (const edit of readLevelLog(file)) {
    const reader = new ByteReader(edit)
    while (!reader.isAtEnd) {
      const tag = reader.varint()
      switch (tag) {
        case TAG.comparator:
          reader.bytes()
          break
        case TAG.logNumber:
          firstLog = reader.varint()
          break
        case TAG.nextFileNumber:
        case TAG.lastSequence:
        case TAG.previousLogNumber:
          reader.varint()
          break
        case TAG.compactPointer:
          reader.varint()
          reader.bytes()
          break
        case TAG.deletedFile:
          reader.varint()
          tables.delete(reader.varint())
          break
        case TAG.newFile: {
          reader.varint()
          const number = reader.varint()
          tables.set(number, reader.varint())
          reader.bytes()
          reader.bytes()
          break
        }
        default:
          throw new FileFormatError(`it holds an edit of an unknown kind, ${tag}`)
      }
    }
  }
  return { firstLog, tables }
}
