import assert from 'node:assert/strict'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { genesisRecord } from '../../src/paxos/memberships.js'
import { DirectoryLock } from '../../src/storage/directory/directory-lock.js'
import { setAsideDamaged } from '../../src/storage/directory/set-aside.js'
import { type Diagnosis, diagnose } from '../../src/storage/doctor/diagnose.js'
import type { FindingCode } from '../../src/storage/doctor/findings.js'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { openDatabase } from '../../src/storage/leveldb/database.js'
import { entryKey, logKey } from '../../src/storage/record-keys.js'
import { seal } from '../../src/storage/records.js'
import { accepted, BALLOT, decidedUpTo, entry, GENESIS, HIGHER, infoAt } from './samples.js'

const root = mkdtempSync(join(tmpdir(), 'synod-doctor-'))
/** Node 2's: most of it in tables, the last writes in a log. And as it was before those. */
const healthy = join(root, 'healthy')
const earlier = join(root, 'earlier')
/** Node 3's. */
const other = join(root, 'other')
const SLOTS = 90
let copies = 0

async function makeNode(directory: string, nodeId: number): Promise<void> {
  const storage = await LevelStorage.open({ directory, nodeId })
  await storage.append([{ kind: 'genesis', genesis: GENESIS }])
  for (let slot = 1; slot <= SLOTS; slot++) await storage.append([accepted(slot, BALLOT, 1_000), decidedUpTo(slot - 1)])
  await storage.append([decidedUpTo(SLOTS)])
  const info = { ...infoAt(80), memberships: [genesisRecord(GENESIS)] }
  const entries = Array.from({ length: 50 }, (_, i) => ({ key: `account/${i}`, value: new Uint8Array(100).fill(nodeId) }))
  await storage.saveCheckpoint(info, [
    ...entries.map((each) => ({ ...each, keyspace: 'state' as const })),
    ...entries.slice(0, 30).map((each) => ({ ...each, keyspace: 'history' as const })),
  ])
  await storage.close()
}

before(async () => {
  await makeNode(healthy, 2)
  await makeNode(other, 3)
  const again = await LevelStorage.open({ directory: healthy, nodeId: 2 })
  await again.append([{ kind: 'promised', ballot: HIGHER }])
  await again.close()
  cpSync(healthy, earlier, { recursive: true })
  const last = await LevelStorage.open({ directory: healthy, nodeId: 2 })
  const change = { kind: 'add', nodeId: 4, peerAddress: '127.0.0.1:7204', clientAddress: '' } as const
  const value = { kind: 'membership', epoch: 2, change } as const
  await last.append([{ kind: 'accepted', entry: { ...entry(SLOTS + 1, HIGHER), value } }, decidedUpTo(SLOTS + 1)])
  await last.append([accepted(SLOTS + 2, HIGHER)])
  await last.close()
})

after(() => rmSync(root, { recursive: true, force: true }))

function copyOf(directory: string): string {
  const copy = join(root, `copy-${++copies}`)
  cpSync(directory, copy, { recursive: true })
  return copy
}

function dataDirIdIn(directory: string): string {
  return (JSON.parse(readFileSync(join(directory, 'identity.json'), 'utf8')) as { dataDirId: string }).dataDirId
}

function contentsOf(directory: string): [string, string][] {
  const names = readdirSync(directory, { recursive: true }).map((name) => join(directory, String(name)))
  // A process that reads the file on which it holds a lock loses that lock.
  return names
    .filter((name) => statSync(name).isFile() && !name.endsWith('LOCK'))
    .map((name) => [name, readFileSync(name, 'latin1')])
}

function filesOf(directory: string, pattern: RegExp): string[] {
  const names = readdirSync(join(directory, 'db')).filter((name) => pattern.test(name))
  return names.map((name) => join(directory, 'db', name))
}

function onlyFile(directory: string, pattern: RegExp): string {
  const [file, ...others] = filesOf(directory, pattern)
  assert.ok(file !== undefined && others.length === 0)
  return file
}

