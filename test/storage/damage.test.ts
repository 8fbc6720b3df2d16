import assert from 'node:assert/strict'
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { LogEntry, RecoveredState } from '../../src/paxos/types.js'
import type { StateEntry } from '../../src/replication/state-machine.js'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { maskedCrc32c } from '../../src/storage/leveldb/crc32c.js'
import { checkJournal } from '../../src/storage/leveldb/database.js'
import type { CheckpointInfo } from '../../src/storage/storage.js'
import { StorageError, type StorageErrorCode } from '../../src/storage/storage-error.js'
import { accepted, entriesOf, GENESIS, infoAt } from './samples.js'

// LevelDB opens most of these without a word (and would lose promises and votes). The property throughout: a start is refused with
// what is wrong and a remedy, again and again, or it recovers exactly everything that was acknowledged.

/** Of LevelDB's log format, and of its table format. */
const BLOCK_BYTES = 32_768
const FOOTER_BYTES = 48
const SLOTS = 120

interface Everything {
  readonly dataDirId: string
  readonly recovered: RecoveredState
  readonly log: readonly LogEntry[]
  readonly checkpoint: CheckpointInfo
  readonly state: readonly StateEntry[]
}

const root = mkdtempSync(join(tmpdir(), 'synod-damage-'))
/** Everything in LevelDB's log. */
const inLog = join(root, 'in-log')
/** Everything in table files, and a little more in the log. */
const inTables = join(root, 'in-tables')
let copies = 0
const expected = new Map<string, Everything>()

before(async () => {
  const storage = await LevelStorage.open({ directory: inLog, nodeId: 1 })
  await storage.append([{ kind: 'genesis', genesis: GENESIS }])
  for (let slot = 1; slot <= SLOTS; slot++) {
    await storage.append(
      slot > 3 ? [accepted(slot, undefined, 1_500), { kind: 'decidedUpTo', slot: slot - 3 }] : [accepted(slot)],
    )
    if (slot % 20 === 0) await storage.saveCheckpoint(infoAt(slot - 3), changesAt(slot))
  }
  await storage.close()
  cpSync(inLog, inTables, { recursive: true })
  // An open moves the log into a table file; two more votes go into the new log.
  const again = await LevelStorage.open({ directory: inTables, nodeId: 1 })
  await again.append([accepted(SLOTS + 1)])
  await again.append([accepted(SLOTS + 2)])
  await again.close()
  for (const directory of [inLog, inTables]) expected.set(directory, await readAll(copyOf(directory)))
})

after(() => rmSync(root, { recursive: true, force: true }))

function changesAt(slot: number): StateEntry[] {
  return Array.from({ length: 20 }, (_, i) => ({
    key: `account/${(slot + i) % 50}`,
    value: i === 0 ? undefined : new Uint8Array(50).fill(slot + i),
    keyspace: i % 4 === 3 ? 'history' : 'state',
  }))
}

function copyOf(directory: string): string {
  const copy = join(root, `copy-${++copies}`)
  cpSync(directory, copy, { recursive: true })
  return copy
}

async function readAll(directory: string): Promise<Everything> {
  const storage = await LevelStorage.open({ directory, nodeId: 1 })
  try {
    const { dataDirId, recovered, checkpoint } = storage
    const log = await storage.readLog(1, recovered.decidedUpTo, Number.MAX_SAFE_INTEGER)
    return { dataDirId, recovered, checkpoint, log, state: await entriesOf(storage) }
  } finally {
    await storage.close()
  }
}

/** Asserts that two starts are refused with the code, the problem and the remedy. */
async function assertRefused(directory: string, says: RegExp, code: StorageErrorCode = 'DAMAGED'): Promise<void> {
  for (const start of ['first', 'second']) {
    await assert.rejects(LevelStorage.open({ directory, nodeId: 1 }), (error) => {
      assert.ok(error instanceof StorageError, `the ${start} start: ${String(error)}`)
      assert.equal(error.code, code, `the ${start} start: ${error.message}`)
      assert.match(error.message, says)
      assert.ok(error.message.includes(directory))
      if (code === 'DAMAGED') assert.match(error.message, /must not vote.* repairs itself: .*replace the member/)
      assert.deepEqual(
        error.remedies.map((remedy) => remedy.code),
        code === 'DAMAGED' ? ['REPLACE_MEMBER', 'RECOVER_SURVIVORS'] : [],
      )
      return true
    })
  }
}

