import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createContents, creationSteps, pathsIn } from '../../src/storage/directory/data-directory.js'
import { type Contents, verify } from '../../src/storage/doctor/verify.js'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { readDatabase } from '../../src/storage/leveldb/read-database.js'
import { fillReceiver, fillSender, INSTALLED } from './conformance-receiving.js'
import { accepted, accounts, entriesOf, entry } from './samples.js'

const root = mkdtempSync(join(tmpdir(), 'synod-kill-'))
const writerProcess = fileURLToPath(new URL('writer-process.js', import.meta.url))
const receiverProcess = fileURLToPath(new URL('receiver-process.js', import.meta.url))
const running = new Set<ChildProcess>()

after(() => {
  for (const child of running) child.kill('SIGKILL')
  rmSync(root, { recursive: true, force: true })
})

interface Report {
  /** The last slot that was found at the start, or acknowledged later. */
  readonly acknowledged: number
  /** The checkpoints that were acknowledged. */
  readonly saved: readonly number[]
}

/** Starts a process that appends; kills it after so many lines of its report. Gives what it had reported by then. */
async function runAndKill(directory: string, linesBeforeKill: number, whileItRuns?: () => Promise<void>): Promise<Report> {
  let acknowledged = 0
  const saved: number[] = []
  await killAfterLines([writerProcess, directory], linesBeforeKill, async (line, lines) => {
    const [what, slot] = line.split(' ')
    if (what === 'saved') saved.push(Number(slot))
    else acknowledged = Number(slot)
    if (lines === 1) await whileItRuns?.()
  })
  return { acknowledged, saved }
}

/** Starts a script; kills it after so many lines of its output. */
async function killAfterLines(
  script: readonly string[],
  linesBeforeKill: number,
  onLine: (line: string, number: number) => void | Promise<void>,
): Promise<void> {
  const child = spawn(process.execPath, script, { stdio: ['ignore', 'pipe', 'inherit'] })
  running.add(child)
  let lines = 0
  for await (const line of createInterface(child.stdout)) {
    lines += 1
    await onLine(line, lines)
    if (lines === linesBeforeKill) child.kill('SIGKILL')
  }
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  running.delete(child)
  assert.equal(child.signalCode, 'SIGKILL', 'the process was killed; it did not fail')
}

/** Closes it and checks all that its database holds, history included. */
async function verifyAll(storage: LevelStorage, directory: string): Promise<Contents> {
  await storage.close()
  return verify(readDatabase(directory, join(directory, 'db')), { skipsHistory: false })
}

