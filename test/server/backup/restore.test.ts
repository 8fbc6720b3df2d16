import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { BackupPart } from '../../../src/host/api.js'
import { type RestoreTarget, restoreBackup } from '../../../src/server/backup/restore.js'
import { LevelStorage } from '../../../src/storage/level-storage.js'
import { backUp, makeOldNode, OLD_CLUSTER_ID, replay, timeOf } from './old-cluster.js'
import { sampleFile, sampleParts } from './sample-backup.js'

const CLUSTER_ID = '11111111-2222-4333-8444-555555555555'
const MEMBERS = [1, 2].map((nodeId) => ({ nodeId, peerAddress: `n${nodeId}:7201`, clientAddress: `n${nodeId}:7101` }))
const CHECKPOINT = 12
const LAST = 20

async function* atLevel(level: number): AsyncGenerator<BackupPart> {
  for await (const part of sampleParts()) {
    yield 'header' in part ? { header: { ...part.header, level, levelVersion: `${level}.0.0` } } : part
  }
}

describe('a restored backup', () => {
  let root: string
  let file: string
  /** Of the old cluster, by slot. */
  let digests: ReadonlyMap<number, number>
  let nextOut = 0

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'synod-restore-'))
    file = join(root, 'old.synod')
    const whole = join(root, 'whole')
    await makeOldNode(whole, { checkpoint: 1, decided: LAST })
    digests = (await replay(whole, 2)).digests
    await makeOldNode(join(root, 'old'), { checkpoint: CHECKPOINT, decided: LAST })
    await backUp(join(root, 'old'), file)
  })
  after(() => rm(root, { recursive: true }))

  const restore = async (target?: RestoreTarget) => {
    const plan = { clusterId: CLUSTER_ID, members: MEMBERS, out: join(root, `out-${nextOut++}`) }
    return { plan, made: await restoreBackup(file, plan, target) }
  }

  it('is refused at a level that this binary does not know, before anything of it is read', async () => {
    const later = join(root, 'later.synod')
    await writeFile(later, await sampleFile(atLevel(9)))
    const plan = { clusterId: CLUSTER_ID, members: MEMBERS, out: join(root, `out-${nextOut++}`) }
    await assert.rejects(restoreBackup(later, plan), { name: 'HaltError', code: 'UNSUPPORTED_LEVEL', message: /version 9\.0\.0/ })
    assert.deepEqual(readdirSync(plan.out), [])
  })

  it('is a cluster of its own, with the state of the old one after its last slot', async () => {
    const { plan, made } = await restore()
    assert.deepEqual({ slot: made.slot, timeMs: made.timeMs }, { slot: LAST, timeMs: timeOf(LAST) })
    assert.deepEqual(readdirSync(plan.out).toSorted(), ['node-1', 'node-2'])
    const nodes = await Promise.all(made.directories.map(({ nodeId, directory }) => replay(directory, nodeId)))
    for (const node of nodes) {
      assert.equal(node.appliedUpTo, LAST)
      assert.equal(node.stateDigest, digests.get(LAST))
      assert.equal(node.get('key-0'), '15')
      assert.equal(node.get('key-4'), '19')
      const { genesis, promised, accepted, compactedUpTo } = node.storage
      assert.deepEqual([genesis?.clusterId, promised, accepted, compactedUpTo], [CLUSTER_ID, 0, [], LAST])
      assert.deepEqual(genesis, nodes[0]?.storage.genesis)
    }
    const ids = nodes[0]?.storage.genesis?.members.map(({ dataDirId }) => dataDirId) ?? []
    assert.equal(new Set(ids).size, 2)
    for (const [i, { nodeId, directory }] of made.directories.entries()) {
      const storage = await LevelStorage.open({ directory, nodeId })
      assert.equal(storage.dataDirId, ids[i])
      assert.deepEqual(
        storage.checkpoint.memberships.map(({ epoch, fromSlot, members }) => [epoch, fromSlot, members.map((m) => m.votesFrom)]),
        [[1, 1, [1, 1]]],
      )
      await storage.close()
    }
  })

  it('gives a retry of an operation of the old cluster the first result', async () => {
    const { made } = await restore()
    const [first] = made.directories
    const node = await replay(first?.directory ?? '', 1)
    assert.deepEqual(node.retry(3, 'key-3'), { slot: 4, revision: 4n })
    assert.deepEqual(node.retry(LAST - 1, 'key-4'), { slot: LAST, revision: BigInt(LAST) })
  })

  for (const toSlot of [CHECKPOINT, CHECKPOINT + 1, 17, LAST]) {
    it(`stops after slot ${toSlot}`, async () => {
      const { made } = await restore({ toSlot })
      assert.equal(made.slot, toSlot)
      assert.equal(made.stateDigest, digests.get(toSlot))
      const node = await replay(made.directories[1]?.directory ?? '', 2)
      assert.equal(node.get(`key-${(toSlot - 1) % 5}`), String(toSlot - 1))
      assert.equal(node.get(`key-${toSlot % 5}`), String(toSlot - 5))
    })
  }

  it('stops before what came after a time', async () => {
    assert.equal((await restore({ toTimeMs: timeOf(15) })).made.slot, 15)
    assert.equal((await restore({ toTimeMs: timeOf(15) + 999 })).made.slot, 15)
    assert.equal((await restore({ toTimeMs: timeOf(CHECKPOINT) })).made.slot, CHECKPOINT)
  })

  it('cannot be had from outside of the window, which the error names; nothing is left behind then', async () => {
    const window = new RegExp(`any slot from ${CHECKPOINT} to ${LAST}, not to`)
    await assert.rejects(restore({ toSlot: CHECKPOINT - 1 }), window)
    await assert.rejects(restore({ toSlot: LAST + 1 }), window)
    const times = /any time from 2023-11-14T22:13:32\.000Z to 2023-11-14T22:13:40\.000Z, not to/
    await assert.rejects(restore({ toTimeMs: timeOf(CHECKPOINT) - 1 }), times)
    await assert.rejects(restore({ toTimeMs: timeOf(LAST) + 1 }), times)
    for (let i = nextOut - 4; i < nextOut; i++) assert.deepEqual(readdirSync(join(root, `out-${i}`)), [])
  })

  it('is refused under the id of the old cluster, over what is there, and from a damaged file', async () => {
    const out = join(root, 'taken')
    await assert.rejects(restoreBackup(file, { clusterId: OLD_CLUSTER_ID, members: MEMBERS, out }), /needs an id of its own/)
    await mkdir(join(out, 'node-2'), { recursive: true })
    await assert.rejects(restoreBackup(file, { clusterId: CLUSTER_ID, members: MEMBERS, out }), /node-2 is there already/)
    const bytes = await readFile(file)
    bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 1, bytes.length >> 1)
    const damaged = join(root, 'damaged.synod')
    await writeFile(damaged, bytes)
    const plan = { clusterId: CLUSTER_ID, members: MEMBERS, out: join(root, 'none') }
    await assert.rejects(restoreBackup(damaged, plan), /damaged\.synod cannot be used: the frame at byte \d+ is damaged/)
    assert.ok(!existsSync(join(plan.out, 'node-1')))
  })
})