async function refusedOrWhole(directory: string, template: string): Promise<'refused' | 'whole'> {
  let found: Everything
  try {
    found = await readAll(directory)
  } catch (error) {
    assert.ok(error instanceof StorageError && error.code === 'DAMAGED', `${directory}: ${String(error)}`)
    await assertRefused(directory, /damaged/)
    return 'refused'
  }
  assert.deepEqual(found, expected.get(template))
  return 'whole'
}

/** Tries one change of a file after another, each on a fresh copy; counts the starts that were refused. */
async function countRefused(template: string, file: string, changes: readonly ((bytes: Buffer) => Buffer)[]): Promise<number> {
  let refused = 0
  for (const change of changes) {
    const directory = copyOf(template)
    const path = join(directory, file)
    writeFileSync(path, change(readFileSync(path)))
    if ((await refusedOrWhole(directory, template)) === 'refused') refused++
    rmSync(directory, { recursive: true })
  }
  return refused
}

function flip(offset: number): (bytes: Buffer) => Buffer {
  return (bytes) => {
    bytes[offset] = (bytes[offset] ?? 0) ^ 0x10
    return bytes
  }
}

function spread(count: number, size: number): number[] {
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * size) / count))
}

function files(template: string, pattern: RegExp): string[] {
  return readdirSync(join(template, 'db'))
    .filter((name) => pattern.test(name))
    .map((name) => join('db', name))
}

function onlyFile(template: string, pattern: RegExp): string {
  const [file, ...others] = files(template, pattern)
  assert.ok(file !== undefined && others.length === 0)
  return file
}

function sizeOf(template: string, file: string): number {
  return statSync(join(template, file)).size
}

test('untouched copies open with everything in them', async () => {
  assert.equal(expected.get(inLog)?.log.length, SLOTS - 3)
  assert.equal(expected.get(inTables)?.recovered.accepted.length, 5)
  assert.deepEqual(await readAll(copyOf(inLog)), expected.get(inLog))
  assert.deepEqual(await readAll(copyOf(inTables)), expected.get(inTables))
})

