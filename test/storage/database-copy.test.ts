import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { Random } from '../../src/sim/random.js'
import { OpenDatabase, openDatabase } from '../../src/storage/leveldb/database.js'
import type { DatabaseView } from '../../src/storage/leveldb/database-view.js'

const TAGS = [...Buffer.from('ab')]
const ALL = { tags: TAGS, from: undefined }
const RANGE = { gte: Buffer.from('a'), lt: Buffer.from('c') }
/** Another file system than that of temporary files, on most machines: one that hard links do not reach. */
const ELSEWHERE = '/dev/shm'

let root = ''
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'synod-copy-'))
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

type Records = Map<string, number>

async function open(views = join(root, 'views')): Promise<OpenDatabase> {
  const database = join(root, 'db')
  return new OpenDatabase(await openDatabase(database, 'create'), { directory: root, database, views })
}

async function viewOf(db: OpenDatabase): Promise<DatabaseView> {
  const unfinished = await db.beginView()
  return unfinished.finish()
}

async function recordsIn(view: DatabaseView, range: Parameters<DatabaseView['pages']>[0] = ALL): Promise<Records> {
  const records: Records = new Map()
  for await (const page of view.pages(range))
    for (const [key, record] of page) records.set(key.toString(), record.readUInt32LE(0))
  return records
}

function inOrder(records: Records): Records {
  return new Map([...records].toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
}

/** Some random writes, all noted in `records`. */
async function write(db: OpenDatabase, random: Random, records: Records): Promise<void> {
  const batch = db.batch()
  for (let i = 0; i < 200; i++) {
    const key = `${random.pick(['a', 'b'])}${random.int(0, 400)}`
    if (random.chance(0.3)) {
      batch.del(Buffer.from(key))
      records.delete(key)
    } else {
      const record = Buffer.alloc(random.int(4, 10_000))
      records.set(key, record.writeUInt32LE(random.int(5, 2 ** 31)) && record.readUInt32LE(0))
      batch.put(Buffer.from(key), record)
    }
  }
  await db.write(batch, { sync: false })
}

for (const views of ['on the same file system', 'on another']) {
  const elsewhere = views === 'on another' ? mkdtempIn(ELSEWHERE) : undefined
  const skip = views === 'on another' && elsewhere === undefined ? `${ELSEWHERE} is the same one here` : false

  test(`a view stays as it was, whatever is written and merged, with its files ${views}`, { skip }, async (t) => {
    if (elsewhere !== undefined) t.after(() => rmSync(elsewhere, { recursive: true, force: true }))
    const random = new Random(7)
    const folder = elsewhere ?? join(root, 'views')
    const db = await open(folder)
    const records: Records = new Map()
    const kept: { readonly view: DatabaseView; readonly records: Records }[] = []
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 2; i++) await write(db, random, records)
      const merging = random.chance(0.5) ? db.compactRange(RANGE.gte, RANGE.lt) : undefined
      const unfinished = await db.beginView()
      await write(db, random, records)
      const view = await unfinished.finish()
      const then = inOrder(records)
      if (round % 8 === 7) kept.push({ view, records: then })
      else {
        assert.deepEqual(await recordsIn(view), then)
        await view.close()
      }
      await merging
    }
    for (const { view, records: then } of kept) {
      assert.deepEqual(await recordsIn(view), then)
      const from = [...then.keys()][300] ?? ''
      const rest = await recordsIn(view, { tags: TAGS.slice(-1), from: Buffer.from(from) })
      assert.ok(rest.size < then.size)
      assert.deepEqual(
        [...rest].filter(([key]) => key >= from),
        [...then].filter(([key]) => key >= from && key.startsWith('b')),
      )
    }
    assert.equal(readdirSync(folder).length, kept.length)
    assert.equal(statSync(folder).mode & 0o077, 0)
    await db.close()
    assert.equal(existsSync(folder), false)
  })
}

function mkdtempIn(folder: string): string | undefined {
  const isElsewhere = existsSync(folder) && statSync(folder).dev !== statSync(tmpdir()).dev
  return isElsewhere ? mkdtempSync(join(folder, 'synod-copy-')) : undefined
}

test('a view that cannot be made leaves nothing and hinders nobody', async () => {
  writeFileSync(join(root, 'views'), 'a file in the place of the folder')
  const db = await open()
  await assert.rejects(db.beginView(), { code: 'EEXIST' })
  rmSync(join(root, 'views'))
  const records: Records = new Map()
  await write(db, new Random(1), records)
  const view = await viewOf(db)
  assert.deepEqual(await recordsIn(view), inOrder(records))
  await db.close()
})

test('a read by a snapshot and a write never overlap', async () => {
  const db = await open()
  const batch = db.batch()
  batch.put(Buffer.from('a'), Buffer.from('record'))
  const unfinished = await db.beginView()
  const says = /a read by a snapshot never overlaps a write/
  const writing = db.write(batch, { sync: true })
  await assert.rejects(db.firstKeys(RANGE, 1), says)
  await assert.rejects(unfinished.finish(), says)
  await writing
  const reading = db.firstKeys(RANGE, 1)
  await assert.rejects(db.write(db.batch(), { sync: true }), says)
  assert.deepEqual(await reading, [Buffer.from('a')])
  const finishing = unfinished.finish()
  await assert.rejects(db.write(db.batch(), { sync: true }), says)
  await finishing
  await db.close()
})
