import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { StateEntry } from '../../src/replication/state-machine.js'
import { openDirectory } from '../../src/storage/directory/open-directory.js'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { type LevelDatabase, openDatabase } from '../../src/storage/leveldb/database.js'
import { compareInternalKeys, isSameKey } from '../../src/storage/leveldb/leveldb-entries.js'
import { type LiveTable, readManifest } from '../../src/storage/leveldb/leveldb-manifest.js'
import { compact } from './random-writes.js'
import { decidedSlots, GENESIS, infoAt } from './samples.js'

// LevelDB may bring old records back where two versions of a key stand in two tables of one level: see database.ts. Records bigger than a
// table end a table each, so that the two versions of a key stand so after the first compaction that has to keep both.

const RECORD_BYTES = 3_000_000
const SEQUENCE_BYTES = 8
const [FIRST, LAST] = [Buffer.from([0]), Buffer.from([255])]

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'synod-versions-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

/** The keys of which two tables of one level have versions; those of level 0 are always taken together. */
async function splitKeys(database: string): Promise<string[]> {
  const manifest = readdirSync(database).find((name) => name.startsWith('MANIFEST')) ?? ''
  const { tables } = await readManifest(readFileSync(join(database, manifest)))
  assert.ok(tables.some(({ level }) => level > 0))
  const inOrder = tables.toSorted((a, b) => a.level - b.level || compareInternalKeys(a.smallest, b.smallest))
  return inOrder.flatMap((table, i) => {
    const next: LiveTable | undefined = inOrder[i + 1]
    if (table.level === 0 || next?.level !== table.level) return []
    const [last, first] = [table.largest, next.smallest].map((key) => key.subarray(0, -SEQUENCE_BYTES)) as [Buffer, Buffer]
    return isSameKey(last, first) ? [last.toString('latin1')] : []
  })
}

test('LevelDB puts the versions that a snapshot keeps in two tables', async () => {
  const db: LevelDatabase = await openDatabase(root, 'create')
  await db.put(Buffer.from('a'), Buffer.from('old'))
  await compact(db, FIRST)
  const snapshot = db.snapshot()
  await db.put(Buffer.from('a'), Buffer.alloc(RECORD_BYTES))
  await compact(db, FIRST)
  assert.deepEqual(await splitKeys(root), ['a'])
  await snapshot.close()
  await db.close()
})

test('no two versions of a key are kept, whoever reads a checkpoint while the next is written', async () => {
  const big = (value: number, from: number): StateEntry[] => {
    return Array.from({ length: 8 }, (_, i): StateEntry => {
      const record = new Uint8Array(i % 2 === 0 ? RECORD_BYTES : 1).fill(value)
      return { key: `${from + i}`, keyspace: i % 4 < 2 ? 'state' : 'history', value: i === value ? undefined : record }
    })
  }
  const directory = await openDirectory({ directory: root, nodeId: 1 })
  const storage = await LevelStorage.fromDirectory(directory, { pieceBytes: RECORD_BYTES })
  const check = async (): Promise<void> => {
    await directory.db.compactRange(FIRST, LAST)
    assert.deepEqual(await splitKeys(join(root, 'db')), [])
  }
  await storage.append([{ kind: 'genesis', genesis: GENESIS }, ...decidedSlots(6)])
  await storage.saveCheckpoint(infoAt(1), big(1, 10))
  const first = await storage.viewCheckpoint()
  const prepared = await storage.prepareCheckpoint(infoAt(2), big(2, 10))
  await check()
  const meanwhile = await storage.viewCheckpoint()
  const pages = meanwhile?.pages(undefined, 1)[Symbol.asyncIterator]()
  await pages?.next()
  await prepared.commit()
  await check()
  for (const slot of [3, 4, 5]) {
    await storage.saveCheckpoint(infoAt(slot), big(slot, 10 + slot))
    await pages?.next()
    await check()
  }
  await first?.close()
  await meanwhile?.close()
  await storage.close()
  await (await LevelStorage.open({ directory: root, nodeId: 1 })).close()
})
