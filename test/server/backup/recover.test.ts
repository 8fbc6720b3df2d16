import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { ApplyFailedError } from '../../../src/host/halt-error.js'
import { makeBallot } from '../../../src/paxos/ballot.js'
import { recoverCluster, type Survivors } from '../../../src/server/backup/recover.js'
import { setAsideDamaged } from '../../../src/storage/directory/set-aside.js'
import { LevelStorage } from '../../../src/storage/level-storage.js'
// What is put with this word in it cannot be carried out.
import { setBomb } from '../../support/set-bomb.js'
import { makeOldNode, OLD_CLUSTER_ID, replay, valueOf } from './old-cluster.js'

const PLAN = {
  clusterId: '11111111-2222-4333-8444-555555555555',
  members: [{ nodeId: 7, peerAddress: 'n7:7201', clientAddress: 'n7:7101' }],
}

async function scene(t: TestContext, votes: Parameters<typeof makeOldNode>[1]['votes'] = []) {
  const root = await mkdtemp(join(tmpdir(), 'synod-recover-'))
  t.after(() => rm(root, { recursive: true }))
  const directory = join(root, 'old')
  await makeOldNode(directory, { checkpoint: 5, decided: 8, votes })
  return { directory, plan: { ...PLAN, out: join(root, 'out') } }
}

/** Of every file in a directory but the lock, which says who looked last. */
function digestOf(directory: string): string {
  const hash = createHash('sha256')
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true }).toSorted((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (entry.isFile() && basename(entry.parentPath) !== 'lock')
      hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)))
  }
  return hash.digest('hex')
}

const failsAt9 = (error: unknown): boolean => error instanceof ApplyFailedError && error.failure.slot === 9
const agree = async (): Promise<void> => {}
const refuse = async (): Promise<void> => {
  throw new Error('rather not')
}

setBomb()

describe('a cluster recovered from one survivor', () => {
  it('has what the survivor knows to be decided, and its votes; gaps are empty', async (t) => {
    const { directory, plan } = await scene(t, [9, 11])
    const told: Survivors[] = []
    const made = await recoverCluster([directory], plan, async (survivors) => void told.push(survivors))
    assert.deepEqual(told, [
      {
        clusterId: OLD_CLUSTER_ID,
        nodeIds: [2],
        decidedUpTo: 8,
        votedUpTo: 11,
        missing: [10],
        voterIds: [1, 2, 3],
        damaged: [],
        notLookedAt: [],
      },
    ])
    assert.equal(made.slot, 11)
    const node = await replay(made.directories[0]?.directory ?? '', 7)
    assert.deepEqual(
      [node.appliedUpTo, node.get('key-2'), node.get('key-3'), node.get('key-4'), node.get('key-0')],
      [11, '7', '8', '4', '10'],
    )
    assert.equal(node.storage.genesis?.clusterId, PLAN.clusterId)
    assert.deepEqual(node.retry(10, 'key-0'), { slot: 11, revision: 10n })
  })

  it('has what any of two survivors knows or has voted for, the higher ballot first', async (t) => {
    const { directory, plan } = await scene(t, [9, 10])
    const other = join(plan.out, '../other')
    const later = { slot: 10, ballot: makeBallot(11, 3), value: valueOf(10, 'of the higher ballot') }
    await makeOldNode(other, { checkpoint: 3, decided: 6, votes: [7, 8, later, 12] })
    const told: Survivors[] = []
    const made = await recoverCluster([other, directory], plan, async (survivors) => void told.push(survivors))
    const [{ decidedUpTo, votedUpTo, missing } = assert.fail()] = told
    assert.deepEqual({ decidedUpTo, votedUpTo, missing }, { decidedUpTo: 8, votedUpTo: 12, missing: [11] })
    const node = await replay(made.directories[0]?.directory ?? '', 7)
    assert.deepEqual([node.appliedUpTo, node.get('key-4'), node.get('key-1')], [12, 'of the higher ballot', '11'])
  })

  it('is without a slot that cannot be carried out, if that is said', async (t) => {
    const { directory, plan } = await scene(t, [{ slot: 9, ballot: makeBallot(9, 2), value: valueOf(9, 'a bomb') }, 10])
    await assert.rejects(recoverCluster([directory], plan, agree), failsAt9)
    await assert.rejects(recoverCluster([directory], plan, agree, { skippedSlot: 8 }), failsAt9)
    assert.deepEqual(readdirSync(plan.out), [])
    const before = digestOf(directory)
    const made = await recoverCluster([directory], plan, agree, { skippedSlot: 9 })
    const node = await replay(made.directories[0]?.directory ?? '', 7)
    assert.deepEqual([node.appliedUpTo, node.get('key-3'), node.get('key-4')], [10, '3', '9'])
    assert.equal(digestOf(directory), before)
  })

  it('leaves the survivor as it was', async (t) => {
    const { directory, plan } = await scene(t, [9])
    const before = digestOf(directory)
    await recoverCluster([directory], plan, agree)
    assert.equal(digestOf(directory), before)
  })

  it('is not made without consent, from a directory in use, or from none', async (t) => {
    const { directory, plan } = await scene(t)
    await assert.rejects(recoverCluster([directory], plan, refuse), /rather not/)
    assert.deepEqual(readdirSync(plan.out), [])
    const storage = await LevelStorage.open({ directory, nodeId: 2 })
    await assert.rejects(recoverCluster([directory], plan, agree), { code: 'LOCKED' })
    await storage.close()
    await assert.rejects(recoverCluster([join(directory, 'db')], plan, agree), /is no data directory/)
    await assert.rejects(recoverCluster([directory], { ...plan, clusterId: OLD_CLUSTER_ID }, agree), /needs an id of its own/)
    assert.ok(!existsSync(join(plan.out, 'node-7')))
  })
})

