import { join } from 'node:path'
import { checkLevel } from '../../host/halt-error.js'
import type { DurableRecord, LogEntry, Slot } from '../../paxos/types.js'
import { KNOWN_LEVELS } from '../../replication/levels.js'
import { LevelStorage } from '../../storage/level-storage.js'
import { BackupError } from './backup-file.js'
import { BackupReader } from './backup-reader.js'
import { bytesOf, namingFile, timeAfter } from './inspect.js'
import { checkRoom, type MadeCluster, makeNewCluster, type NewCluster, withDrafts } from './new-cluster.js'
import { withStateOf } from './old-state.js'

/** The point to restore to; without either field, the backup's last slot. */
export interface RestoreTarget {
  /** The last slot that counts. */
  readonly toSlot?: Slot
  /** The last slot at or before this log time, ms since 1970. */
  readonly toTimeMs?: number
}

/**
 * Makes the data directories of a new cluster from a backup file: everything that the old cluster's clients were told, up to the
 * target, is in it; its sessions and first answers, too.
 * @throws BackupError, StorageError; UnsupportedLevelError
 */
export async function restoreBackup(file: string, plan: NewCluster, target: RestoreTarget = {}): Promise<MadeCluster> {
  checkRoom(plan)
  return withDrafts(plan.out, async (drafts) => {
    // The draft is never started: its node id does not matter.
    const where = { directory: join(drafts, 'state'), nodeId: 1 }
    const storage = await LevelStorage.open(where)
    try {
      await namingFile(file, async () => fill(storage, await BackupReader.open(bytesOf(file)), target, plan))
    } finally {
      await storage.close()
    }
    return withStateOf(where, (view) => makeNewCluster(view, plan, drafts))
  })
}

/** Puts the backup's checkpoint, and its log up to the target, into an empty data directory. */
async function fill(storage: LevelStorage, reader: BackupReader, target: RestoreTarget, plan: NewCluster): Promise<void> {
  const { header } = reader.head
  if (plan.clusterId === header.clusterId) {
    throw new BackupError(`the new cluster needs an id of its own, not ${header.clusterId}, which may still have members`)
  }
  checkLevel(header, KNOWN_LEVELS)
  const cut = new Cut(target, { slot: header.slot, timeMs: header.timeMs })
  const incoming = await storage.receiveCheckpoint(header)
  for await (const part of reader.parts()) {
    if ('page' in part) await incoming.add(part.page)
    else if ('end' in part) await incoming.install(part.end)
    else await decide(storage, cut.take(part.entries))
  }
  cut.check()
}

async function decide(storage: LevelStorage, entries: readonly LogEntry[]): Promise<void> {
  const last = entries.at(-1)
  if (last === undefined) return
  const learned = entries.map((entry): DurableRecord => ({ kind: 'learned', entry }))
  await storage.append([...learned, { kind: 'decidedUpTo', slot: last.slot }])
}

/** The cut of the log at the target. It looks at every entry, so that an error can name the whole window. */
class Cut {
  readonly #target: RestoreTarget
  readonly #first: { readonly slot: Slot; readonly timeMs: number }
  #last: { readonly slot: Slot; readonly timeMs: number }

  constructor(target: RestoreTarget, first: { readonly slot: Slot; readonly timeMs: number }) {
    this.#target = target
    this.#first = first
    this.#last = first
  }

  /** Takes those of the next entries that are not after the target. */
  take(entries: readonly LogEntry[]): LogEntry[] {
    const { toSlot = Number.POSITIVE_INFINITY, toTimeMs = Number.POSITIVE_INFINITY } = this.#target
    return entries.filter((entry) => {
      this.#last = { slot: entry.slot, timeMs: timeAfter(entry, this.#last.timeMs) }
      return entry.slot <= toSlot && this.#last.timeMs <= toTimeMs
    })
  }

  /** @throws BackupError when the target is outside of what the backup holds */
  check(): void {
    const { toSlot = this.#first.slot, toTimeMs = this.#first.timeMs } = this.#target
    const first = this.#first
    const last = this.#last
    if (toSlot < first.slot || toSlot > last.slot) {
      throw new BackupError(`it can be restored to any slot from ${first.slot} to ${last.slot}, not to ${toSlot}`)
    }
    if (toTimeMs < first.timeMs || toTimeMs > last.timeMs) {
      throw new BackupError(
        `it can be restored to any time from ${formatTime(first.timeMs)} to ${formatTime(last.timeMs)}, not to ${formatTime(toTimeMs)}`,
      )
    }
  }
}

/** Log time, for people. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString()
}
