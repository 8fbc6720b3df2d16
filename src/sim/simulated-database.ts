import type { Batch, Database, DatabaseSnapshot, EntryIterator, IteratorOptions, KeyRange } from '../storage/database.js'

/** One change of a batch: the record of a key, or that it has none any more. */
export interface Change {
  readonly key: string
  readonly record: Buffer | undefined
}

/** What a database does to the disk below it. */
export interface Platter {
  /** Resolves when it is done; `sync`: and cannot be lost any more. */
  write(changes: readonly Change[], sync: boolean): Promise<void>
  /** Resolves with what `find` finds when the disk has got round to it. */
  read<T>(find: () => T): Promise<T>
  /** As it is now, or was in a snapshot. */
  get(key: string, snapshot?: PlatterSnapshot): Buffer | undefined
  /** In the order of their keys. */
  range(options: KeyRange, snapshot?: PlatterSnapshot): [Buffer, Buffer][]
  snapshot(): PlatterSnapshot
}

/** All records as they were at some time. */
export type PlatterSnapshot = ReadonlyMap<string, Buffer>

class SimulatedSnapshot implements DatabaseSnapshot {
  readonly records: PlatterSnapshot

  constructor(records: PlatterSnapshot) {
    this.records = records
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
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

  getMany(keys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#platter.read(() => keys.map((key) => this.#read(key, this.#platter.get(key.toString('latin1')))))
  }

  getSync(key: Buffer, { snapshot }: { readonly snapshot: DatabaseSnapshot | undefined }): Buffer | undefined {
    return this.#read(key, this.#platter.get(key.toString('latin1'), recordsOf(snapshot)))
  }

  snapshot(): DatabaseSnapshot {
    return new SimulatedSnapshot(this.#platter.snapshot())
  }

  compactRange(): Promise<void> {
    return this.#platter.read(() => undefined)
  }

  iterator(options: KeyRange & Pick<IteratorOptions, 'snapshot'>): EntryIterator {
    const entries = this.#platter.range(options, recordsOf(options.snapshot))
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

  close(): Promise<void> {
    return Promise.resolve()
  }

  #read(key: Buffer, record: Buffer | undefined): Buffer | undefined {
    return record && this.#format.read(key, record)
  }
}

function recordsOf(snapshot: DatabaseSnapshot | undefined): PlatterSnapshot | undefined {
  return snapshot instanceof SimulatedSnapshot ? snapshot.records : undefined
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
