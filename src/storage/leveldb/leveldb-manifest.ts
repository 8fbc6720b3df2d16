import { setImmediate } from 'node:timers/promises'
import { ByteReader } from './byte-reader.js'
import { FileFormatError } from './file-format-error.js'
import { readLevelLog } from './leveldb-log.js'
import type { TableBounds } from './leveldb-table.js'

/** The files in use, according to LevelDB's manifest. */
export interface LiveFiles {
  /** Logs from this number on are replayed at the next open. */
  readonly firstLog: number
  readonly tables: readonly LiveTable[]
}

export interface LiveTable extends TableBounds {
  readonly number: number
  /** Tables of one level do not overlap, except in level 0. */
  readonly level: number
  /** Size of the file. */
  readonly bytes: number
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
/** The order of our keys: by their bytes. */
const COMPARATOR = 'leveldb.BytewiseComparator'

/** Edits that are read in a turn. LevelDB begins a new manifest only when it opens, so a long-running node's manifest has very many. */
const TURN_EDITS = 1_000

/** Reads a manifest. The event loop takes turns meanwhile. @throws FileFormatError when the manifest is damaged */
export async function readManifest(file: Buffer): Promise<LiveFiles> {
  const tables = new Map<number, LiveTable>()
  let firstLog = 0
  let editCount = 0
  for (const edit of readLevelLog(file)) {
    if (++editCount % TURN_EDITS === 0) await setImmediate()
    const reader = new ByteReader(edit.data)
    while (!reader.isAtEnd) {
      const tag = reader.varint()
      switch (tag) {
        case TAG.comparator: {
          const name = reader.bytes().toString('latin1')
          if (name !== COMPARATOR) throw new FileFormatError(`its keys are in the order ${name}, not ${COMPARATOR}`)
          break
        }
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
          const table = readTable(reader)
          tables.set(table.number, table)
          break
        }
        default:
          throw new FileFormatError(`it holds an edit of an unknown kind, ${tag}`)
      }
    }
  }
  if (firstLog === 0) throw new FileFormatError('it does not name the log in use')
  return { firstLog, tables: [...tables.values()] }
}

function readTable(reader: ByteReader): LiveTable {
  const level = reader.varint()
  const number = reader.varint()
  return { level, number, bytes: reader.varint(), smallest: reader.bytes(), largest: reader.bytes() }
}