describe('kill -9', () => {
  test('whenever it comes, everything acknowledged is there, and the lock of the dead is taken over', async () => {
    const directory = join(root, 'node')
    const saved: number[] = []
    for (const lines of [1, 2, 3, 9, 20, 47, 101, 60]) {
      const report = await runAndKill(directory, lines)
      saved.push(...report.saved)
      assert.ok(existsSync(join(directory, 'lock')), 'a killed process leaves its lock')
      const storage = await LevelStorage.open({ directory, nodeId: 1 })
      const { recovered, checkpoint } = storage
      const [open, ...others] = recovered.accepted
      const lastSlot = open?.slot ?? 0
      assert.deepEqual([open, others], [lastSlot === 0 ? undefined : entry(lastSlot, undefined, 2_000), []])
      assert.ok(lastSlot >= report.acknowledged, `slot ${report.acknowledged} was acknowledged, the last one is ${lastSlot}`)
      assert.equal(recovered.decidedUpTo, Math.max(0, lastSlot - 1))
      assert.ok(checkpoint.stateDigest >= (saved.at(-1) ?? 0), 'the last checkpoint that was acknowledged is there')
      const keys = new Set((await entriesOf(storage)).map(({ key }) => key))
      assert.ok(saved.every((slot) => keys.has(`entry/${slot}`)))
      const log = await storage.readLog(1, recovered.decidedUpTo, Number.MAX_SAFE_INTEGER)
      assert.deepEqual(
        log,
        log.map((_, i) => entry(i + 1, undefined, 2_000)),
      )
      assert.equal(log.length, recovered.decidedUpTo)
      await storage.close()
      assert.ok(!existsSync(join(directory, 'lock', 'holder.json')), 'a closed storage is held by nobody')
    }
  })

  test('while it receives a checkpoint, or writes one in pieces, there is the one before or the one after', async () => {
    const directory = join(root, 'receiver')
    const senderDirectory = join(root, 'sender')
    const sender = await LevelStorage.open({ directory: senderDirectory, nodeId: 2 })
    await fillSender(sender)
    await sender.close()
    const first = await LevelStorage.open({ directory, nodeId: 1 })
    await fillReceiver(first)
    await first.close()
    let saved = 0
    let isInstalled = false
    for (const lines of [1, 2, 2, 3, 4, 7, 2, 5, 11, 6, 3]) {
      await killAfterLines([receiverProcess, directory, senderDirectory], lines, (line) => {
        if (line.startsWith('saved')) saved = Number(line.split(' ')[1])
        if (line.startsWith('installed')) isInstalled = true
      })
      const storage = await LevelStorage.open({ directory, nodeId: 1 })
      const { appliedUpTo } = storage.checkpoint
      assert.ok(appliedUpTo >= saved)
      assert.ok(!isInstalled || appliedUpTo >= INSTALLED.checkpoint.appliedUpTo)
      const entries = await entriesOf(storage)
      if (appliedUpTo === 7) assert.deepEqual(entries.at(-1)?.key, 'own')
      else if (appliedUpTo === INSTALLED.checkpoint.appliedUpTo) assert.deepEqual(entries, INSTALLED.state)
      else {
        assert.deepEqual(
          entries,
          accounts(2_000).map((e) => ({ ...e, value: Uint8Array.of(appliedUpTo % 256) })),
        )
      }
      const db = await verifyAll(storage, directory)
      assert.equal(db.checkpoint.info.appliedUpTo, appliedUpTo)
    }
    // That it was installed need not have been heard: it may have been killed right then.
    assert.ok(saved > INSTALLED.checkpoint.appliedUpTo, `saved up to ${saved}`)
  })

  test('a directory in use by a living process is refused, even when its lock is removed', async () => {
    const directory = join(root, 'in-use')
    await runAndKill(directory, 30, async () => {
      await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), {
        code: 'LOCKED',
        message: /is in use by process \d+ on .*Stop that node first/,
      })
      rmSync(join(directory, 'lock'), { recursive: true })
      await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), {
        code: 'LOCKED',
        message: /is in use by another process/,
      })
    })
    await (await LevelStorage.open({ directory, nodeId: 1 })).close()
  })
})

describe('a crash while a directory is made', () => {
  const stepCount = 4
  for (let done = 0; done <= stepCount; done++) {
    test(`after ${done} of ${stepCount} steps: the next start makes it whole`, async () => {
      const directory = join(root, `made-${done}`)
      mkdirSync(directory)
      const paths = pathsIn(directory)
      const identity = { dataDirId: '00000000-0000-4000-8000-000000000009', nodeId: 1 }
      const steps = creationSteps(paths, identity)
      assert.equal(steps.length, stepCount)
      for (const step of steps.slice(0, done)) await step()
      const storage = await LevelStorage.open({ directory, nodeId: 1 })
      assert.equal(storage.dataDirId === identity.dataDirId, done === stepCount)
      await storage.append([accepted(1)])
      await storage.close()
      assert.ok(!existsSync(paths.draft))
      const again = await LevelStorage.open({ directory, nodeId: 1 })
      assert.equal(again.dataDirId, storage.dataDirId)
      assert.deepEqual(again.recovered.accepted, [entry(1)])
      await again.close()
    })
  }

  test('half a draft of the identity and half a database are made anew', async () => {
    const directory = join(root, 'half')
    const paths = pathsIn(directory)
    mkdirSync(paths.database, { recursive: true })
    writeFileSync(paths.draft, '{"for')
    writeFileSync(join(paths.database, 'CURRENT'), 'MANIFEST-0')
    writeFileSync(paths.witness, 'x')
    await (await LevelStorage.open({ directory, nodeId: 1 })).close()
    assert.match(readFileSync(paths.identity, 'utf8'), /"nodeId": 1/)
  })

  test('a finished directory is never made anew, though its database be gone', async () => {
    const directory = join(root, 'finished')
    mkdirSync(directory)
    const paths = pathsIn(directory)
    await createContents(paths, 1)
    rmSync(paths.database, { recursive: true })
    await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), { code: 'DAMAGED' })
    assert.ok(!existsSync(paths.database))
  })
})