function flip(file: string, offset = Math.floor(statSync(file).size / 2)): void {
  const bytes = readFileSync(file)
  bytes[offset] = (bytes[offset] ?? 0) ^ 0x10
  writeFileSync(file, bytes)
}

function codesOf({ findings }: Diagnosis): FindingCode[] {
  return findings.map(({ code }) => code)
}

/** One fault that says what it means and what to do; nothing on disk is changed. */
async function assertFault(directory: string, code: FindingCode, what: RegExp): Promise<Diagnosis> {
  const before = existsSync(directory) ? contentsOf(directory) : []
  const diagnosis = await diagnose(directory)
  assert.deepEqual(existsSync(directory) ? contentsOf(directory) : [], before)
  assert.equal(diagnosis.isHealthy, false)
  const faults = diagnosis.findings.filter(({ kind }) => kind === 'fault')
  assert.deepEqual(faults.map((fault) => fault.code), [code], JSON.stringify(faults)) // biome-ignore format: one line
  for (const fault of faults) {
    assert.match(fault.what, what)
    assert.ok(fault.means !== '' && fault.remedy !== '')
  }
  return diagnosis
}

describe('a healthy directory', () => {
  test('is said to be so, with all that it holds, and is left as it is', async () => {
    const before = contentsOf(healthy)
    const progress: number[] = []
    const { contents, ...rest } = await diagnose(healthy, (done, total) => progress.push(done / total))
    assert.deepEqual(contentsOf(healthy), before)
    assert.equal(progress.at(-1), 1)
    const identity = { dataDirId: dataDirIdIn(healthy), nodeId: 2 }
    const nothing = { holder: undefined, replaces: undefined, setAside: [], findings: [] }
    assert.deepEqual(rest, { directory: healthy, isHealthy: true, identity, lastWrite: contents?.lastWrite, ...nothing })
    assert.ok(contents !== undefined)
    const { membership, log, state, history, lastWrite, ...inventory } = contents
    assert.ok(lastWrite > SLOTS)
    assert.deepEqual(inventory, {
      owner: identity,
      clusterId: GENESIS.clusterId,
      promised: { round: 1, nodeId: 2 },
      decidedUpTo: SLOTS + 1,
      appliedUpTo: 80,
      compactedUpTo: 0,
      level: 3,
      skippedSlots: [2, 5],
      checkpoint: { timeMs: 1_080, stateDigest: 80, generation: 0 },
      incoming: undefined,
      leftOver: { count: 0, bytes: 0 },
    })
    assert.deepEqual([log.count, state.count, history.count], [SLOTS + 2, 50, 30])
    assert.ok(log.bytes > SLOTS * 1_000 && state.bytes > 50 * 100 && history.bytes > 30 * 100)
    // The change was decided above the checkpoint, in the log only.
    assert.deepEqual(membership?.members.map(({ nodeId, votesFrom }) => [nodeId, votesFrom]), [[1, 1], [2, 1], [3, 1], [4, 0]]) // biome-ignore format: one line
  })

  test('that is new, without a cluster', async () => {
    const directory = join(root, 'new')
    await (await LevelStorage.open({ directory, nodeId: 9 })).close()
    const { isHealthy, contents } = await diagnose(directory)
    assert.equal(isHealthy, true)
    assert.deepEqual([contents?.clusterId, contents?.membership, contents?.lastWrite], [undefined, undefined, 1])
  })

  test('that a process holds is read nevertheless', async () => {
    const directory = copyOf(healthy)
    const lock = await DirectoryLock.acquire(directory)
    const { isHealthy, holder, findings, contents } = await diagnose(directory)
    await lock.release()
    assert.deepEqual(holder, { pid: process.pid, hostname: hostname(), isAlive: true })
    assert.equal(isHealthy, true)
    assert.match(findings[0]?.what ?? '', new RegExp(`process ${process.pid} on .* holds the directory`))
    assert.ok(contents !== undefined)
  })

  test('whose last process was killed', async () => {
    const directory = copyOf(healthy)
    await (await DirectoryLock.acquire(directory)).release()
    writeFileSync(join(directory, 'lock', 'holder.json'), JSON.stringify({ pid: process.pid, hostname: 'elsewhere' }))
    const diagnosis = await diagnose(directory)
    assert.equal(diagnosis.isHealthy, true)
    assert.deepEqual(codesOf(diagnosis), ['UNCLEAN_STOP'])
  })

  test('with a checkpoint of a peer that has come in part', async () => {
    const directory = copyOf(healthy)
    const storage = await LevelStorage.open({ directory, nodeId: 2 })
    const source = await LevelStorage.open({ directory: copyOf(other), nodeId: 3 })
    const view = await source.viewCheckpoint()
    assert.ok(view !== undefined)
    const header = { ...view.header, slot: 500, checkpointId: 'later' }
    const incoming = await storage.receiveCheckpoint(header)
    for await (const page of view.pages(undefined, 1_000)) {
      await incoming.add(page)
      break
    }
    await view.close()
    await Promise.all([storage.close(), source.close()])
    const { isHealthy, contents, findings } = await diagnose(directory)
    assert.ok(isHealthy, JSON.stringify(findings))
    assert.equal(contents?.incoming?.slot, 500)
    assert.ok(contents.incoming.received.count > 0 && contents.incoming.received.bytes < contents.incoming.bytesTotal)
    assert.equal(contents.state.count, 50)
    assert.equal(contents.leftOver.count, 0)
  })

  test('with entries of another checkpoint that are still to be deleted', async () => {
    const directory = copyOf(healthy)
    const db = await openDatabase(join(directory, 'db'), 'existing')
    const key = entryKey('state', 1, 'account/1')
    const record = seal(key, Buffer.from('of another checkpoint'))
    await db.put(key, record)
    await db.close()
    const { isHealthy, contents } = await diagnose(directory)
    assert.equal(isHealthy, true)
    assert.deepEqual(contents?.leftOver, { count: 1, bytes: key.length + record.length })
    assert.equal(contents.state.count, 50)
  })

  test('that has taken the place of a damaged one', async () => {
    const directory = copyOf(healthy)
    const replaced = await setAsideDamaged(directory)
    const moved = await diagnose(directory)
    assert.equal(moved.isHealthy, true)
    assert.deepEqual(codesOf(moved), ['REPLACING', 'SET_ASIDE'])
    await (await LevelStorage.open({ directory, nodeId: 2 })).close()
    const { isHealthy, replaces, setAside, contents, findings } = await diagnose(directory)
    assert.equal(isHealthy, true)
    assert.equal(replaces?.dataDirId, replaced.dataDirId)
    assert.deepEqual(setAside.map(({ name, identity }) => [name, identity?.dataDirId]), [['damaged-1', replaced.dataDirId]]) // biome-ignore format: one line
    assert.ok((setAside[0]?.bytes ?? 0) > SLOTS * 1_000)
    assert.equal(contents?.lastWrite, 1)
    assert.match(findings[0]?.what ?? '', /replaces .*damaged-1/)
  })
})

