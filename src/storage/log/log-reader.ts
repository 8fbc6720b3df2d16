import { assert } from '../../paxos/assert.js'
import type { LogEntry, Slot } from '../../paxos/types.js'
import { logKey } from '../record-keys.js'
import { RecordError, unsealLogEntry } from '../records.js'
import type { LinkedWriter } from './linked-writer.js'

/** Most log entries that are decoded in a turn. */
const STEP_SLOTS = 500

/** Reads decided entries of the log, as Storage.readLog describes. */
export class LogReader {
  readonly #writer: LinkedWriter
  readonly #failed: (error: unknown) => unknown

  /** `failed` fails the writer, and turns an error of a read into the error that is thrown. */
  constructor(writer: LinkedWriter, failed: (error: unknown) => unknown) {
    this.#writer = writer
    this.#failed = failed
  }

  async read(fromSlot: Slot, toSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    this.#writer.assertUsable()
    assert(fromSlot >= 1, 'the log begins with slot 1')
    const lastSlot = Math.min(toSlot, this.#writer.decidedUpTo)
    return fromSlot > lastSlot || fromSlot <= this.#writer.compactedUpTo ? [] : this.#read(fromSlot, lastSlot, maxBytes)
  }

  async #read(fromSlot: Slot, lastSlot: Slot, maxBytes: number): Promise<LogEntry[]> {
    const { log } = this.#writer
    const entries: LogEntry[] = []
    let bytes = 0
    let slot = fromSlot
    try {
      while (slot <= lastSlot && (slot === fromSlot || bytes < maxBytes)) {
        const keys: Buffer[] = []
        do {
          keys.push(logKey(slot))
          bytes += log.bytesOf(slot)
          slot += 1
        } while (slot <= lastSlot && bytes < maxBytes && keys.length < STEP_SLOTS)
        const records = await this.#writer.db.getEach(keys)
        for (const [i, key] of keys.entries()) {
          const record = records[i]
          if (record === undefined) return this.#missingSlot(fromSlot + entries.length)
          entries.push(unsealLogEntry(key, record))
        }
      }
      return entries
    } catch (error) {
      throw this.#failed(error)
    }
  }

  /** Returns no entries when a trim that is not durable yet has removed the slot. @throws RecordError when it is missing otherwise */
  #missingSlot(slot: Slot): LogEntry[] {
    if (slot <= this.#writer.log.compactedUpTo) return []
    throw new RecordError(`slot ${slot} of the log is missing`)
  }
}
