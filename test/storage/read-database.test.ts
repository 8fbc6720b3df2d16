import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { asyncProperty, assert as check, integer } from 'fast-check'
import { Random } from '../../src/sim/random.js'
import { maskedCrc32c } from '../../src/storage/leveldb/crc32c.js'
import { sequenceAt } from '../../src/storage/leveldb/leveldb-entries.js'
import { readLevelLog } from '../../src/storage/leveldb/leveldb-log.js'
import { type LiveTable, readManifest } from '../../src/storage/leveldb/leveldb-manifest.js'
import { readTable } from '../../src/storage/leveldb/leveldb-table.js'
import { type DatabaseReadOptions, readDatabase } from '../../src/storage/leveldb/read-database.js'
import { StorageError } from '../../src/storage/storage-error.js'
import { compact, FIRST_BYTES, openSmall, pagesOf, writeAtRandom } from './random-writes.js'

const root = mkdtempSync(join(tmpdir(), 'synod-read-'))
const writerProcess = fileURLToPath(new URL('random-writes-process.js', import.meta.url))
let paths = 0

after(() => rmSync(root, { recursive: true, force: true }))

type Rows = readonly (readonly [string, string])[]

function newPath(): string {
  return join(root, `db-${++paths}`)
}

function copyOf(path: string): string {
  const copy = newPath()
  cpSync(path, copy, { recursive: true })
  return copy
}

async function read(path: string, options?: DatabaseReadOptions): Promise<Rows> {
  return rowsIn(readDatabase(root, path, options))
}

async function rowsIn(pages: AsyncIterable<[Buffer, Buffer][]>): Promise<Rows> {
  const rows: [string, string][] = []
  for await (const page of pages) {
    for (const [key, record] of page) rows.push([key.toString('latin1'), record.toString('latin1')])
  }
  return rows
}

/** What LevelDB itself gives. It rewrites its files when it opens. */
async function readByLevel(path: string): Promise<Rows> {
  const db = await openSmall(path)
  try {
    return await rowsIn(pagesOf(db))
  } finally {
    await db.close()
  }
}

function contentsOf(path: string): [string, string][] {
  return readdirSync(path).map((name) => [name, readFileSync(join(path, name), 'latin1')])
}

function files(path: string, pattern: RegExp): string[] {
  return readdirSync(path)
    .filter((name) => pattern.test(name))
    .map((name) => join(path, name))
}

function onlyFile(path: string, pattern: RegExp): string {
  const [file, ...others] = files(path, pattern)
  assert.ok(file !== undefined && others.length === 0)
  return file
}

async function tablesOf(path: string): Promise<readonly LiveTable[]> {
  const { tables } = await readManifest(readFileSync(onlyFile(path, /^MANIFEST/)))
  return tables
}

function tableFile(path: string, { number }: LiveTable): string {
  return join(path, `${String(number).padStart(6, '0')}.ldb`)
}

/** With several tables in several levels, and one log. When LevelDB merges tables is a matter of time. */
async function makeLevels(path: string): Promise<void> {
  const levels = new Set<number>()
  for (let seed = 1; levels.size < 3 || (await tablesOf(path)).length < 5; seed++) {
    const db = await openSmall(path)
    await writeAtRandom(db, new Random(seed))
    if (seed === 2) await compact(db, Buffer.from([0]))
    await db.close()
    const last = await openSmall(path)
    for (let i = 0; i < 3; i++) await last.batch().put(Buffer.from('a last'), Buffer.alloc(100, i)).write()
    await last.close()
    levels.clear()
    for (const { level } of await tablesOf(path)) levels.add(level)
  }
}