describe('a damaged database', () => {
  const isDamaged = /is damaged: /
  for (const [name, pattern, codes] of [
    ['a table', /\.ldb$/, ['DAMAGED', 'DAMAGED']],
    ['the log', /\.log$/, ['DAMAGED', 'LOST_WRITES']],
    ['the manifest', /^MANIFEST/, ['DAMAGED', 'DAMAGED']],
  ] as const) {
    test(`${name} with a bit flipped, cut short, or missing`, async () => {
      for (const template of filesOf(healthy, pattern)) {
        const change = async (edit: (file: string) => void, code: FindingCode, what: RegExp): Promise<void> => {
          const directory = copyOf(healthy)
          const file = template.replace(healthy, directory)
          edit(file)
          await assertFault(directory, code, what)
        }
        await change((file) => flip(file, 20), codes[0], isDamaged)
        await change(
          (file) => truncateSync(file, Math.floor(statSync(file).size / 2)),
          codes[1],
          /damaged: |LevelDB's log was cut/,
        )
        await change((file) => rmSync(file), 'DAMAGED', / is missing$/)
      }
    })
  }

  test('CURRENT garbled or missing, or the whole folder', async () => {
    const garbled = copyOf(healthy)
    writeFileSync(join(garbled, 'db', 'CURRENT'), 'nothing\n')
    await assertFault(garbled, 'DAMAGED', /CURRENT is damaged: it does not name a manifest/)
    const missing = copyOf(healthy)
    rmSync(join(missing, 'db', 'CURRENT'))
    await assertFault(missing, 'DAMAGED', /CURRENT is missing/)
    const empty = copyOf(healthy)
    rmSync(join(empty, 'db'), { recursive: true })
    await assertFault(empty, 'DAMAGED', /db is missing/)
  })

  test('every damaged file is named, with the byte', async () => {
    const directory = copyOf(healthy)
    const files = [...filesOf(directory, /\.ldb$/), onlyFile(directory, /\.log$/)]
    assert.ok(files.length >= 2)
    for (const file of files) flip(file, 20)
    const { findings, contents } = await diagnose(directory)
    assert.equal(contents, undefined)
    assert.equal(findings.length, files.length)
    for (const file of files) {
      const found = findings.find(({ what }) => what.startsWith(file))
      assert.match(found?.what ?? '', /at byte \d+/)
      assert.match(
        found?.remedy ?? '',
        /start the node: it keeps these files in a folder damaged-<n>, and learns all from the others/,
      )
    }
  })

  test('with good files, but a record that is missing or changed, in the history, too', async () => {
    for (const [key, says] of [
      [logKey(2), /in the database, slot 2 of the log is missing/],
      [entryKey('state', 0, 'account/7'), /the checkpoint has lost entries/],
      [entryKey('history', 0, 'account/7'), /the checkpoint has lost entries/],
    ] as const) {
      const directory = copyOf(healthy)
      const db = await openDatabase(join(directory, 'db'), 'existing')
      await db.del(key)
      await db.close()
      await assertFault(directory, 'DAMAGED', says)
    }
  })

  test('while a process holds the directory says nothing', async () => {
    const directory = copyOf(healthy)
    flip(onlyFile(directory, /\.log$/), 20)
    const lock = await DirectoryLock.acquire(directory)
    const diagnosis = await assertFault(directory, 'CHANGING', /log is damaged/)
    await lock.release()
    assert.deepEqual(codesOf(diagnosis), ['IN_USE', 'CHANGING'])
  })
})