describe("LevelDB's log", () => {
  test('a bit flipped anywhere is noticed', async () => {
    const log = onlyFile(inLog, /\.log$/)
    const size = sizeOf(inLog, log)
    assert.ok(size > 5 * BLOCK_BYTES)
    const offsets = [0, 3, 5, 6, 7, 20, ...spread(30, size), size - 60, size - 8, size - 1]
    assert.equal(await countRefused(inLog, log, offsets.map(flip)), offsets.length)
  })

  test('a cut at the end of a block, or anywhere, is noticed', async () => {
    const log = onlyFile(inLog, /\.log$/)
    const size = sizeOf(inLog, log)
    const ends = [0, 1, BLOCK_BYTES, 2 * BLOCK_BYTES, 5 * BLOCK_BYTES, ...spread(8, size), size - 100, size - 1]
    const cuts = ends.map((end) => (bytes: Buffer) => bytes.subarray(0, end))
    assert.equal(await countRefused(inLog, log, cuts), cuts.length)
  })

  test('a block of zeros in its place is noticed', async () => {
    const log = onlyFile(inLog, /\.log$/)
    const wiped = [0, 1, 3].map((block) => (bytes: Buffer) => bytes.fill(0, block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
    assert.equal(await countRefused(inLog, log, wiped), wiped.length)
  })

  test('a write that a crash cut off, and was never acknowledged, is no damage', async () => {
    const log = onlyFile(inLog, /\.log$/)
    const header = Buffer.from([1, 2, 3, 4, 200, 0, 1])
    for (const cutOff of [header.subarray(0, 4), header, Buffer.concat([header, Buffer.alloc(100, 7)]), Buffer.alloc(500)]) {
      const directory = copyOf(inLog)
      appendFileSync(join(directory, log), cutOff)
      assert.equal(await refusedOrWhole(directory, inLog), 'whole')
    }
  })

  test('a record that is no write is noticed', async () => {
    const directory = copyOf(inLog)
    const tooSmallForBatch = Buffer.from([0, 0, 0, 0, 3, 0, 1, 7, 7, 7])
    tooSmallForBatch.writeUInt32LE(maskedCrc32c(tooSmallForBatch, 6, tooSmallForBatch.length))
    appendFileSync(join(directory, onlyFile(inLog, /\.log$/)), tooSmallForBatch)
    await assertRefused(directory, /\.log is damaged: the write at byte \d+: it is too small/)
  })

  test('what LevelDB alone finds wrong with it is read in its journal', async () => {
    const journal = join(root, 'LOG')
    await checkJournal(root, journal)
    writeFileSync(journal, 'Recovering log #6\nDelete type=0 #6\n')
    await checkJournal(root, journal)
    appendFileSync(journal, '(ignoring error) 000006.log: dropping 3 bytes; Corruption: log record too small\n')
    await assert.rejects(checkJournal(root, journal), {
      code: 'DAMAGED',
      message: /LevelDB lost records of its log \(it reports: .*dropping 3 bytes/,
    })
  })

  for (const template of [inLog, inTables]) {
    test(`deleted, it is missed (${basename(template)})`, async () => {
      const directory = copyOf(template)
      rmSync(join(directory, onlyFile(template, /\.log$/)))
      await assertRefused(directory, /db.\d+\.log is missing/)
    })

    test(`emptied, it is missed (${basename(template)})`, async () => {
      const directory = copyOf(template)
      truncateSync(join(directory, onlyFile(template, /\.log$/)), 0)
      await assertRefused(
        directory,
        /in its database, the chain of writes is missing|ends with write \d+, but write \d+ was durable/,
      )
    })
  }
})

describe("LevelDB's other files", () => {
  test('a bit flipped in a table file is noticed, or changes nothing that is read', async () => {
    const tables = files(inTables, /\.ldb$/)
    assert.ok(tables.length > 0)
    for (const table of tables) {
      const size = sizeOf(inTables, table)
      const blocksEnd = size - FOOTER_BYTES
      const inBlocks = [...spread(30, blocksEnd), ...spread(6, 200).map((back) => blocksEnd - back)]
      assert.equal(await countRefused(inTables, table, inBlocks.map(flip)), inBlocks.length)
      // Most of the footer is padding that nobody reads.
      const inFooter = spread(12, FOOTER_BYTES).map((offset) => blocksEnd + offset)
      assert.ok((await countRefused(inTables, table, inFooter.map(flip))) > 0)
    }
  })

  test('a table file that a crash left unfinished is no damage', async () => {
    const directory = copyOf(inTables)
    writeFileSync(join(directory, 'db', '000999.ldb'), 'unfinished')
    assert.equal(await refusedOrWhole(directory, inTables), 'whole')
  })

  test('a bit flipped in the manifest is noticed, or changes nothing that is read', async () => {
    const manifest = onlyFile(inTables, /MANIFEST/)
    const offsets = spread(25, sizeOf(inTables, manifest))
    assert.ok((await countRefused(inTables, manifest, offsets.map(flip))) > offsets.length / 2)
  })

  test('a manifest cut short is noticed, or changes nothing that is read', async () => {
    const manifest = onlyFile(inTables, /MANIFEST/)
    const cuts = spread(8, sizeOf(inTables, manifest)).map((end) => (bytes: Buffer) => bytes.subarray(0, end))
    assert.ok((await countRefused(inTables, manifest, cuts)) > cuts.length / 2)
  })

  for (const { name, pattern, says } of [
    { name: 'CURRENT', pattern: /^CURRENT$/, says: /CURRENT is missing/ },
    { name: 'the manifest', pattern: /^MANIFEST/, says: /MANIFEST-\d+ is missing/ },
    { name: 'a table file', pattern: /\.ldb$/, says: /\d+\.ldb is missing/ },
    { name: 'the whole database', pattern: /./, says: /CURRENT is missing/ },
  ]) {
    test(`${name} deleted is noticed`, async () => {
      const directory = copyOf(inTables)
      for (const file of files(inTables, pattern)) rmSync(join(directory, file))
      await assertRefused(directory, says)
    })
  }

  test('the database folder deleted is noticed, and no new one is made', async () => {
    const directory = copyOf(inTables)
    rmSync(join(directory, 'db'), { recursive: true })
    await assertRefused(directory, /db is missing/)
    assert.ok(!readdirSync(directory).includes('db'))
  })

  test('CURRENT that names nothing is noticed', async () => {
    const directory = copyOf(inTables)
    writeFileSync(join(directory, 'db', 'CURRENT'), '')
    await assertRefused(directory, /CURRENT is damaged: it does not name a manifest/)
  })
})

describe('the files beside the database', () => {
  const edits: readonly { name: string; edit: (directory: string) => void; says: RegExp; code?: StorageErrorCode }[] = [
    {
      name: 'identity.json deleted',
      edit: (directory) => rmSync(join(directory, 'identity.json')),
      says: /identity\.json is missing beside .*db/,
    },
    {
      name: 'identity.json and the database deleted',
      edit: (directory) => ['identity.json', 'db'].forEach((name) => rmSync(join(directory, name), { recursive: true })),
      says: /identity\.json is missing beside .*witness/,
    },
    {
      name: 'identity.json with another node id',
      edit: (directory) => editIdentity(directory, (text) => text.replace('"nodeId": 1', '"nodeId": 2')),
      says: /identity\.json does not match its checksum/,
    },
    {
      name: 'identity.json that is not JSON',
      edit: (directory) => editIdentity(directory, (text) => text.slice(0, 20)),
      says: /identity\.json is not JSON/,
    },
    {
      name: 'identity.json that is JSON and nothing else',
      edit: (directory) => editIdentity(directory, () => 'null'),
      says: /identity\.json does not match its checksum/,
    },
    {
      name: 'identity.json of a newer version',
      edit: (directory) => editIdentity(directory, (text) => text.replace('"format": 2', '"format": 3')),
      says: /has format 3; this version knows format 2 only\. Start it with a newer Synod/,
      code: 'UNSUPPORTED_FORMAT',
    },
    {
      name: 'identity.json of a version that was never released',
      edit: (directory) => editIdentity(directory, (text) => text.replace('"format": 2', '"format": 1')),
      says: /has format 1, of a Synod that was never released; .* anew in empty directories/,
      code: 'UNSUPPORTED_FORMAT',
    },
    {
      name: 'the witness deleted',
      edit: (directory) => rmSync(join(directory, 'witness')),
      says: /witness is missing/,
    },
    {
      name: 'the witness emptied',
      edit: (directory) => truncateSync(join(directory, 'witness'), 0),
      says: /witness is unreadable/,
    },
    {
      name: 'both slots of the witness garbled',
      edit: (directory) => {
        const path = join(directory, 'witness')
        writeFileSync(path, flip(12)(flip(4_096 + 12)(readFileSync(path))))
      },
      says: /witness is unreadable/,
    },
  ]
  for (const { name, edit, says, code } of edits) {
    test(`${name}: noticed`, async () => {
      const directory = copyOf(inTables)
      edit(directory)
      await assertRefused(directory, says, code)
    })
  }

  test('one slot of the witness garbled is a torn write: the other still stands', async () => {
    for (const offset of [12, 4_096 + 12]) {
      const directory = copyOf(inTables)
      const path = join(directory, 'witness')
      writeFileSync(path, flip(offset)(readFileSync(path)))
      assert.deepEqual(await readAll(directory), expected.get(inTables))
    }
  })
})

describe('files that do not belong together', () => {
  test('an older copy of the database is noticed', async () => {
    const directory = copyOf(inTables)
    const storage = await LevelStorage.open({ directory, nodeId: 1 })
    await storage.append([accepted(SLOTS + 3)])
    await storage.close()
    rmSync(join(directory, 'db'), { recursive: true })
    cpSync(join(inTables, 'db'), join(directory, 'db'), { recursive: true })
    await assertRefused(directory, /ends with write \d+, but write \d+ was durable.*older copy/)
  })

  test("another node's directory, database or witness is noticed", async () => {
    const directory = copyOf(inTables)
    const other = join(root, 'node-2')
    await (await LevelStorage.open({ directory: other, nodeId: 2 })).close()
    await assertRefused(other, /belongs to node 2, not to node 1/, 'FOREIGN')

    const withOtherWitness = copyOf(inTables)
    cpSync(join(other, 'witness'), join(withOtherWitness, 'witness'))
    await assertRefused(withOtherWitness, /witness is unreadable, or another directory's/)

    rmSync(join(directory, 'db'), { recursive: true })
    cpSync(join(other, 'db'), join(directory, 'db'), { recursive: true })
    await assertRefused(directory, /holds a database of node 2 .* under the identity of node 1/, 'FOREIGN')
  })
})

function editIdentity(directory: string, edit: (text: string) => string): void {
  const path = join(directory, 'identity.json')
  writeFileSync(path, edit(readFileSync(path, 'utf8')))
}