describe('what is read', () => {
  test('is what LevelDB gives, whatever was written and however the process ended', async () => {
    const seen = { rows: 0, levels: new Set<number>(), tables: 0, logs: 0 }
    await check(
      asyncProperty(integer({ min: 0, max: 2 ** 31 }), integer({ min: 1, max: 4 }), async (seed, sessions) => {
        const path = newPath()
        for (let i = 0; i < sessions; i++) {
          const db = await openSmall(path)
          await writeAtRandom(db, new Random(seed + i))
          await db.close()
        }
        for (const { level } of await tablesOf(path)) seen.levels.add(level)
        seen.tables += (await tablesOf(path)).length
        seen.logs = Math.max(seen.logs, files(path, /\.log$/).length)
        const found = await read(path)
        const wanted = await read(path, { wanted: (byte) => byte === 0x68 || byte === 0x73 })
        assert.deepEqual(found, await readByLevel(path))
        assert.deepEqual(
          wanted,
          found.filter(([key]) => key.startsWith('h') || key.startsWith('s')),
        )
        seen.rows += found.length
        rmSync(path, { recursive: true })
      }),
      { numRuns: 20 },
    )
    assert.ok(seen.levels.size >= 2 && seen.tables > 20 && seen.logs > 0 && seen.rows > 1_000, JSON.stringify(seen))
  })

  test('is what LevelDB gives after kill -9', async () => {
    const path = newPath()
    for (let seed = 10; seed < 16; seed++) {
      const { signal } = spawnSync(process.execPath, [writerProcess, path, String(seed)], { stdio: 'inherit' })
      assert.equal(signal, 'SIGKILL')
      const found = await read(path)
      assert.ok(found.length > 0)
      assert.deepEqual(found, await readByLevel(copyOf(path)))
    }
  })

  test('is nothing for a database with nothing in it', async () => {
    const path = newPath()
    await (await openSmall(path)).close()
    assert.deepEqual(await read(path), [])
  })

  test('is what LevelDB gives when it has merged tables all the while, and of keys of any length', async () => {
    const path = newPath()
    const random = new Random(1)
    const db = await openSmall(path)
    for (let i = 0; i < 120; i++) {
      const batch = db.batch()
      for (let j = 0; j < 100; j++) batch.put(Buffer.from(`key ${random.int(0, 20_000)}`), Buffer.alloc(1_000, i))
      await batch.write()
    }
    for (const bytes of [0, 1, 8, 127, 128, 60_000, 70_000, 70_001]) await db.put(Buffer.alloc(bytes, 'k'), Buffer.from('long'))
    await compact(db, Buffer.from('key 5'))
    await db.close()
    assert.ok((await tablesOf(path)).filter(({ level }) => level > 0).length > 3)
    assert.deepEqual(await read(path), await readByLevel(path))
  })

  test('comes in pages that are not too big, though everything be deleted or one record huge', async () => {
    const path = newPath()
    const db = await openSmall(path)
    const batch = db.batch()
    for (let i = 0; i < 5_000; i++) batch.put(Buffer.from(`a${i}`), Buffer.alloc(10))
    for (let i = 0; i < 5; i++) batch.put(Buffer.from(`b${i}`), Buffer.alloc(2_000_000, i))
    await batch.write()
    await db.close()
    const sizes: number[] = []
    for await (const page of readDatabase(root, path)) sizes.push(page.length)
    assert.equal(
      sizes.reduce((a, b) => a + b),
      5_005,
    )
    assert.ok(Math.max(...sizes) < 5_000 && sizes.length > 5, String(sizes))
    const emptied = await openSmall(path)
    await emptied.clear()
    await emptied.close()
    assert.deepEqual(await read(path), [])
  })
})

