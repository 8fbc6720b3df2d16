import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import type { BackupPart } from '../../../src/host/api.js'
import { BackupError } from '../../../src/server/backup/backup-file.js'
import { BackupReader, type BodyPart } from '../../../src/server/backup/backup-reader.js'
import { inspectBackup } from '../../../src/server/backup/inspect.js'
import { HEADER, sampleFile, sampleParts } from './sample-backup.js'

/** In pieces of `size` bytes, as a disk or a network may cut them. */
async function* pieces(bytes: Buffer, size = bytes.length): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size)
}

async function read(bytes: Buffer, size?: number): Promise<{ reader: BackupReader; parts: BodyPart[] }> {
  const reader = await BackupReader.open(pieces(bytes, size))
  const parts: BodyPart[] = []
  for await (const part of reader.parts()) parts.push(part)
  return { reader, parts }
}

/** Of the sample, with `change` made to its parts. */
async function changed(change: (parts: BackupPart[]) => BackupPart[]): Promise<Buffer> {
  const parts: BackupPart[] = []
  for await (const part of sampleParts()) parts.push(part)
  return sampleFile(
    (async function* () {
      yield* change(parts)
    })(),
  )
}

describe('a backup file', () => {
  it('is read as it was written, however it is cut into pieces', async () => {
    const bytes = await sampleFile()
    const expected: BackupPart[] = []
    for await (const part of sampleParts()) expected.push(part)
    for (const size of [1, 7, 100, bytes.length]) {
      const { reader, parts } = await read(bytes, size)
      assert.deepEqual([{ header: reader.head.header }, ...parts], expected)
      assert.deepEqual([reader.lastSlot, reader.position], [10, bytes.length])
    }
  })

  it('that is cut anywhere is refused', async () => {
    const bytes = await sampleFile()
    for (let length = 0; length < bytes.length; length++) {
      await assert.rejects(read(bytes.subarray(0, length)), BackupError, `cut to ${length} bytes`)
    }
  })

  it('with any bit changed, or anything behind its end, is refused', async () => {
    const bytes = await sampleFile()
    for (let i = 0; i < bytes.length; i++) {
      const damaged = Buffer.from(bytes)
      damaged[i] = (damaged[i] ?? 0) ^ (1 << (i % 8))
      await assert.rejects(read(damaged), BackupError, `byte ${i}`)
    }
    await assert.rejects(read(Buffer.concat([bytes, Buffer.of(0)])), /something follows its end/)
  })

  it('of a newer format, or another kind of file, is told apart from a damaged one', async () => {
    const bytes = await sampleFile()
    await assert.rejects(read(Buffer.from('PK and much more of a zip file')), /it is no backup of Synod/)
    bytes.writeUInt32BE(2, 8)
    await assert.rejects(read(bytes), /its format is 2; this version of Synod knows 1/)
  })

  it('whose parts do not belong together is refused, though every checksum is right', async () => {
    const without = (i: number) => changed((parts) => parts.toSpliced(i, 1))
    await assert.rejects(read(await without(1)), /records are not those/)
    await assert.rejects(read(await without(3)), /entries, which has no place there/)
    const swapped = await changed(([header, first, second, ...rest]) => [header, second, first, ...rest] as BackupPart[])
    await assert.rejects(read(swapped), /do not ascend/)
    await assert.rejects(without(4), /no gap/)
    await assert.rejects(read(await changed((parts) => parts.slice(0, 3))), /what its trailer counts is not what it holds/)
    const [one, other] = [await sampleFile(), await sampleFile(sampleParts(), 1_700_000_009_001)]
    const headEnds = one.indexOf('0.1.0') + 9
    const spliced = Buffer.concat([one.subarray(0, headEnds), other.subarray(headEnds)])
    await assert.rejects(read(spliced), /do not match the SHA-256 in its trailer/)
  })

  it('tells what it holds', async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'synod-backup-'))
    t.after(() => rm(directory, { recursive: true }))
    const file = join(directory, 'sample.backup')
    const bytes = await sampleFile()
    await writeFile(file, bytes)
    const { sha256, ...summary } = await inspectBackup(file)
    assert.equal(sha256, createHash('sha256').update(readFileSync(file)).digest('hex'), 'as sha256sum has it')
    assert.deepEqual(summary, {
      clusterId: HEADER.clusterId,
      nodeId: 1,
      version: '0.1.0',
      level: 1,
      madeAtMs: 1_700_000_009_000,
      firstSlot: 7,
      lastSlot: 10,
      firstTimeMs: HEADER.timeMs,
      lastTimeMs: 1_700_000_005_000,
      members: HEADER.memberships[0]?.members,
      records: { movement: 1, account: 2, key: 1, sessions: 1 },
      bytes: bytes.length,
    })
    await writeFile(file, bytes.subarray(0, 200))
    await assert.rejects(inspectBackup(file), new RegExp(`the backup ${file} cannot be used: it was cut`))
    await assert.rejects(inspectBackup(join(directory, 'none')), /the backup .*none cannot be read: ENOENT/)
  })
})
