import type { Batch, Database, DatabaseSnapshot, EntryIterator, IteratorOptions, KeyRange } from '../storage/database.js'

/** One change of a batch: the record of a key, or that it has none any more. */
export interface Change {
  readonly key: string
  readonly record: Buffer | undefined
}

/** The records of a disk, now or as they were. */
export interface Records {
  get(key: string): Buffer | undefined
  /** In the order of their keys. */
  range(options: KeyRange): [Buffer, Buffer][]
}

/** What a database does to the disk below it. */
export interface Platter extends Records {
  /** Resolves when it is done; `sync`: and cannot be lost any more. */
  write(changes: readonly Change[], sync: boolean): Promise<void>
  /** Resolves with what `find` finds when the disk has got round to it. */
  read<T>(find: () => T): Promise<T>
  /** The records as they are now. */
  freeze(): FrozenRecords
}

export interface FrozenRecords extends Records {
  release(): void
}

/** How a version of Synod writes records, and what it reads. */
export interface RecordFormat {
  readonly write: (key: Buffer, record: Buffer) => Buffer
  readonly read: (key: Buffer, record: Buffer) => Buffer
}

/** What the storage needs of LevelDB, over a simulated disk. */
export class SimulatedDatabase implements Database {
  readonly #platter: Platter
  readonly #format: RecordFormat

  constructor(platter: Platter, format: RecordFormat) {
    this.#platter = platter
    this.#format = format
  }

  batch(): Batch {
    return new SimulatedBatch(this.#platter, this.#format)
  }

  getSync(key: Buffer, { snapshot }: { readonly snapshot: DatabaseSnapshot | undefined }): Buffer | undefined {
    return this.#read(key, this.#recordsOf(snapshot).get(key.toString('latin1')))
  }

  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#platter.read(() => keys.map((key) => this.#read(key, this.#platter.get(key.toString('latin1')))))
  }

  iterator({ snapshot, ...range }: KeyRange & IteratorOptions): EntryIterator {
    const entries = this.#recordsOf(snapshot).range(range)
    let next = 0
    return {
      nextv: (countMax) =>
        this.#platter.read(() => {
          const page = entries.slice(next, next + countMax)
          next += page.length
          return page.map(([key, record]): [Buffer, Buffer] => [key, this.#format.read(key, record)])
        }),
      close: () => Promise.resolve(),
    }
  }

  snapshot(): DatabaseSnapshot {
    return new Snapshot(this.#platter.freeze())
  }

  compactRange(): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #recordsOf(snapshot: DatabaseSnapshot | undefined): Records {
    return snapshot instanceof Snapshot ? snapshot.records : this.#platter
  }

  #read(key: Buffer, record: Buffer | undefined): Buffer | undefined {
    return record && this.#format.read(key, record)
  }
}

class Snapshot implements DatabaseSnapshot {
  readonly records: FrozenRecords

  constructor(records: FrozenRecords) {
    this.records = records
  }

  close(): Promise<void> {
    this.records.release()
    return Promise.resolve()
  }
}

class SimulatedBatch implements Batch {
  readonly #platter: Platter
  readonly #format: RecordFormat
  readonly #changes: Change[] = []

  constructor(platter: Platter, format: RecordFormat) {
    this.#platter = platter
    this.#format = format
  }

  put(key: Buffer, record: Buffer): void {
    this.#changes.push({ key: key.toString('latin1'), record: this.#format.write(key, record) })
  }

  del(key: Buffer): void {
    this.#changes.push({ key: key.toString('latin1'), record: undefined })
  }

  write({ sync }: { sync: boolean }): Promise<void> {
    return this.#platter.write(this.#changes, sync)
  }
}