describe('reading', () => {
  let levels = ''
  before(async () => {
    levels = newPath()
    await makeLevels(levels)
  })

  test('changes nothing, and says how far it is', async () => {
    const before = contentsOf(levels)
    const progress: [number, number][] = []
    await read(levels, { onProgress: (...bytes) => progress.push(bytes) })
    assert.deepEqual(contentsOf(levels), before)
    const inTables = (await tablesOf(levels)).reduce((sum, { bytes }) => sum + bytes, 0)
    const total = files(levels, /\.log$/).reduce((sum, file) => sum + statSync(file).size, inTables)
    assert.equal(progress.length, (await tablesOf(levels)).length + 1)
    assert.ok(progress.every(([done, of], i) => of === total && done > (progress[i - 1]?.[0] ?? 0)))
    assert.equal(progress.at(-1)?.[0], total)
  })

  test('lets others have their turn before each page', async () => {
    let turns = 0
    let other = setImmediate(function turn() {
      turns++
      other = setImmediate(turn)
    })
    const turnsBefore: number[] = []
    for await (const _ of readDatabase(root, levels)) turnsBefore.push(turns)
    clearImmediate(other)
    assert.ok(turnsBefore.length > 2)
    assert.ok(
      turnsBefore.every((count, i) => count > (turnsBefore[i - 1] ?? 0)),
      String(turnsBefore),
    )
  })

  test('may end early', async () => {
    for await (const page of readDatabase(root, levels)) {
      assert.ok(page.length > 0)
      break
    }
  })

  test('finds a flipped bit in any table, wanted or not, and says where', async () => {
    const wantings: DatabaseReadOptions[] = [{}, { wanted: () => false }, { wanted: (byte) => byte === FIRST_BYTES[2] }]
    for (const table of await tablesOf(levels)) {
      const copy = copyOf(levels)
      const file = tableFile(copy, table)
      const bytes = readFileSync(file)
      const blocks = readTable(bytes, table)
      const block = blocks[Math.floor(blocks.length / 2)]
      assert.ok(block !== undefined)
      bytes[block.end - 1] = (bytes[block.end - 1] ?? 0) ^ 4
      writeFileSync(file, bytes)
      for (const options of wantings) {
        await assert.rejects(read(copy, options), (error) => {
          assert.ok(error instanceof StorageError && error.code === 'DAMAGED')
          assert.ok(error.message.includes(`${file} is damaged: the block at byte ${block.start} does not match its checksum`))
          return true
        })
      }
    }
  })

  test('finds a table in the place of another, though each of its blocks be good', async () => {
    const copy = copyOf(levels)
    const [one, other] = await tablesOf(copy)
    assert.ok(one !== undefined && other !== undefined)
    writeFileSync(tableFile(copy, one), readFileSync(tableFile(copy, other)))
    await assert.rejects(read(copy), /ldb is damaged: it has \d+ bytes, not \d+/)
    assert.throws(() => readTable(readFileSync(tableFile(levels, other)), one), /its keys are not those that the manifest names/)
  })

  test('finds a write that is none, and says where', async () => {
    for (const [write, says] of [
      [Buffer.from('too small'), /it is too small/],
      [Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7, 1, 97]), /an operation of an unknown kind, 7/],
      [Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 97]), /a number is cut short/],
      [Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 9, 97]), /a field is cut short/],
      [Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 97]), /it holds more operations than its header states/],
    ] as const) {
      const copy = copyOf(levels)
      const log = onlyFile(copy, /\.log$/)
      const logged = readFileSync(log)
      writeFileSync(log, Buffer.concat([logged, framed(write)]))
      await assert.rejects(read(copy, { wanted: () => false }), (error) => {
        assert.ok(error instanceof StorageError && error.code === 'DAMAGED')
        assert.match(error.message, says)
        assert.ok(error.message.includes(`${log} is damaged: the write at byte ${logged.length}: `))
        return true
      })
    }
  })

  test('finds a hole in the middle of a record of the log', () => {
    const block = 32_768
    const log = Buffer.alloc(3 * block)
    const parts = [2, 3, 4].map((type) => framed(Buffer.alloc(block - 7, type), type))
    for (const [i, part] of parts.entries()) part.copy(log, i * block)
    assert.equal([...readLevelLog(log)][0]?.data.length, 3 * (block - 7))
    log.fill(0, block, 2 * block)
    assert.throws(() => [...readLevelLog(log)], /a record is not whole before byte 32768/)
  })

  test('takes the end of a log that a crash cut off for what never was', async () => {
    const copy = copyOf(levels)
    const log = onlyFile(copy, /\.log$/)
    const records = [...readLevelLog(readFileSync(log))]
    const last = records.at(-1)
    assert.ok(last !== undefined && records.length > 1)
    truncateSync(log, last.offset)
    const without = await read(copy)
    for (const end of [last.offset + 3, last.offset + 10, statSync(join(levels, log.slice(copy.length + 1))).size - 1]) {
      const torn = copyOf(levels)
      truncateSync(onlyFile(torn, /\.log$/), end)
      assert.deepEqual(await read(torn), without)
      writeFileSync(onlyFile(torn, /\.log$/), Buffer.concat([readFileSync(log), Buffer.alloc(end)]))
      assert.deepEqual(await read(torn), without)
    }
    assert.deepEqual(without, await readByLevel(copy))
  })

  test('refuses a database in another order of keys', async () => {
    const name = Buffer.from('reverse')
    const edit = framed(Buffer.concat([Buffer.from([1, name.length]), name]))
    await assert.rejects(readManifest(edit), /its keys are in the order reverse, not leveldb\.BytewiseComparator/)
  })
})

test('a sequence number has seven bytes', () => {
  const bytes = Buffer.alloc(8)
  for (const number of [0, 255, 256, 2 ** 23, 2 ** 24, 2 ** 31, 2 ** 47 + 2 ** 40 + 1, 2 ** 53 - 1]) {
    bytes.writeBigUInt64LE(BigInt(number) * 256n)
    assert.equal(sequenceAt(bytes, 1), number)
  }
})

/** A fragment of a log; a whole record unless told otherwise. */
function framed(data: Buffer, type = 1): Buffer {
  const fragment = Buffer.concat([Buffer.alloc(7), data])
  fragment.writeUInt16LE(data.length, 4)
  fragment[6] = type
  fragment.writeUInt32LE(maskedCrc32c(fragment, 6, fragment.length))
  return fragment
}
