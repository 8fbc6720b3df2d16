import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { verify } from '../../src/storage/doctor/verify.js'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { type LevelDatabase, openDatabase } from '../../src/storage/leveldb/database.js'
import { CHECKPOINT_KEY, chainKey, entryKey, GENESIS_KEY, logKey, OWNER_KEY } from '../../src/storage/record-keys.js'
import { seal } from '../../src/storage/records.js'
import { pagesOf } from './random-writes.js'
import { accepted, decidedSlots, GENESIS, history, infoAt, state } from './samples.js'

// Losses and changes of records in a database whose files are all intact.

const root = mkdtempSync(join(tmpdir(), 'synod-verify-'))
/** The database at the end, and before the last writes. */
const template = join(root, 'now')
const earlier = join(root, 'earlier')

function save(storage: LevelStorage, stateDigest: number, byte: number): Promise<void> {
  const gone = byte === 1 ? [7] : undefined
  return storage.saveCheckpoint(infoAt(30, stateDigest), [...state({ a: [byte], b: gone }), ...history({ a: [byte], b: gone })])
}

const stateKey = (name: string): Buffer => entryKey('state', 0, name)
const historyKey = (name: string): Buffer => entryKey('history', 0, name)

before(async () => {
  const storage = await LevelStorage.open({ directory: template, nodeId: 1 })
  await storage.append([{ kind: 'genesis', genesis: GENESIS }])
  await storage.append([...decidedSlots(30), accepted(31), accepted(33)])
  await save(storage, 1, 1)
  await storage.close()
  cpSync(template, earlier, { recursive: true })
  const again = await LevelStorage.open({ directory: template, nodeId: 1, window: { slots: 10, bytes: 1_000_000 } })
  await again.append([accepted(31, 2 * 65_536 + 1)])
  await save(again, 2, 2)
  await again.append([{ kind: 'promised', ballot: 9 * 65_536 + 1 }])
  await again.close()
})

after(() => rmSync(root, { recursive: true, force: true }))

const LAST_WRITE = 7

/** Puts back what an earlier state of the database held under a key. */
function revive(key: Buffer): Tampering {
  return async (db, old) => {
    const [record] = await old.getMany([key])
    assert.ok(record !== undefined)
    await db.put(key, record)
  }
}

function remove(key: Buffer): Tampering {
  return (db) => db.del(key)
}

type Tampering = (db: LevelDatabase, old: LevelDatabase) => Promise<void>

const cases: readonly { title: string; tamper: Tampering; says: RegExp }[] = [
  {
    title: 'a write in the middle of the chain is gone',
    tamper: remove(chainKey(4)),
    says: /write 4 of the chain, .* is missing/,
  },
  { title: 'the first write of the chain is gone', tamper: remove(chainKey(1)), says: /write 1 of the chain is missing/ },
  {
    title: 'the last write is gone',
    tamper: remove(chainKey(LAST_WRITE)),
    says: /ends with write 6, but write 7 was durable/,
  },
  { title: 'a decided slot is gone', tamper: remove(logKey(25)), says: /slot 25 of the log is missing/ },
  { title: 'the last decided slot is gone', tamper: remove(logKey(30)), says: /slot 30 of the log is missing/ },
  { title: 'a vote for an open slot is gone', tamper: remove(logKey(33)), says: /the log has lost entries/ },
  { title: 'an earlier vote for an open slot is back', tamper: revive(logKey(31)), says: /old ones have come back/ },
  { title: 'the genesis is gone', tamper: remove(GENESIS_KEY), says: /the genesis is missing/ },
  { title: 'the record of the checkpoint is gone', tamper: remove(CHECKPOINT_KEY), says: /record of the checkpoint is missing/ },
  { title: 'an earlier checkpoint is back', tamper: revive(CHECKPOINT_KEY), says: /checkpoint is missing, or an old one/ },
  { title: 'an entry of the checkpoint is gone', tamper: remove(stateKey('a')), says: /the checkpoint has lost entries/ },
  { title: 'an earlier entry of the checkpoint is back', tamper: revive(stateKey('a')), says: /old ones have come back/ },
  { title: 'a removed entry of the checkpoint is back', tamper: revive(stateKey('b')), says: /old ones have come back/ },
  { title: 'the first slot that was not trimmed is gone', tamper: remove(logKey(21)), says: /slot 21 of the log is missing/ },
  { title: 'a trimmed slot is back', tamper: revive(logKey(20)), says: /slot 20 of the log has come back/ },
  { title: 'the owner is gone', tamper: remove(OWNER_KEY), says: /the record of the owner is missing/ },
  {
    title: 'a key that nobody wrote',
    tamper: (db) => db.put(Buffer.from('x'), Buffer.from('y')),
    says: /the key 78 is not one of ours/,
  },
  {
    title: 'a single record that nobody wrote',
    tamper: (db) => db.put(Buffer.from('mx'), seal(Buffer.from('mx'), Buffer.from('y'))),
    says: /the key 6d78 is not one of ours/,
  },
  {
    title: 'a changed byte in a value',
    tamper: async (db) => {
      const [record] = await db.getMany([logKey(22)])
      assert.ok(record !== undefined)
      record[12] = (record[12] ?? 0) ^ 1
      await db.put(logKey(22), record)
    },
    says: /slot 22 of the log does not match its checksum/,
  },
  {
    title: 'a good value under the key of another',
    tamper: async (db) => {
      const [record] = await db.getMany([logKey(22)])
      assert.ok(record !== undefined)
      await db.put(logKey(24), record)
    },
    says: /slot 24 of the log does not match its checksum/,
  },
  {
    title: 'a value cut short',
    tamper: (db) => db.put(stateKey('a'), Buffer.from([1, 2])),
    says: /the checkpoint's entry "a" is cut short/,
  },
]