/** LevelDB's newest log. */
function logIn(directory: string): string {
  const [last = assert.fail('there is a log')] = readdirSync(join(directory, 'db'))
    .filter((name) => name.endsWith('.log'))
    .toSorted()
    .toReversed()
  return join(directory, 'db', last)
}

describe('a damaged directory', () => {
  const DAMAGES: Record<string, (directory: string) => void> = {
    'has 50 bytes cut off its log': (directory) => truncateSync(logIn(directory), readFileSync(logIn(directory)).length - 50),
    'has a flipped byte in the last record of its log': (directory) => {
      const log = readFileSync(logIn(directory))
      log[log.length - 20] = (log.at(-20) ?? 0) ^ 1
      writeFileSync(logIn(directory), log)
    },
  }
  for (const [title, damage] of Object.entries(DAMAGES)) {
    it(`that ${title} is recovered from without its last write, and that is told`, async (t) => {
      const { directory, plan } = await scene(t, [9, 10])
      damage(directory)
      await assert.rejects(LevelStorage.open({ directory, nodeId: 2 }), { code: 'DAMAGED' })
      const before = digestOf(directory)
      const told: Survivors[] = []
      const made = await recoverCluster([directory], plan, async (survivors) => void told.push(survivors))
      assert.deepEqual(told[0]?.damaged, [{ nodeId: 2, directory, lostWriteCount: 1 }])
      assert.equal(made.slot, 8, 'both votes were in the last write')
      assert.equal((await replay(made.directories[0]?.directory ?? '', 7)).get('key-2'), '7')
      assert.equal(digestOf(directory), before)
    })
  }

  it('without its log, its witness or its identity is recovered from up to its last table, and nobody knows what is lost', async (t) => {
    const { directory, plan } = await scene(t)
    await (await LevelStorage.open({ directory, nodeId: 2 })).close()
    for (const path of [logIn(directory), join(directory, 'witness'), join(directory, 'identity.json')]) rmSync(path)
    const told: Survivors[] = []
    const made = await recoverCluster([directory], plan, async (survivors) => void told.push(survivors))
    assert.deepEqual(told[0]?.damaged, [{ nodeId: 2, directory, lostWriteCount: undefined }])
    assert.equal(made.slot, 8)
  })

  it('that was set aside is named where it is kept, and told of where it is not', async (t) => {
    const { directory, plan } = await scene(t)
    const damage = DAMAGES['has 50 bytes cut off its log']
    damage?.(directory)
    const { asideIn } = await setAsideDamaged(directory)
    await (await LevelStorage.open({ directory, nodeId: 2 })).close()
    const aside = join(directory, asideIn)
    await assert.rejects(recoverCluster([directory], plan, agree), (error) => {
      assert.ok(String(error).includes(`never been a member of a cluster`), String(error))
      assert.ok(String(error).includes(`is in ${aside}: recover from that`), String(error))
      return true
    })
    const made = await recoverCluster([aside], plan, agree)
    assert.ok(made.slot >= 5)
  })

  it('that has lost more than its end gives nothing, and says which file it is', async (t) => {
    const { directory, plan } = await scene(t)
    await (await LevelStorage.open({ directory, nodeId: 2 })).close()
    const tables = readdirSync(join(directory, 'db')).filter((name) => name.endsWith('.ldb'))
    assert.ok(tables.length > 0)
    for (const name of tables) {
      const bytes = readFileSync(join(directory, 'db', name))
      bytes[10] = (bytes[10] ?? 0) ^ 1
      writeFileSync(join(directory, 'db', name), bytes)
    }
    await assert.rejects(recoverCluster([directory], plan, agree), (error) => {
      assert.match(String(error), /more than its end is damaged \(.*\.ldb is damaged/)
      assert.ok(!String(error).includes('.unfinished-'), String(error))
      return true
    })
  })
})
