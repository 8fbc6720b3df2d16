import { FIRST_WRITE, firstRecords } from '../../src/storage/directory/data-directory.js'
import { readContents } from '../../src/storage/directory/open-directory.js'
import { LevelStorage, type LevelStorageOptions } from '../../src/storage/level-storage.js'
import type { Batch, Database, KeyBounds } from '../../src/storage/leveldb/database.js'
import type { DatabaseView, ViewRange } from '../../src/storage/leveldb/database-view.js'
import { ALL_TAGS } from '../../src/storage/record-keys.js'

type Records = ReadonlyMap<string, Buffer>

/** The error of a write at which the process crashes. */
class Crash extends Error {}

/** A data directory in memory, whose process crashes at a write that the test chooses. */
export class CrashingDirectory {
  readonly #identity = { dataDirId: '00000000-0000-4000-8000-000000000007', nodeId: 1 }
  #records: Records = new Map(firstRecords(this.#identity).map(([key, record]) => [key.toString('latin1'), record]))
  #lastWritten = FIRST_WRITE
  /** Counts those who have opened it: the ones before are dead. */
  #life = 0
  #writesLeft = Number.POSITIVE_INFINITY
  #keepsLast = false
  writeCount = 0

  /** Of what is on it. */
  get size(): number {
    return this.#records.size
  }

  get tags(): Set<string> {
    return new Set([...this.#records.keys()].map((key) => key.slice(0, 1)))
  }

  /** The process dies with that write from now, the first being 1; `keepsLast`: it is on the disk all the same. */
  crashAtWrite(number: number, keepsLast: boolean): void {
    this.#writesLeft = number
    this.#keepsLast = keepsLast
  }

  /** Opens it in a new process that does not crash. */
  async open(options: LevelStorageOptions = {}): Promise<LevelStorage> {
    this.#writesLeft = Number.POSITIVE_INFINITY
    this.#life += 1
    const db = this.#database(this.#life)
    const lastWritten = this.#lastWritten
    const contents = await readContents({
      path: 'memory',
      identity: this.#identity,
      lastWritten,
      pages: new View(this.#records).pages({ tags: ALL_TAGS, from: undefined }),
      skipsHistory: false,
    })
    const directory = {
      path: 'memory',
      dataDirId: this.#identity.dataDirId,
      replacesDataDirId: '',
      forgetReplaced: () => undefined,
      db,
      contents,
      openWitness: () => ({
        record: (number: number) => {
          this.#lastWritten = number
        },
        close: () => Promise.resolve(),
      }),
      release: () => Promise.resolve(),
    }
    return LevelStorage.fromDirectory(directory, options)
  }

  #database(life: number): Database {
    return {
      batch: () => new MemoryBatch(),
      write: async (batch) => {
        if (life !== this.#life || this.#writesLeft === 0) throw new Crash()
        this.#writesLeft -= 1
        const dies = this.#writesLeft === 0
        if (!dies || this.#keepsLast) this.#apply((batch as MemoryBatch).changes)
        if (dies) throw new Crash()
      },
      getSync: (key) => this.#records.get(key.toString('latin1')),
      getEach: async (keys) => keys.map((key) => this.#records.get(key.toString('latin1'))),
      firstKeys: async (range, countMax) => {
        return within(this.#records, range)
          .slice(0, countMax)
          .map(([key]) => key)
      },
      beginView: async () => ({ finish: async () => new View(this.#records), close: async () => {} }),
      compactRange: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
  }

  #apply(changes: readonly [string, Buffer | undefined][]): void {
    const records = new Map(this.#records)
    for (const [key, record] of changes) {
      if (record === undefined) records.delete(key)
      else records.set(key, record)
    }
    this.#records = records
    this.writeCount += 1
  }
}

class MemoryBatch implements Batch {
  readonly changes: [string, Buffer | undefined][] = []

  put(key: Buffer, record: Buffer): void {
    this.changes.push([key.toString('latin1'), record])
  }

  del(key: Buffer): void {
    this.changes.push([key.toString('latin1'), undefined])
  }
}

/** Of records that are replaced as a whole. */
class View implements DatabaseView {
  readonly #records: Records

  constructor(records: Records) {
    this.#records = records
  }

  async *pages({ tags }: ViewRange): AsyncGenerator<[Buffer, Buffer][]> {
    for (const tag of tags) yield within(this.#records, { gte: Buffer.from([tag]), lt: Buffer.from([tag + 1]) })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function within(records: Records, { gte, lt }: KeyBounds): [Buffer, Buffer][] {
  const entries = Array.from(records, ([key, record]): [Buffer, Buffer] => [Buffer.from(key, 'latin1'), record])
  return entries.filter(([key]) => key.compare(gte) >= 0 && key.compare(lt) < 0).toSorted(([a], [b]) => a.compare(b))
}
