import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { LogEntry, Slot } from '../../paxos/types.js'
import { nameOfKey } from '../../storage/record-keys.js'
import { BackupError } from './backup-file.js'
import { BackupReader } from './backup-reader.js'

/** A summary of a backup. */
export interface BackupSummary {
  readonly clusterId: string
  readonly nodeId: number
  readonly version: string
  /** The level of the log at the first slot: a binary that does not know it cannot read the backup. */
  readonly level: number
  readonly madeAtMs: number
  /** A new cluster may begin at any of these slots: the first is the checkpoint's. */
  readonly firstSlot: Slot
  readonly lastSlot: Slot
  /** Log time there. */
  readonly firstTimeMs: number
  readonly lastTimeMs: number
  /** The members of the cluster that it was made from, as of the first slot. */
  readonly members: readonly { readonly nodeId: number; readonly peerAddress: string; readonly clientAddress: string }[]
  /** The number of entries of each kind at the first slot, by their names on disk. */
  readonly records: Readonly<Record<string, number>>
  readonly bytes: number
  /** The SHA-256 of the whole file in hexadecimal digits, as `sha256sum` prints it. */
  readonly sha256: string
}

/** Reads all of a backup file. @throws BackupError that names the file and what is wrong with it */
export async function inspectBackup(file: string): Promise<BackupSummary> {
  return namingFile(file, () => summariseBackup(bytesOf(file)))
}

/** The file's bytes, as they are asked for; stdin's for `-`. */
export function bytesOf(file: string): AsyncIterable<Uint8Array> {
  if (file === '-') return process.stdin as AsyncIterable<Uint8Array>
  return createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Uint8Array>
}

/** Runs `read`, and says of which file its errors are. @throws BackupError */
export async function namingFile<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    if (cause instanceof BackupError) throw new BackupError(`the backup ${file} cannot be used: ${cause.message}`, { cause })
    // Not every error of the file system names the path.
    if (cause instanceof Error && 'syscall' in cause && (!('path' in cause) || cause.path === file)) {
      throw new BackupError(`the backup ${file} cannot be read: ${cause.message}`, { cause })
    }
    throw cause
  }
}

/** Reads the bytes of a backup, as they come. @throws BackupError */
export async function summariseBackup(chunks: AsyncIterable<Uint8Array>): Promise<BackupSummary> {
  const hash = createHash('sha256')
  const reader = await BackupReader.open(hashed(chunks, hash))
  const { header, nodeId, version, madeAtMs } = reader.head
  const records: Record<string, number> = {}
  let lastTimeMs = header.timeMs
  for await (const part of reader.parts()) {
    if ('page' in part) {
      for (const key of part.page.keys) {
        const kind = kindOf(nameOfKey(Buffer.from(key)))
        records[kind] = (records[kind] ?? 0) + 1
      }
    } else if ('entries' in part) {
      for (const entry of part.entries) lastTimeMs = timeAfter(entry, lastTimeMs)
    }
  }
  return {
    clusterId: header.clusterId,
    nodeId,
    version,
    level: header.level,
    madeAtMs,
    firstSlot: header.slot,
    lastSlot: reader.lastSlot,
    firstTimeMs: header.timeMs,
    lastTimeMs,
    members: header.memberships.at(-1)?.members ?? [],
    records,
    bytes: reader.position,
    sha256: hash.digest('hex'),
  }
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

/** Log time after a slot: it never goes back. */
export function timeAfter({ value }: LogEntry, beforeMs: number): number {
  return value.kind === 'batch' ? Math.max(beforeMs, value.timeMs) : beforeMs
}

/** `machine/account/alice` is an account. */
function kindOf(name: string): string {
  const [first = '', second = ''] = name.split('/', 2)
  return first === 'machine' ? second : first
}
