import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { LevelStorage } from '../../src/storage/level-storage.js'
import { openDatabase, WRITE_BUFFER_BYTES } from '../../src/storage/leveldb/database.js'
import { WriteChain } from '../../src/storage/log/write-chain.js'
import { chainKey } from '../../src/storage/record-keys.js'
import { unsealLink } from '../../src/storage/records.js'
import { accepted } from './samples.js'

test('links are trimmed only while those that stay cover the bytes to be kept', () => {
  const chain = new WriteChain({ firstKept: 1, sizes: [10, 10], keptBytesMin: 100 })
  assert.equal(chain.lastNumber, 2)
  for (let number = 3; number <= 10; number++) assert.deepEqual(chain.extend(10), { trimFrom: 1, trimCount: 0 })
  assert.deepEqual(chain.extend(9), { trimFrom: 1, trimCount: 0 })
  assert.deepEqual(chain.extend(1), { trimFrom: 1, trimCount: 1 })
  assert.deepEqual([chain.firstKept, chain.lastNumber], [2, 12])
})

test('a big write trims a bounded number of links, and the next ones the rest', () => {
  const chain = new WriteChain({ firstKept: 1, sizes: Array.from({ length: 100 }, () => 1), keptBytesMin: 100 })
  assert.deepEqual(chain.extend(1_000), { trimFrom: 1, trimCount: 64 })
  assert.deepEqual(chain.extend(1), { trimFrom: 65, trimCount: 36 })
  assert.deepEqual(chain.extend(1), { trimFrom: 101, trimCount: 0 })
  assert.deepEqual([chain.firstKept, chain.lastNumber], [101, 103])
})

test('a chain of very many writes stays numbered without a hole', () => {
  const chain = new WriteChain({ firstKept: 1, sizes: [], keptBytesMin: 3 })
  for (let number = 1; number <= 200_000; number++) {
    const { trimFrom, trimCount } = chain.extend(1)
    assert.equal(trimFrom + trimCount, chain.firstKept)
    assert.deepEqual([chain.lastNumber, chain.firstKept], [number, Math.max(1, number - 2)])
  }
})

test('on disk the links cover more than LevelDB may have to replay, and no more than that for long', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'synod-chain-'))
  try {
    const writes = 80
    const bytes = (6 * WRITE_BUFFER_BYTES) / writes
    let storage = await LevelStorage.open({ directory, nodeId: 1 })
    for (let slot = 1; slot <= writes; slot++) {
      await storage.append([accepted(slot, undefined, bytes), { kind: 'decidedUpTo', slot }])
      if (slot !== writes / 2 && slot !== writes) continue
      await storage.close()
      storage = await LevelStorage.open({ directory, nodeId: 1 })
    }
    assert.equal(storage.recovered.decidedUpTo, writes)
    await storage.close()

    const db = await openDatabase(join(directory, 'db'), 'existing')
    const links = await db.iterator({ gte: chainKey(0), lte: chainKey(1_000) }).all()
    await db.close()
    const covered = links.reduce((sum, [key, record]) => sum + unsealLink(key, record).writeBytes, 0)
    assert.ok(links.length < writes)
    assert.ok(covered >= 4 * WRITE_BUFFER_BYTES && covered < 5 * WRITE_BUFFER_BYTES, String(covered))
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
})
