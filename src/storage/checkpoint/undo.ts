import type { Database } from '../leveldb/database.js'
import type { WriteBatch } from '../log/write-batch.js'
import { undoKey } from '../record-keys.js'
import { sealUndoPage, unsealUndoPage } from '../records.js'

/** An entry that a checkpoint changes. */
export interface EntryChange {
  readonly key: Buffer
  /** The new record; undefined removes the entry. */
  readonly record: Buffer | undefined
  /** The record on disk; undefined when there is none. */
  readonly before: Buffer | undefined
}

const NOTHING = new Uint8Array()

/** Adds changes to a batch. */
export function putChanges(batch: WriteBatch, changes: readonly EntryChange[]): void {
  for (const { key, record } of changes) {
    if (record === undefined) batch.delete(key)
    else batch.put(key, record)
  }
}

/** Adds the undo page of the changes to a batch. Pages are numbered from 1. */
export function putUndoPage(batch: WriteBatch, number: number, changes: readonly EntryChange[]): void {
  const key = undoKey(number)
  const keys = changes.map((change) => change.key)
  const records = changes.map((change) => change.before ?? NOTHING)
  batch.put(key, sealUndoPage(key, { keys, records }))
}

export function deleteUndoPages(batch: WriteBatch, count: number): void {
  for (let number = 1; number <= count; number++) batch.delete(undoKey(number))
}

/** Rolls back the pieces of a checkpoint that was never committed: the last undo page first, each in a write of its own. */
export async function rollBack(
  db: Pick<Database, 'getSync'>,
  pageCount: number,
  write: (build: (batch: WriteBatch) => void) => Promise<void>,
): Promise<void> {
  for (let number = pageCount; number >= 1; number--) {
    const key = undoKey(number)
    const record = db.getSync(key)
    if (record === undefined) continue
    const { keys, records } = unsealUndoPage(key, record)
    await write((batch) => {
      for (const [i, bytes] of keys.entries()) {
        const before = records[i] ?? NOTHING
        if (before.length === 0) batch.delete(Buffer.from(bytes))
        else batch.put(Buffer.from(bytes), Buffer.from(before))
      }
      batch.delete(key)
    })
  }
}
