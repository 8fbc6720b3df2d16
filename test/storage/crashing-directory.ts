import { FIRST_WRITE, firstRecords } from '../../src/storage/data-directory.js'
import type { Batch, Database, DatabaseSnapshot, KeyRange } from '../../src/storage/database.js'
import { scan } from '../../src/storage/database.js'
import { LevelStorage, type LevelStorageOptions } from '../../src/storage/level-storage.js'
import { readContents } from '../../src/storage/open-directory.js'

type Records = ReadonlyMap<string, Buffer>

/** A crash in the middle of the test: whoever waits for the write waits no more. */
class Crash extends Error {}

/** A data directory in memory, whose process dies at whichever write a test says. */
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

  /** A new process, that does not die. */
  async open(options: LevelStorageOptions = {}): Promise<LevelStorage> {
    this.#writesLeft = Number.POSITIVE_INFINITY
    this.#life += 1
    const db = this.#database(this.#life)
    const lastWritten = this.#lastWritten
    const contents = await readContents({
      path: 'memory',
      identity: this.#identity,
      lastWritten,
      pages: scan(db, {}),
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
    return LevelStorage.standOn(directory, options)
  }

  #database(life: number): Database {
    const of = (snapshot: DatabaseSnapshot | undefined): Records => (snapshot as Snapshot | undefined)?.records ?? this.#records
    return {
      batch: () => this.#batch(life),
      getSync: (key, { snapshot }) => of(snapshot).get(key.toString('latin1')),
      getMany: async (keys) => keys.map((key) => this.#records.get(key.toString('latin1'))),
      iterator: ({ snapshot, ...range }) => {
        const entries = within(of(snapshot), range)
        return { nextv: async (countMax) => entries.splice(0, countMax), close: () => Promise.resolve() }
      },
      snapshot: () => new Snapshot(this.#records),
      compactRange: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }
  }

  #batch(life: number): Batch {
    const changes: [string, Buffer | undefined][] = []
    return {
      put: (key, record) => changes.push([key.toString('latin1'), record]),
      del: (key) => changes.push([key.toString('latin1'), undefined]),
      write: async () => {
        if (life !== this.#life || this.#writesLeft === 0) throw new Crash()
        this.#writesLeft -= 1
        const dies = this.#writesLeft === 0
        if (!dies || this.#keepsLast) this.#apply(changes)
        if (dies) throw new Crash()
      },
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

class Snapshot implements DatabaseSnapshot {
  readonly records: Records

  constructor(records: Records) {
    this.records = records
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

function within(records: Records, { gt, gte, lte, lt }: KeyRange): [Buffer, Buffer][] {
  const entries = Array.from(records, ([key, record]): [Buffer, Buffer] => [Buffer.from(key, 'latin1'), record])
  return entries
    .filter(([key]) => {
      if (gt !== undefined && key.compare(gt) <= 0) return false
      if (gte !== undefined && key.compare(gte) < 0) return false
      if (lte !== undefined && key.compare(lte) > 0) return false
      return lt === undefined || key.compare(lt) < 0
    })
    .toSorted(([a], [b]) => a.compare(b))
}
