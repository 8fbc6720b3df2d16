import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { HistoryReader, Restoration, StateEntry } from '../../src/replication/state-machine.js'

/** What has checkpoints. */
interface Checkpointed {
  changes(): Iterable<StateEntry>
  onCheckpointed(): void
  restore(history: HistoryReader): Restoration
}

type Keyspace = StateEntry['keyspace']

/** How many entries a page holds: few, so that small states come in several. */
const PAGE_ENTRIES = 7

/** What a disk holds of one machine, written and read as LevelDB would. */
export class CheckpointDisk implements HistoryReader {
  readonly #entries: Record<Keyspace, Map<string, Uint8Array>> = { state: new Map(), history: new Map() }
  #walk: Iterator<StateEntry> | undefined
  #taken: StateEntry[] = []
  /** How often history was read. */
  readCount = 0

  /** Whether a checkpoint is under way. */
  get isBusy(): boolean {
    return this.#walk !== undefined
  }

  /** A checkpoint at once. */
  save(machine: Checkpointed): void {
    this.begin(machine)
    this.walk(Number.POSITIVE_INFINITY)
    this.commit(machine)
  }

  begin(machine: Checkpointed): void {
    assert.ok(!this.isBusy)
    this.#walk = machine.changes()[Symbol.iterator]()
  }

  /** Goes on with the checkpoint; true when it has been walked. */
  walk(entryCount: number): boolean {
    for (let i = 0; i < entryCount; i++) {
      const next = this.#walk?.next()
      if (next === undefined || next.done === true) return true
      this.#taken.push(next.value)
    }
    return false
  }

  /** What was walked is durable. */
  commit(machine: Checkpointed): void {
    assert.ok(this.walk(1), 'only a whole checkpoint is committed')
    const seen = new Set<string>()
    for (const { key, value, keyspace } of this.#taken) {
      assert.ok(Buffer.byteLength(key) <= 8_192)
      assert.ok(!seen.has(keyspace + key), `${key} is told twice`)
      seen.add(keyspace + key)
      if (value === undefined) this.#entries[keyspace].delete(key)
      else this.#entries[keyspace].set(key, Uint8Array.from(value))
    }
    this.abandon()
    machine.onCheckpointed()
  }

  /** The checkpoint under way is given up, as by a crash. */
  abandon(): void {
    this.#walk = undefined
    this.#taken = []
  }

  read(key: string): Uint8Array | undefined {
    this.readCount++
    const value = this.#entries.history.get(key)
    return value && Uint8Array.from(value)
  }

  restore(machine: Checkpointed): void {
    const restoration = machine.restore(this)
    const sorted = this.entries('state')
    for (let i = 0; i < sorted.length; i += PAGE_ENTRIES) restoration.load(sorted.slice(i, i + PAGE_ENTRIES))
    restoration.finish()
  }

  /** Ascending. */
  entries(keyspace: Keyspace): StateEntry[] {
    return Array.from(this.#entries[keyspace], ([key, value]) => ({ key, value: Uint8Array.from(value), keyspace })).toSorted(
      (a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)),
    )
  }

  copy(): CheckpointDisk {
    const copy = new CheckpointDisk()
    for (const keyspace of ['state', 'history'] as const) {
      for (const [key, value] of this.#entries[keyspace]) copy.#entries[keyspace].set(key, value)
    }
    return copy
  }

  digest(): string {
    const hash = createHash('sha256')
    for (const { key, value } of [...this.entries('state'), ...this.entries('history')]) hash.update(key).update(value ?? '')
    return hash.digest('hex')
  }
}