for (const [i, { title, tamper, says }] of cases.entries()) {
  test(`a start is refused when ${title}`, async () => {
    const directory = join(root, `copy-${i}`)
    const oldDirectory = join(root, `old-${i}`)
    cpSync(template, directory, { recursive: true })
    cpSync(earlier, oldDirectory, { recursive: true })
    const db = await openDatabase(join(directory, 'db'), 'existing')
    const old = await openDatabase(join(oldDirectory, 'db'), 'existing')
    await tamper(db, old)
    await Promise.all([db.close(), old.close()])
    await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), (error) => {
      assert.ok(error instanceof Error && 'code' in error)
      assert.equal(error.code, 'DAMAGED')
      assert.match(error.message, says)
      return true
    })
  })
}

const historyCases: typeof cases = [
  { title: 'a history entry is gone', tamper: remove(historyKey('a')), says: /the checkpoint has lost entries/ },
  { title: 'an earlier history entry is back', tamper: revive(historyKey('a')), says: /old ones have come back/ },
  { title: 'a removed history entry is back', tamper: revive(historyKey('b')), says: /old ones have come back/ },
]

for (const { title, tamper, says } of historyCases) {
  test(`a start leaves the history unread, and a check of all of it says that ${title}`, async (t) => {
    const directory = mkdtempSync(join(root, 'history-'))
    for (const [name, from] of [
      ['now', template],
      ['old', earlier],
    ] as const) {
      cpSync(from, join(directory, name), { recursive: true })
    }
    const db = await openDatabase(join(directory, 'now', 'db'), 'existing')
    const old = await openDatabase(join(directory, 'old', 'db'), 'existing')
    t.after(() => Promise.all([db.close(), old.close()]))
    await verify(pagesOf(db), { skipsHistory: false })
    await tamper(db, old)
    await assert.rejects(verify(pagesOf(db), { skipsHistory: false }), { name: 'RecordError', message: says })
    await db.close()
    await (await LevelStorage.open({ directory: join(directory, 'now'), nodeId: 1 })).close()
  })
}

test('a history entry that is damaged is noticed when it is read; the node may go on, as a read must not end it', async () => {
  const directory = mkdtempSync(join(root, 'history-'))
  cpSync(template, directory, { recursive: true })
  const db = await openDatabase(join(directory, 'db'), 'existing')
  await db.put(historyKey('a'), Buffer.from([1, 2, 3, 4, 5, 6]))
  await db.close()
  const storage = await LevelStorage.open({ directory, nodeId: 1 })
  assert.throws(() => storage.readHistory('a'), { code: 'DAMAGED', message: /history entry "a" does not match its checksum/ })
  await storage.append([accepted(40)])
  assert.throws(() => storage.readHistory('a'), { code: 'DAMAGED' })
  await storage.close()
})

test('a record that is damaged is noticed when a checkpoint replaces it, and nothing is written after that', async () => {
  const directory = mkdtempSync(join(root, 'replaced-'))
  cpSync(template, directory, { recursive: true })
  const db = await openDatabase(join(directory, 'db'), 'existing')
  await db.put(historyKey('a'), Buffer.from([1, 2, 3, 4, 5, 6]))
  await db.close()
  const storage = await LevelStorage.open({ directory, nodeId: 1 })
  await assert.rejects(save(storage, 3, 3), { code: 'DAMAGED', message: /history entry "a" does not match its checksum/ })
  await assert.rejects(storage.append([accepted(40)]), { code: 'WRITE_FAILED' })
  await storage.close()
})