describe('files that do not belong together', () => {
  test("another node's database, log or table", async () => {
    const database = copyOf(healthy)
    rmSync(join(database, 'db'), { recursive: true })
    cpSync(join(other, 'db'), join(database, 'db'), { recursive: true })
    await assertFault(database, 'FOREIGN', /db is node 3's \(directory .*\), but .* is that of node 2/)
    const log = copyOf(healthy)
    writeFileSync(onlyFile(log, /\.log$/), readFileSync(onlyFile(other, /\.log$/)))
    assert.equal((await diagnose(log)).isHealthy, false)
    const table = copyOf(healthy)
    const again = copyOf(other)
    await (await LevelStorage.open({ directory: again, nodeId: 3 })).close()
    const [mine, others] = [filesOf(table, /\.ldb$/)[0], filesOf(again, /\.ldb$/)[0]]
    assert.ok(mine !== undefined && others !== undefined)
    writeFileSync(mine, readFileSync(others))
    assert.equal((await diagnose(table)).isHealthy, false)
  })

  test('an older copy of the database', async () => {
    const directory = copyOf(healthy)
    rmSync(join(directory, 'db'), { recursive: true })
    cpSync(join(earlier, 'db'), join(directory, 'db'), { recursive: true })
    const { findings } = await assertFault(directory, 'LOST_WRITES', /ends with write \d+, but write \d+ was durable/)
    assert.match(findings[0]?.remedy ?? '', /a newer copy of the whole directory/)
  })

  test("the witness missing, emptied, or another node's", async () => {
    for (const [edit, says] of [
      [(witness: string) => rmSync(witness), /witness is missing/],
      [(witness: string) => truncateSync(witness, 0), /witness is unreadable/],
      [(witness: string) => cpSync(join(other, 'witness'), witness), /witness is unreadable, or another directory's/],
    ] as const) {
      const directory = copyOf(healthy)
      edit(join(directory, 'witness'))
      const { contents } = await assertFault(directory, 'DAMAGED', says)
      assert.equal(contents?.decidedUpTo, SLOTS + 1, 'the database is whole, and looked at')
    }
  })
})

describe('the identity', () => {
  test('missing or garbled: the database says whose it was', async () => {
    for (const [edit, says] of [
      [(identity: string) => rmSync(identity), /identity\.json is missing beside .*db; its database says that it is node 2's/],
      [(identity: string) => truncateSync(identity, 20), /identity\.json is not JSON; its database says that it is node 2's/],
      [
        (identity: string) => flip(identity, statSync(identity).size - 8),
        /identity\.json .*; its database says that it is node 2's/,
      ],
    ] as const) {
      const directory = copyOf(healthy)
      edit(join(directory, 'identity.json'))
      const { findings } = await assertFault(directory, 'NO_IDENTITY', says)
      assert.deepEqual(findings[0]?.remedies, [{ code: 'REPLACE_MEMBER', nodeId: 2 }])
    }
  })

  test('missing, and the database damaged: the node will not repair that by itself', async () => {
    const directory = copyOf(healthy)
    rmSync(join(directory, 'identity.json'))
    flip(onlyFile(directory, /\.log$/), 20)
    const diagnosis = await diagnose(directory)
    assert.deepEqual(codesOf(diagnosis), ['DAMAGED', 'NO_IDENTITY'])
    for (const { remedy, remedies } of diagnosis.findings) {
      assert.match(remedy, /If it is lost, replace the member/)
      assert.deepEqual(remedies, [{ code: 'REPLACE_MEMBER', nodeId: undefined }])
    }
  })

  test('of another version', async () => {
    const directory = copyOf(healthy)
    const path = join(directory, 'identity.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"format": \d+/, '"format": 99'))
    await assertFault(directory, 'UNSUPPORTED_FORMAT', /has format 99/)
  })

  test("of another node: its files are not this one's", async () => {
    const directory = copyOf(healthy)
    cpSync(join(other, 'identity.json'), join(directory, 'identity.json'))
    const { findings } = await diagnose(directory)
    assert.deepEqual(findings.map(({ code }) => code).toSorted(), ['DAMAGED', 'FOREIGN'])
  })
})

describe('a place without contents', () => {
  test('that is not there, or empty', async () => {
    await assertFault(join(root, 'nowhere'), 'MISSING', /there is no node's data in .*nowhere/)
    assert.ok(!existsSync(join(root, 'nowhere')))
    const empty = join(root, 'empty')
    mkdirSync(empty)
    await assertFault(empty, 'MISSING', /there is no node's data in .*empty/)
  })

  test('that holds those of several nodes', async () => {
    const directory = join(root, 'several')
    cpSync(healthy, join(directory, 'node-2'), { recursive: true })
    cpSync(other, join(directory, 'node-3'), { recursive: true })
    await assertFault(directory, 'MISSING', /there is no node's data in .*several, but in node-2, node-3 within it/)
  })

  test('that a crash left unfinished', async () => {
    const directory = copyOf(healthy)
    cpSync(join(directory, 'identity.json'), join(directory, 'identity.new'))
    rmSync(join(directory, 'identity.json'))
    const diagnosis = await diagnose(directory)
    assert.equal(diagnosis.isHealthy, true)
    assert.deepEqual(codesOf(diagnosis), ['UNFINISHED'])
  })

  test('that is a file', async () => {
    const file = join(root, 'file')
    writeFileSync(file, 'not a directory')
    const diagnosis = await diagnose(file)
    assert.equal(diagnosis.isHealthy, false)
  })
})
