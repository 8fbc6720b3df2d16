import { Level } from 'level'
import type { Random } from '../../src/sim/random.js'
import type { LevelDatabase } from '../../src/storage/leveldb/database.js'

/** The first bytes of the keys. */
export const FIRST_BYTES = Buffer.from('ahls\u00ff', 'latin1')
/** The smallest that LevelDB takes: many tables soon, in several levels. */
const WRITE_BUFFER_BYTES = 64 * 1_024

export async function openSmall(path: string): Promise<LevelDatabase> {
  const db: LevelDatabase = new Level<Buffer, Buffer>(path, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    compression: false,
    writeBufferSize: WRITE_BUFFER_BYTES,
  })
  await db.open()
  return db
}

/** All that LevelDB has. */
export async function* pagesOf(db: LevelDatabase): AsyncGenerator<[Buffer, Buffer][]> {
  yield await db.iterator().all()
}

/** Merges the tables from a key on, down to one level. */
export async function compact(db: LevelDatabase, from: Buffer): Promise<void> {
  await (db as LevelDatabase & Compactable).compactRange(from, Buffer.from([255, 255, 255]))
}

/** What level's types do not tell of LevelDB, as browsers do not have it. */
interface Compactable {
  compactRange(start: Buffer, end: Buffer): Promise<void>
}

/** Puts, deletes and overwrites in batches of many sizes, so that keys have versions and deletions in every place of the database. */
export async function writeAtRandom(db: LevelDatabase, random: Random): Promise<void> {
  const keyCount = random.pick([30, 500, 5_000])
  const deletions = random.pick([0.1, 0.5])
  const batches = random.int(5, 60)
  let view = db.iterator()
  for (let i = 0; i < batches; i++) {
    const batch = db.batch()
    for (let left = random.pick([1, 3, 100, 400]); left > 0; left--) {
      const key = randomKey(random, keyCount)
      if (random.chance(deletions)) batch.del(key)
      else batch.put(key, randomValue(random))
    }
    await batch.write()
    if (random.chance(0.1)) {
      // LevelDB keeps the old versions that a view sees.
      await view.close()
      view = db.iterator()
      await view.next()
    }
    if (random.chance(0.05)) await compact(db, randomKey(random, keyCount))
  }
  await view.close()
}

function randomKey(random: Random, keyCount: number): Buffer {
  const name = String(random.int(0, keyCount - 1))
  const text = random.pick([name, name.padStart(20, '0'), 'k'.repeat(Number(name) % 300), `é${name}`])
  return Buffer.concat([Buffer.from([random.pick([...FIRST_BYTES])]), Buffer.from(text)])
}

function randomValue(random: Random): Buffer {
  const bytes = random.chance(0.002) ? random.int(30_000, 120_000) : random.pick([0, 1, 100, 127, 128, 300, 1_000])
  return Buffer.alloc(bytes, random.int(0, 255))
}
