import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { DirectoryLock, lockHolder } from '../../src/storage/directory/directory-lock.js'
import { LevelStorage } from '../../src/storage/level-storage.js'

const root = mkdtempSync(join(tmpdir(), 'synod-lock-'))
let directories = 0
after(() => rmSync(root, { recursive: true, force: true }))

function newDirectory(): string {
  const directory = join(root, String(++directories))
  mkdirSync(directory)
  return directory
}

/** Holds a directory's lock in a process of its own. */
async function holdElsewhere(directory: string): Promise<{ pid: number; kill: () => Promise<void> }> {
  const url = new URL('../../src/storage/directory/directory-lock.js', import.meta.url).href
  const code = `const { DirectoryLock } = await import(${JSON.stringify(url)})
    await DirectoryLock.acquire(${JSON.stringify(directory)})
    console.log('held')
    setInterval(() => {}, 1_000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  return { pid: child.pid ?? 0, kill }
}

test('what another living process holds is refused, by whatever path; once it was killed, it is taken', async () => {
  const directory = newDirectory()
  const link = join(root, 'link')
  symlinkSync(directory, link)
  const other = await holdElsewhere(directory)
  const says = new RegExp(`in use by process ${other.pid} on `)
  for (const path of [directory, link]) await assert.rejects(DirectoryLock.acquire(path), { code: 'LOCKED', message: says })
  assert.deepEqual(lockHolder(directory)?.isAlive, true)
  // What is said of the holder decides nothing.
  const holder = join(directory, 'lock', 'holder.json')
  for (const text of ['', '{"pid":', JSON.stringify({ pid: 4_194_305, hostname: 'elsewhere' })]) {
    writeFileSync(holder, text)
    await assert.rejects(DirectoryLock.acquire(directory), { code: 'LOCKED' })
  }
  rmSync(holder)
  await assert.rejects(DirectoryLock.acquire(directory), { code: 'LOCKED', message: /in use by another process/ })
  writeFileSync(holder, JSON.stringify({ pid: other.pid, hostname: 'another-container' }))
  await other.kill()
  assert.deepEqual(lockHolder(directory), { pid: other.pid, hostname: 'another-container', isAlive: false })
  await (await DirectoryLock.acquire(directory)).release()
  assert.equal(lockHolder(directory), undefined)
})

describe('within one process', () => {
  test('a second use is refused, and the first stays usable', async () => {
    const directory = newDirectory()
    const storage = await LevelStorage.open({ directory, nodeId: 1 })
    for (let i = 0; i < 2; i++) await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), { code: 'LOCKED' })
    await storage.append([{ kind: 'promised', ballot: 65_537 }])
    await storage.close()
    await (await LevelStorage.open({ directory, nodeId: 1 })).close()
  })

  test('of two at once one gets it, also in a directory that is new', async () => {
    const directory = newDirectory()
    const results = await Promise.allSettled([DirectoryLock.acquire(directory), DirectoryLock.acquire(directory)])
    assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected'])
    for (const result of results) if (result.status === 'fulfilled') await result.value.release()
  })
})

test('what a power cut has left of the lock does not stop a node', async () => {
  const directory = newDirectory()
  await (await DirectoryLock.acquire(directory)).release()
  const folder = join(directory, 'lock')
  const whole = join(root, 'whole')
  cpSync(folder, whole, { recursive: true })
  for (const name of readdirSync(whole)) {
    for (const text of ['', 'garbled\0', undefined]) {
      rmSync(folder, { recursive: true })
      cpSync(whole, folder, { recursive: true })
      if (text === undefined) rmSync(join(folder, name))
      else writeFileSync(join(folder, name), text)
      await (await DirectoryLock.acquire(directory)).release()
    }
  }
  // A file of that name, as an older version had it.
  rmSync(folder, { recursive: true })
  writeFileSync(folder, '{"pid":1')
  await (await DirectoryLock.acquire(directory)).release()
})

test('a lock that is let go in order says nothing of its holder', async () => {
  const directory = newDirectory()
  const lock = await DirectoryLock.acquire(directory)
  assert.equal((JSON.parse(readFileSync(join(directory, 'lock', 'holder.json'), 'utf8')) as { pid: number }).pid, process.pid)
  await lock.release()
  assert.ok(!readdirSync(join(directory, 'lock')).includes('holder.json'))
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
