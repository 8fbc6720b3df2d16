import { encode } from '../encoding/encode.js'
import { DeadlineRecord } from '../gen/synod/state/v1/state.js'
import type { Deadline, Deadlines } from '../tables/deadlines.js'
import type { RowChange } from '../tables/table.js'
import type { StateEntry } from './state-machine.js'

/** Begins the key of each deadline in a checkpoint. */
export const DEADLINE_PREFIX = 'deadline/'

/** Entries of a checkpoint for what Deadlines.takeChanges gave. */
export function* deadlineEntries(changes: Iterable<RowChange<Deadline>>): Generator<StateEntry> {
  for (const { key, row } of changes) {
    const value = row && encode(DeadlineRecord, { atMs: row.atMs })
    yield { key: DEADLINE_PREFIX + key, value, keyspace: 'state' }
  }
}

/** Puts an entry back among the deadlines. */
export function loadDeadline(deadlines: Deadlines, key: string, value: Uint8Array): void {
  deadlines.load(key.slice(DEADLINE_PREFIX.length), DeadlineRecord.decode(value).atMs)
}
