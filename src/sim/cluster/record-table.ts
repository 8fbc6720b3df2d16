import type { KeyBounds } from '../../storage/leveldb/database.js'
import { SortedKeys } from '../../tables/sorted-keys.js'
import type { FrozenRecords, Records } from './simulated-database.js'

/** The records on a disk in the order of their keys, and their earlier states for as long as these are needed. */
export class RecordTable implements Records {
  readonly #records = new Map<string, Buffer>()
  readonly #keys = new SortedKeys()
  readonly #frozen = new Set<Frozen>()

  get(key: string): Buffer | undefined {
    return this.#records.get(key)
  }

  /** Sets the record of a key; undefined removes it. */
  set(key: string, record: Buffer | undefined): void {
    const before = this.#records.get(key)
    for (const frozen of this.#frozen) frozen.onChange(key, before)
    if (record === undefined) {
      this.#records.delete(key)
      if (before !== undefined) this.#keys.remove(key)
    } else {
      this.#records.set(key, record)
      if (before === undefined) this.#keys.insert(key)
    }
  }

  /** Changes a record in the views of earlier states, too: a bit has flipped in place. */
  damage(key: string, record: Buffer): void {
    this.#records.set(key, record)
  }

  entries(): IterableIterator<[string, Buffer]> {
    return this.#records.entries()
  }

  range({ gte, lt }: KeyBounds): [Buffer, Buffer][] {
    const [low, bound] = [gte.toString('latin1'), lt.toString('latin1')]
    const from = this.#keys.position((key) => key < low)
    const to = this.#keys.position((key) => key < bound)
    return Array.from(this.#keys.ascending(from, to), (key) => [Buffer.from(key, 'latin1'), this.#records.get(key) as Buffer])
  }

  freeze(): FrozenRecords {
    const frozen = new Frozen(this, () => this.#frozen.delete(frozen))
    this.#frozen.add(frozen)
    return frozen
  }

  /** Releases all views of earlier states. */
  releaseAll(): void {
    this.#frozen.clear()
  }
}

class Frozen implements FrozenRecords {
  readonly #now: RecordTable
  readonly release: () => void
  /** The earlier records of the keys that have changed since. */
  readonly #before = new Map<string, Buffer | undefined>()

  constructor(now: RecordTable, release: () => void) {
    this.#now = now
    this.release = release
  }

  onChange(key: string, before: Buffer | undefined): void {
    if (!this.#before.has(key)) this.#before.set(key, before)
  }

  get(key: string): Buffer | undefined {
    return this.#before.has(key) ? this.#before.get(key) : this.#now.get(key)
  }

  range(options: KeyBounds): [Buffer, Buffer][] {
    const then = new RecordTable()
    for (const [key, record] of this.#now.entries()) if (!this.#before.has(key)) then.set(key, record)
    for (const [key, record] of this.#before) if (record !== undefined) then.set(key, record)
    return then.range(options)
  }
}
