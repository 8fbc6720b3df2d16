import { assert } from '../../paxos/assert.js'
import type { Batch, Database, KeyBounds, UnfinishedView } from '../../storage/leveldb/database.js'
import type { DatabaseView, ViewRange } from '../../storage/leveldb/database-view.js'
import { ALL_TAGS } from '../../storage/record-keys.js'

/** Entries read from the disk at once. */
const PAGE_ENTRIES = 1_000
const ALL: KeyBounds = { gte: Buffer.alloc(0), lt: Buffer.from([255]) }

/** One change of a batch: the new record of a key, or its removal. */
export interface RecordChange {
  readonly key: string
  readonly record: Buffer | undefined
}

/** The records of a disk, now or at an earlier time. */
export interface Records {
  get(key: string): Buffer | undefined
  /** Records in the order of their keys. */
  range(options: KeyBounds): [Buffer, Buffer][]
}

/** The disk, as its database uses it. */
export interface Platter extends Records {
  readonly isWriting: boolean
  /** Resolves when the write is done; with `sync`, when it cannot be lost any more. */
  write(changes: readonly RecordChange[], sync: boolean): Promise<void>
  /** Resolves with the result of `find`, when the disk has got to it. */
  read<T>(find: () => T): Promise<T>
  /** Returns a view of the records as they are now. */
  freeze(): FrozenRecords
}

export interface FrozenRecords extends Records {
  release(): void
}

/** The format in which a version of Synod writes and reads records. */
export interface RecordFormat {
  readonly write: (key: Buffer, record: Buffer) => Buffer
  readonly read: (key: Buffer, record: Buffer) => Buffer
}

/** The part of LevelDB that the storage uses, over a simulated disk. */
export class SimulatedDatabase implements Database {
  readonly #platter: Platter
  readonly #format: RecordFormat

  constructor(platter: Platter, format: RecordFormat) {
    this.#platter = platter
    this.#format = format
  }

  batch(): Batch {
    return new SimulatedBatch(this.#format)
  }

  write(batch: Batch, { sync }: { readonly sync: boolean }): Promise<void> {
    return this.#platter.write((batch as SimulatedBatch).changes, sync)
  }

  getSync(key: Buffer): Buffer | undefined {
    return this.#read(key, this.#platter.get(key.toString('latin1')))
  }

  getEach(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#platter.read(() => keys.map((key) => this.getSync(key)))
  }

  firstKeys(range: KeyBounds, countMax: number): Promise<Buffer[]> {
    return this.#withoutWrite(() => {
      return this.#platter
        .range(range)
        .slice(0, countMax)
        .map(([key]) => key)
    })
  }

  beginView(): Promise<UnfinishedView> {
    return Promise.resolve({ finish: () => this.#withoutWrite(() => this.#view()), close: () => Promise.resolve() })
  }

  /** Reads everything. Only while nothing is written. */
  async *everything(): AsyncGenerator<[Buffer, Buffer][]> {
    const view = this.#view()
    try {
      yield* view.pages({ tags: ALL_TAGS, from: undefined })
    } finally {
      await view.close()
    }
  }

  #view(): DatabaseView {
    return new SimulatedView(this.#platter, this.#platter.freeze(), this.#format)
  }

  compactRange(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** Checks that no write happens meanwhile: LevelDB would keep old versions of what is written (see database.ts). */
  #withoutWrite<T>(read: () => T): Promise<T> {
    assert(!this.#platter.isWriting, 'no write is under way when a view begins')
    return this.#platter.read(() => {
      assert(!this.#platter.isWriting, 'no write begins before a view is finished')
      return read()
    })
  }

  #read(key: Buffer, record: Buffer | undefined): Buffer | undefined {
    return record && this.#format.read(key, record)
  }
}

class SimulatedView implements DatabaseView {
  readonly #platter: Platter
  readonly #records: FrozenRecords
  readonly #format: RecordFormat

  constructor(platter: Platter, records: FrozenRecords, format: RecordFormat) {
    this.#platter = platter
    this.#records = records
    this.#format = format
  }

  async *pages({ tags, from }: ViewRange): AsyncGenerator<[Buffer, Buffer][]> {
    const all = this.#records.range(ALL)
    const entries = all.filter(
      ([key]) => tags.includes(key[0] ?? 0) && !(from !== undefined && key[0] === from[0] && key.compare(from) < 0),
    )
    for (let i = 0; i < entries.length; i += PAGE_ENTRIES) {
      const page = entries.slice(i, i + PAGE_ENTRIES)
      yield await this.#platter.read(() => page.map(([key, record]): [Buffer, Buffer] => [key, this.#format.read(key, record)]))
    }
  }

  close(): Promise<void> {
    this.#records.release()
    return Promise.resolve()
  }
}

class SimulatedBatch implements Batch {
  readonly #format: RecordFormat
  readonly changes: RecordChange[] = []

  constructor(format: RecordFormat) {
    this.#format = format
  }

  put(key: Buffer, record: Buffer): void {
    this.changes.push({ key: key.toString('latin1'), record: this.#format.write(key, record) })
  }

  del(key: Buffer): void {
    this.changes.push({ key: key.toString('latin1'), record: undefined })
  }
}
