import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { setAsideDamaged } from '../../src/storage/directory/set-aside.js'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { accepted, decidedSlots, entriesOf, GENESIS, infoAt, state } from './samples.js'

const root = mkdtempSync(join(tmpdir(), 'synod-aside-'))
let count = 0

after(() => rmSync(root, { recursive: true, force: true }))

const open = (directory: string) => LevelStorage.open({ directory, nodeId: 3 })

/** A directory that is found damaged. */
async function damagedDirectory(): Promise<{ directory: string; dataDirId: string }> {
  const directory = join(root, String(++count))
  const storage = await open(directory)
  await storage.append([{ kind: 'genesis', genesis: GENESIS }, ...decidedSlots(5)])
  await storage.saveCheckpoint(infoAt(3), state({ a: [1] }))
  await storage.close()
  damage(directory)
  await assert.rejects(open(directory), { code: 'DAMAGED' })
  return { directory, dataDirId: storage.dataDirId }
}

function damage(directory: string): void {
  const logs = readdirSync(join(directory, 'db')).filter((name) => name.endsWith('.log'))
  for (const name of logs) truncateSync(join(directory, 'db', name), 0)
}

test('a damaged directory is kept beside its replacement, which knows whose place it takes until it is admitted', async () => {
  const { directory, dataDirId } = await damagedDirectory()
  const files = readdirSync(directory)
    .filter((name) => name !== 'lock')
    .toSorted()
  const { asideIn, ...rest } = await setAsideDamaged(directory)
  assert.deepEqual([asideIn, rest.dataDirId, rest.nodeId], ['damaged-1', dataDirId, 3])
  assert.deepEqual(readdirSync(join(directory, asideIn)).toSorted(), files)
  assert.deepEqual(readdirSync(directory).toSorted(), ['damaged-1', 'lock', 'replaces.json'])

  let storage = await open(directory)
  assert.notEqual(storage.dataDirId, dataDirId)
  assert.equal(storage.replacesDataDirId, dataDirId)
  assert.deepEqual([storage.recovered.genesis, await entriesOf(storage)], [undefined, []])
  await storage.append([accepted(1)])
  await storage.close()
  const again = await open(directory)
  assert.deepEqual([again.dataDirId, again.replacesDataDirId], [storage.dataDirId, dataDirId])
  again.noteAdmitted()
  assert.equal(again.replacesDataDirId, '')
  again.noteAdmitted()
  await again.close()
  storage = await open(directory)
  assert.deepEqual([storage.dataDirId, storage.replacesDataDirId], [again.dataDirId, ''])
  await storage.close()
  assert.ok(existsSync(join(directory, 'damaged-1', 'identity.json')))
})

test('a replacement that is damaged before it is admitted is set aside, too, and the id that the members know stays', async () => {
  const { directory, dataDirId } = await damagedDirectory()
  await setAsideDamaged(directory)
  const storage = await open(directory)
  await storage.append([accepted(1)])
  await storage.close()
  damage(directory)
  assert.deepEqual((await setAsideDamaged(directory)).asideIn, 'damaged-2')
  const third = await open(directory)
  assert.equal(third.replacesDataDirId, dataDirId)
  third.noteAdmitted()
  await third.append([accepted(1)])
  await third.close()
  damage(directory)
  const { asideIn, ...rest } = await setAsideDamaged(directory)
  assert.deepEqual([asideIn, rest.dataDirId], ['damaged-3', third.dataDirId])
})

test('setting aside that was interrupted anywhere is finished by the next start, or by setting aside again', async () => {
  const names = ['db', 'identity.json', 'witness']
  for (let done = 0; done <= names.length; done++) {
    for (const finishes of ['start', 'setAside'] as const) {
      const { directory, dataDirId } = await damagedDirectory()
      await setAsideDamaged(directory)
      // As it was when so many of the parts had been moved, and nothing more been done.
      const note = join(directory, 'replaces.json')
      for (const name of names.slice(done)) renameSync(join(directory, 'damaged-1', name), join(directory, name))
      if (done === 0) rmSync(join(directory, 'damaged-1'), { recursive: true })
      writeFileSync(note, unfinished(readFileSync(note, 'utf8')))
      writeFileSync(`${note}.new`, '{"for')
      if (finishes === 'setAside') assert.deepEqual((await setAsideDamaged(directory)).dataDirId, dataDirId)
      const storage = await open(directory)
      assert.equal(storage.replacesDataDirId, dataDirId)
      assert.notEqual(storage.dataDirId, dataDirId)
      await storage.close()
      assert.deepEqual(readdirSync(join(directory, 'damaged-1')).toSorted(), names)
      assert.ok(!existsSync(join(directory, 'damaged-2')))
    }
  }
})

/** The note as it is written before anything is moved; its checksum was worked out by hand from the one that is there. */
function unfinished(text: string): string {
  const note = JSON.parse(text) as Record<string, unknown>
  const { format, dataDirId, nodeId, asideIn } = note
  const checksum = crc32(JSON.stringify([format, dataDirId, nodeId, asideIn, false]))
    .toString(16)
    .padStart(8, '0')
  return JSON.stringify({ ...note, isMoved: false, checksum })
}

test('a directory in use, or without a readable identity, is left as it is', async () => {
  const { directory } = await damagedDirectory()
  const identity = join(directory, 'identity.json')
  const text = readFileSync(identity, 'utf8')
  writeFileSync(identity, text.replace('"nodeId": 3', '"nodeId": 4'))
  await assert.rejects(setAsideDamaged(directory), { code: 'DAMAGED', message: /identity\.json does not match its checksum/ })
  rmSync(identity)
  await assert.rejects(setAsideDamaged(directory), { code: 'DAMAGED', message: /identity\.json is missing/ })
  assert.deepEqual(readdirSync(directory).toSorted(), ['db', 'lock', 'witness'])
  writeFileSync(identity, text)

  const other = join(root, 'in-use')
  const storage = await open(other)
  await assert.rejects(setAsideDamaged(other), { code: 'LOCKED' })
  await storage.close()
  assert.ok(existsSync(join(other, 'db')))
})

test('a note that is damaged is not taken for another', async () => {
  const { directory } = await damagedDirectory()
  await setAsideDamaged(directory)
  const note = join(directory, 'replaces.json')
  const text = readFileSync(note, 'utf8')
  for (const bad of [text.replace('"nodeId": 3', '"nodeId": 2'), text.slice(0, 30), 'null']) {
    writeFileSync(note, bad)
    await assert.rejects(open(directory), {
      code: 'DAMAGED',
      message: /replaces\.json (does not match its checksum|is not JSON)/,
    })
  }
})
