import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cp, mkdtemp, open, readdir, readFile, rmdir, unlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type BackupPart, HaltError, type Member } from '../src/member.js'
import { MemberCluster, Places, until } from './member-cluster.js'

async function codeOf(member: Member): Promise<string> {
  const error = await member.failed
  return error instanceof HaltError ? error.code : error.message
}

const isVoting = (member: Member): boolean => {
  const { role, isLearning, appliedUpTo } = member.status()
  return role !== 'joining' && !isLearning && appliedUpTo > 0
}

/** Flips a bit in the middle of every file of LevelDB's that holds entries. */
async function damage(directory: string): Promise<void> {
  for (const name of await readdir(join(directory, 'db'))) {
    if (!/\.(ldb|log)$/.test(name)) continue
    const path = join(directory, 'db', name)
    const bytes = await readFile(path)
    const at = bytes.length >> 1
    bytes[at] = (bytes[at] ?? 0) ^ 1
    await writeFile(path, bytes)
  }
}

test('a member that is further behind than any log fetches a checkpoint, and goes on', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 5)
  await cluster.stop(3)
  const { decidedUpTo } = cluster.memberOf(1).status()
  await cluster.work(1, 100)
  await until('the logs are trimmed', () => [1, 2].every((id) => cluster.memberOf(id).status().compactedUpTo > decidedUpTo))
  await cluster.start(3)
  assert.match(await cluster.stateAt(1, 2, 3), /^105 commands/)
  assert.ok(cluster.lines.some((line) => line['nodeId'] === 3 && line['msg'] === 'a checkpoint is installed'))
  await cluster.work(3, 30)
  await cluster.stop(1)
  await cluster.work(3, 5)
  assert.match(await cluster.stateAt(2, 3), /^140 commands/)
  await cluster.stop(3)
  await cluster.start(3)
  assert.match(await cluster.stateAt(2, 3), /^140 commands/)
})

test('a transfer goes on where it was when its receiver was stopped in the middle of it, and comes to its end when its sender was', async (t) => {
  const cluster = await MemberCluster.create(t)
  const slow = { transferBytesPerSecondMax: 700_000 }
  await Promise.all([1, 2, 3].map((nodeId) => cluster.start(nodeId, slow)))
  await cluster.work(1, 5)
  await cluster.stop(3)
  for (let i = 0; i < 10; i++) await Promise.all(Array.from({ length: 60 }, () => cluster.work(1, 1, 4_000)))
  await cluster.work(1, 40)
  const told = (msg: string): Record<string, unknown>[] =>
    cluster.lines.filter((line) => line['nodeId'] === 3 && line['msg'] === msg)
  await cluster.start(3)
  await until('some of it is there', () => told('receiving a checkpoint').length === 1)
  await cluster.stop(3)
  await cluster.start(3)
  await until('it goes on', () => told('receiving a checkpoint').length === 2)
  const { from } = told('fetching a checkpoint').at(-1) ?? {}
  await cluster.stop(Number(from))
  await cluster.start(Number(from), slow)
  await until('it is there', () => told('a checkpoint is installed').length === 1)
  const resumed = told('fetching a checkpoint').map((line) => line['isResumed'])
  // A sender that was stopped may have made another checkpoint since.
  assert.deepEqual(resumed.slice(0, 2), [false, true])
  assert.match(await cluster.stateAt(1, 2, 3), /^645 commands/)
})

