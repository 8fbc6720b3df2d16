import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { DirectoryLock } from '../../src/storage/directory-lock.js'
import { LevelStorage } from '../../src/storage/level-storage.js'

const root = mkdtempSync(join(tmpdir(), 'synod-lock-'))
let directories = 0
after(() => rmSync(root, { recursive: true, force: true }))

function newDirectory(): string {
  const directory = join(root, String(++directories))
  mkdirSync(directory)
  return directory
}

/** A lock file as this process would have written it, but for some of its fields. */
function leaveLock(directory: string, fields: Record<string, unknown>): void {
  const lock = DirectoryLock.acquire(directory)
  const owner = JSON.parse(readFileSync(join(directory, 'lock'), 'utf8')) as Record<string, unknown>
  lock.release()
  writeFileSync(join(directory, 'lock'), JSON.stringify({ ...owner, token: 'left-behind', ...fields }))
}

/** Above the highest that Linux gives. */
const NO_SUCH_PID = 4_194_305
const onLinux = { skip: existsSync('/proc/self/stat') ? false : 'needs /proc' }

describe('a lock whose owner is surely dead is taken over', () => {
  const cases: readonly { title: string; fields: Record<string, unknown>; skip: { skip: string | boolean } }[] = [
    { title: 'no process has its id', fields: { pid: NO_SUCH_PID }, skip: { skip: false } },
    { title: 'this process has its id, and does not hold it', fields: {}, skip: { skip: false } },
    { title: 'another process has its id by now', fields: { pid: process.ppid, startedAt: '1' }, skip: onLinux },
    { title: 'the machine was started again since', fields: { pid: process.ppid, bootId: 'earlier' }, skip: onLinux },
  ]
  for (const { title, fields, skip } of cases) {
    test(title, skip, () => {
      const directory = newDirectory()
      leaveLock(directory, fields)
      DirectoryLock.acquire(directory).release()
      assert.deepEqual(readdirSync(directory), [])
    })
  }
})

describe('a lock whose owner may live is left alone', () => {
  const cases: readonly { title: string; fields: Record<string, unknown>; says: RegExp }[] = [
    { title: 'a living process has its id', fields: { pid: process.ppid, startedAt: '' }, says: /in use by process \d+ on / },
    {
      title: 'it was taken on another host',
      fields: { hostname: 'elsewhere' },
      says: /on elsewhere.*if it is surely gone, remove/,
    },
    { title: 'it cannot be read', fields: { pid: 'none' }, says: /in use by another process/ },
  ]
  for (const { title, fields, says } of cases) {
    test(title, () => {
      const directory = newDirectory()
      leaveLock(directory, fields)
      const before = readFileSync(join(directory, 'lock'), 'utf8')
      assert.throws(() => DirectoryLock.acquire(directory), { code: 'LOCKED', message: says })
      assert.deepEqual(readdirSync(directory), ['lock'])
      assert.equal(readFileSync(join(directory, 'lock'), 'utf8'), before)
    })
  }

  test('this very process holds it: the storage that is open stays usable', async () => {
    const directory = newDirectory()
    const storage = await LevelStorage.open({ directory, nodeId: 1 })
    for (let i = 0; i < 2; i++) await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), { code: 'LOCKED' })
    await storage.append([{ kind: 'promised', ballot: 65_537 }])
    await storage.close()
    await (await LevelStorage.open({ directory, nodeId: 1 })).close()
  })
})

describe('a directory that cannot be written is refused', () => {
  test('a file stands in its place, or above it', async () => {
    const file = join(newDirectory(), 'file')
    writeFileSync(file, '')
    for (const directory of [file, join(file, 'below')]) {
      await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), {
        code: 'NOT_WRITABLE',
        message: /cannot be used: .*name another directory/,
      })
    }
  })

  test('this user may not write', { skip: process.getuid?.() === 0 ? 'root may write anywhere' : false }, async () => {
    const directory = newDirectory()
    chmodSync(directory, 0o500)
    await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), { code: 'NOT_WRITABLE', message: /EACCES/ })
    assert.deepEqual(readdirSync(directory), [])
  })
})