test('members are added, promoted, led by and removed, while commands go on', async (t) => {
  const cluster = await MemberCluster.create(t, { ports: 5 })
  const [first] = await cluster.startAll()
  await cluster.work(1, 60)
  const over = new AbortController()
  let doneCount = 0
  const working = (async () => {
    for (; !over.signal.aborted; doneCount++) await cluster.work(2, 1)
  })()
  for (const nodeId of [4, 5]) {
    const { peerAddress, clientAddress } = cluster.listing(nodeId)
    const added = await first?.changeMembership({ kind: 'add', nodeId, peerAddress, clientAddress })
    assert.equal(added?.membership.members.find((m) => m.nodeId === nodeId)?.votesFrom, 0)
    const member = await cluster.start(nodeId, {
      join: true,
      members: [...cluster.founders, { nodeId, peerAddress, clientAddress }],
    })
    for (let isPromoted = false; !isPromoted; ) {
      try {
        await cluster.memberOf(2).changeMembership({ kind: 'promote', nodeId })
        isPromoted = true
      } catch (error) {
        assert.equal((error as { code: string }).code, 'NOT_CAUGHT_UP')
        await until('it learns', () => member.status().decidedUpTo > 0)
      }
    }
    await until('it votes', () => isVoting(member))
  }
  assert.equal(await cluster.memberOf(3).transferLeadership(5), 5)
  await cluster.memberOf(5).changeMembership({ kind: 'remove', nodeId: 1 })
  assert.equal(await codeOf(cluster.memberOf(1)), 'REMOVED')
  await cluster.memberOf(5).changeMembership({ kind: 'remove', nodeId: 5 })
  assert.equal(await codeOf(cluster.memberOf(5)), 'REMOVED')
  over.abort()
  await working
  assert.equal(await cluster.stateAt(2, 3, 4), await cluster.stateAt(2))
  assert.ok(doneCount > 0)
  assert.deepEqual(
    cluster
      .memberOf(4)
      .status()
      .membership?.members.map((m) => m.nodeId),
    [2, 3, 4],
  )
  await assert.rejects(
    cluster.memberOf(4).changeMembership({ kind: 'add', nodeId: 5, peerAddress: 'a:1', clientAddress: '' }, { timeoutMs: 5_000 }),
    { code: 'NODE_ID_USED' },
  )
  // What is on its disk says what it is: it stops again, whatever it is told.
  await cluster.memberOf(5).stop()
  const again = await cluster.start(5, { members: [...cluster.founders, cluster.listing(5)] })
  assert.equal(await codeOf(again), 'REMOVED')
})

test('a member finds the others again by its own memory, and needs to be told only who it is itself', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 5)
  await cluster.stop(3)
  const third = await cluster.start(3, { members: cluster.listed.slice(2, 3) })
  await until('it is led', () => third.status().hasQuorum)
  assert.match(await cluster.stateAt(1, 2, 3), /^5 commands/)
})

test('members that have changed places find each other: whoever is met where another is looked for says where that one is', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 3)
  await Promise.all([1, 2, 3].map((nodeId) => cluster.stop(nodeId)))
  for (const nodeId of [1, 2, 3]) {
    const { peerAddress } = cluster.listing((nodeId % 3) + 1)
    const self = { ...cluster.listing(nodeId), peerAddress }
    await cluster.start(nodeId, { listenAddress: peerAddress, members: [self] })
  }
  await cluster.work(1, 3)
  await cluster.stateAt(1, 2, 3)
})

test('a member with a damaged directory sets it aside, learns from the others, and votes again', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 60)
  const { dataDirId } = cluster.memberOf(3).status()
  await cluster.stop(3)
  await cluster.work(1, 30)
  await damage(cluster.pathOf(3))
  const third = await cluster.start(3)
  assert.notEqual(third.status().dataDirId, dataDirId)
  const told = cluster.lines.find((line) => line['nodeId'] === 3 && line['dataDirId'] === dataDirId && 'keptIn' in line)
  assert.match(String(told?.['keptIn']), /n3\/damaged-1$/)
  assert.ok((await readdir(String(told?.['keptIn']))).includes('db'))
  await until('it votes again', () => isVoting(third))
  await cluster.stop(1)
  await cluster.work(3, 5)
  assert.match(await cluster.stateAt(2, 3), /^95 commands/)
  await cluster.stop(3)
  await cluster.start(3)
  assert.match(await cluster.stateAt(2, 3), /^95 commands/)
})

test('damage is an error where it cannot be mended: without others, when it was not wanted, or when it is not known whose it was', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 60)
  await cluster.stop(3)
  await damage(cluster.pathOf(3))
  await assert.rejects(cluster.start(3, { repairs: false }), { code: 'DAMAGED' })
  await assert.rejects(cluster.start(3, { members: cluster.listed.slice(2, 3) }), { code: 'DAMAGED' })
  await writeFile(join(cluster.pathOf(3), 'identity.json'), '{')
  await assert.rejects(cluster.start(3), { code: 'DAMAGED' })
  assert.ok(!(await readdir(cluster.pathOf(3))).some((name) => name.startsWith('damaged')))
})

test('an older copy of a data directory is refused by what the others remember, and the newest one goes on', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 5)
  await cluster.stop(3)
  const copy = join(cluster.directory, 'copy')
  await cp(cluster.pathOf(3), copy, { recursive: true })
  await cluster.start(3)
  await cluster.work(3, 5)
  await cluster.stop(3)
  // It tells the others how far its directory has got, before anything else.
  const newest = await cluster.start(3)
  await until('it was let in', () => newest.status().hasQuorum)
  await cluster.stop(3)

  const older = await cluster.start(3, { directory: copy })
  assert.equal(await codeOf(older), 'OLDER_COPY')
  assert.match((await older.failed).message, /ends with write \d+, but node [12] was told of its write \d+.*replace this member/)
  await cluster.start(3)
  assert.match(await cluster.stateAt(1, 2, 3), /^10 commands/)
})

test('a member alone does nothing before a majority has said that its directory is the newest', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 5)
  for (const nodeId of [1, 2, 3]) await cluster.stop(nodeId)
  const third = await cluster.start(3)
  await assert.rejects(third.invoke(new Uint8Array(), { timeoutMs: 300 }), { code: 'NO_QUORUM' })
  assert.equal(third.status().role, 'joining')
  await cluster.start(2)
  await cluster.work(3, 1)
  assert.match(await cluster.stateAt(2, 3), /^6 commands/)
})

test('a member whose state has come to differ stops, and the others go on', async (t) => {
  const cluster = await MemberCluster.create(t)
  await Promise.all([cluster.start(1), cluster.start(2), cluster.start(3, { machine: new Places({ faultyAt: 7 }) })])
  await cluster.work(1, 40)
  assert.equal(await codeOf(cluster.memberOf(3)), 'STATE_DIVERGED')
  assert.match((await cluster.memberOf(3).failed).message, /state after slot 20 .* on the nodes 1, 2/)
  await cluster.work(1, 5)
  await cluster.stateAt(1, 2)
})

test('a backup is a checkpoint and the slots after it, without a gap', async (t) => {
  const cluster = await MemberCluster.create(t)
  await cluster.startAll()
  await cluster.work(1, 3)
  const parts: BackupPart[] = []
  for await (const part of cluster.memberOf(2).backup()) parts.push(part)
  const [header] = parts
  assert.ok(header !== undefined && 'header' in header)
  assert.deepEqual(
    parts.map((part) => Object.keys(part)[0]).filter((kind) => kind !== 'page' && kind !== 'entries'),
    ['header', 'end'],
  )
  await cluster.work(1, 50)
  let slot = 0
  for await (const part of cluster.memberOf(2).backup()) {
    if ('header' in part) slot = part.header.slot
    if ('entries' in part) for (const entry of part.entries) assert.equal(entry.slot, ++slot)
  }
  assert.ok(slot >= 53)
})

test('a full disk stops one member and not the others; with space again a restart is all it needs', async (t) => {
  const cluster = await MemberCluster.create(t)
  const disk = await mountSmallDisk(t)
  if (disk === undefined) return
  await Promise.all([cluster.start(1), cluster.start(2), cluster.start(3, { directory: disk })])
  await cluster.work(1, 5)
  const filler = join(disk, 'filler')
  const file = await open(filler, 'w')
  await assert.rejects(
    async () => {
      for (;;) await file.write(new Uint8Array(1 << 16))
    },
    { code: 'ENOSPC' },
  )
  await file.close()
  const third = cluster.memberOf(3)
  for (let i = 0; i < 500 && third.status().hasQuorum; i++) await cluster.work(1, 1, 10_000)
  assert.match((await third.failed).message, /disk .* is full/)
  await cluster.work(1, 5)
  await unlink(filler)
  await cluster.start(3, { directory: disk })
  await cluster.work(3, 1)
  await cluster.stateAt(1, 2, 3)
  assert.ok(!(await readdir(disk)).some((name) => name.startsWith('damaged')), 'nothing had to be repaired')
})

/** A file system of 16 MiB of its own. Where that is not allowed the test is skipped. */
async function mountSmallDisk(t: TestContext): Promise<string | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'synod-small-disk-'))
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', path])
  t.after(async () => {
    if (status === 0) spawnSync('umount', ['-l', path])
    await rmdir(path)
  })
  if (status === 0) return path
  t.skip('a file system of its own needs Linux and root')
  return undefined
}
