import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { REASONS } from '../../src/api/reasons.js'
import { type CheckpointResponse, type ClusterServiceClient, NodeRole } from '../../src/gen/synod/cluster/v1/cluster.js'
import { Consistency } from '../../src/gen/synod/common/v1/common.js'
import type { BackupPart } from '../../src/host/api.js'
import { BackupReader } from '../../src/server/backup/backup-reader.js'
import { sampleParts } from './backup/sample-backup.js'
import { call, connectTo, failureOf, told } from './client.js'
import { serve } from './server.js'
import { CLUSTER_ID } from './single-member.js'

const NODE_2 = { nodeId: 2, peerAddress: '127.0.0.1:7202', clientAddress: '127.0.0.1:7102' }
const MOVED_2 = { nodeId: 2, peerAddress: '127.0.0.1:8202', clientAddress: '127.0.0.1:8102' }

/** Every response to a Checkpoint call. */
async function checkpoint(cluster: ClusterServiceClient, consistency: Consistency = 0): Promise<CheckpointResponse[]> {
  const responses: CheckpointResponse[] = []
  for await (const response of cluster.checkpoint({ consistency }, new Metadata(), { deadline: Date.now() + 10_000 })) {
    responses.push(response as CheckpointResponse)
  }
  return responses
}

/** A backup of which something has come. Waiting for 'readable' alone would take a refusal for that. */
async function begin(cluster: ClusterServiceClient): Promise<ReturnType<ClusterServiceClient['checkpoint']>> {
  const stream = cluster.checkpoint({ consistency: 0 })
  await new Promise<void>((resolve, reject) => {
    stream.on('error', reject)
    stream.once('readable', () => (stream.readableLength > 0 ? resolve() : undefined))
  })
  return stream
}

/** Why a backup is refused; 'taken' when it is not. */
function refusalOf(cluster: ClusterServiceClient): Promise<string> {
  return checkpoint(cluster).then(
    () => 'taken',
    (error: ServiceError) => told(error).reason,
  )
}

describe('the cluster service', () => {
  it('tells how this node is without asking another', async (t) => {
    const { clients, member } = await serve(t)
    member.failure = 'NO_QUORUM'
    const answer = await call(clients.cluster, 'status', {})
    assert.deepEqual(
      [answer.nodeId, answer.clusterId, answer.leaderId, answer.role, answer.stateDigest],
      [1, CLUSTER_ID, 1, NodeRole.LEADER, '0000beef'],
    )
    assert.deepEqual(answer.ballot, { round: 3, nodeId: 1 })
    assert.match(answer.version, /^\d+\.\d+\.\d+/)
    assert.notEqual(answer.uptime, undefined)
    assert.equal(answer.learning, false)
  })

  it('tells of alarms, the oldest first', async (t) => {
    const { clients, member } = await serve(t)
    assert.deepEqual((await call(clients.cluster, 'status', {})).alarms, [])
    const [code, message, sinceMs] = ['DATA_DAMAGED', 'a row of the history cannot be read', 1_700_000_000_123]
    const tooSmall = { code: 'HEAP_TOO_SMALL', message: 'lower the quota', sinceMs }
    member.alarms.push({ code, message, remedies: [], sinceMs })
    member.alarms.push({ ...tooSmall, remedies: [{ code: 'RAISE_QUOTA' }, { code: 'LOWER_QUOTA', quotaBytes: 7 }] })
    const since = new Date(sinceMs)
    assert.deepEqual((await call(clients.cluster, 'status', {})).alarms, [
      { code, message, since, remedies: [] },
      {
        code: 'HEAP_TOO_SMALL',
        message: 'lower the quota',
        since,
        remedies: [
          { code: 'RAISE_QUOTA', quotaBytes: 0 },
          { code: 'LOWER_QUOTA', quotaBytes: 7 },
        ],
      },
    ])
  })

  it('tells and sets the quota, in the status too, and refuses what is none', async (t) => {
    const { clients } = await serve(t)
    assert.deepEqual((await call(clients.cluster, 'getQuota', { consistency: 0 })).quotaBytes, 0)
    const set = await call(clients.cluster, 'setQuota', { quotaBytes: 5_000_000 })
    assert.equal(set.quotaBytes, 5_000_000)
    const { quotaBytes, stateBytes } = await call(clients.cluster, 'getQuota', { consistency: Consistency.STALE })
    assert.deepEqual([quotaBytes, stateBytes > 0], [5_000_000, true])
    const told = await call(clients.cluster, 'status', {})
    assert.deepEqual([told.quotaBytes, told.stateBytes], [quotaBytes, stateBytes])
    const failure = await failureOf(call(clients.cluster, 'setQuota', { quotaBytes: 0 }))
    assert.equal(failure.code, status.INVALID_ARGUMENT)
    assert.match(failure.message, /quota_bytes: must be 1 to 2\^53 - 1/)
  })

  it('raises the level, tells it and what is known in the status, and why it is not raised', async (t) => {
    const { clients, member } = await serve(t)
    const before = await call(clients.cluster, 'status', {})
    assert.deepEqual([before.level, before.levelMin, before.levelMax], [1, 1, 3])
    const { header, level } = await call(clients.cluster, 'upgrade', { level: 2 })
    assert.deepEqual([header, level], [{ clusterId: CLUSTER_ID, nodeId: 1, slot: 1 }, 2])
    assert.equal((await call(clients.cluster, 'status', {})).level, 2)
    assert.equal((await call(clients.cluster, 'upgrade', { level: 0 })).level, 2)
    member.failure = 'LEVEL_UNKNOWN_TO_MEMBER'
    const failure = await failureOf(call(clients.cluster, 'upgrade', { level: 3 }))
    assert.equal(failure.code, status.FAILED_PRECONDITION)
    member.failure = undefined
    member.isJoined = false
    assert.equal((await failureOf(call(clients.cluster, 'upgrade', { level: 2 }))).code, status.UNAVAILABLE)
  })

  it('lists the members of the latest membership, and how far each learner is', async (t) => {
    const { clients, member } = await serve(t)
    const voter = { nodeId: 1, peerAddress: '127.0.0.1:7201', clientAddress: '127.0.0.1:7101', dataDirId: 'data-1' }
    const unannounced = { announcedPeerAddress: '', announcedClientAddress: '' }
    const self = { ...voter, voter: true, votesFrom: 1, returning: false, ...unannounced, version: '1.0.0', levelMax: 3 }
    const before = await call(clients.cluster, 'listMembers', {})
    assert.deepEqual(before.membership, { epoch: 1, fromSlot: 1, lastNodeId: 1, members: [self], settled: true })
    assert.deepEqual(before.learners, [])

    await call(clients.cluster, 'addMember', NODE_2)
    member.learners.set(2, 17)
    const after = await call(clients.cluster, 'status', {})
    const learner = {
      ...NODE_2,
      voter: false,
      votesFrom: 0,
      returning: false,
      dataDirId: '',
      ...unannounced,
      version: '',
      levelMax: 0,
    }
    assert.deepEqual(after.membership?.members, [self, learner])
    assert.deepEqual(after.learners, [{ nodeId: 2, decidedUpTo: 17 }])
    assert.deepEqual((await call(clients.cluster, 'listMembers', {})).learners, after.learners)
  })

  it('carries changes of the membership out, and says in which slot', async (t) => {
    const { clients, member } = await serve(t)
    const { header, membership } = await call(clients.cluster, 'addMember', NODE_2)
    assert.deepEqual(header, { clusterId: CLUSTER_ID, nodeId: 1, slot: 1 })
    assert.deepEqual([membership?.epoch, membership?.fromSlot, membership?.lastNodeId], [2, 5, 2])
    await call(clients.cluster, 'promoteMember', { nodeId: 2 })
    await call(clients.cluster, 'updateMember', MOVED_2)
    await call(clients.cluster, 'removeMember', { nodeId: 2 })
    assert.deepEqual(member.changes, [
      { kind: 'add', ...NODE_2 },
      { kind: 'promote', nodeId: 2 },
      { kind: 'update', ...MOVED_2 },
      { kind: 'remove', nodeId: 2 },
    ])
    assert.equal((await call(clients.cluster, 'transferLeadership', { nodeId: 0 })).leaderId, 2)
    assert.equal((await call(clients.cluster, 'transferLeadership', { nodeId: 3 })).leaderId, 3)
    assert.deepEqual(member.handedTo, [0, 3])
  })

  it('passes on why a change was refused', async (t) => {
    const { clients, member } = await serve(t)
    const reasons = {
      NODE_ID_USED: status.ALREADY_EXISTS,
      NODE_ID_TOO_HIGH: status.OUT_OF_RANGE,
      ADDRESS_USED: status.ALREADY_EXISTS,
      MEMBER_NOT_FOUND: status.NOT_FOUND,
      NOT_CAUGHT_UP: status.FAILED_PRECONDITION,
      CHANGE_IN_PROGRESS: status.UNAVAILABLE,
      QUORUM_AT_RISK: status.FAILED_PRECONDITION,
      TOO_MANY_MEMBERS: status.FAILED_PRECONDITION,
      DATA_DIR_MISMATCH: status.FAILED_PRECONDITION,
    } as const
    for (const reason of Object.keys(reasons) as (keyof typeof reasons)[]) {
      member.failure = reason
      const failure = await failureOf(call(clients.cluster, 'promoteMember', { nodeId: 2 }))
      assert.deepEqual([failure.code, failure.reason], [reasons[reason], reason])
      assert.equal(REASONS[reason].code, reasons[reason])
    }
  })

  const bad = [
    { name: 'addMember', request: { ...NODE_2, nodeId: 0 }, fields: ['node_id'] },
    { name: 'addMember', request: { ...NODE_2, nodeId: 65_536, peerAddress: '' }, fields: ['node_id', 'peer_address'] },
    { name: 'addMember', request: { ...NODE_2, peerAddress: 'host' }, fields: ['peer_address'] },
    { name: 'addMember', request: { ...NODE_2, clientAddress: 'host:0' }, fields: ['client_address'] },
    { name: 'addMember', request: { ...NODE_2, clientAddress: `${'h'.repeat(252)}:7101` }, fields: ['client_address'] },
    { name: 'addMember', request: { ...NODE_2, clientAddress: NODE_2.peerAddress }, fields: ['client_address'] },
    { name: 'updateMember', request: { ...NODE_2, nodeId: 0, clientAddress: 'host' }, fields: ['node_id', 'client_address'] },
    { name: 'promoteMember', request: { nodeId: 0 }, fields: ['node_id'] },
    { name: 'removeMember', request: { nodeId: 65_536 }, fields: ['node_id'] },
    { name: 'transferLeadership', request: { nodeId: 65_536 }, fields: ['node_id'] },
  ] as const
  for (const { name, request, fields } of bad) {
    it(`refuses ${name} with ${fields.join(' and ')} out of bounds`, async (t) => {
      const { clients, member } = await serve(t)
      const failure = await failureOf(call(clients.cluster, name, request as never))
      assert.deepEqual([failure.code, failure.fields], [status.INVALID_ARGUMENT, fields])
      assert.deepEqual([member.changes, member.handedTo], [[], []])
    })
  }

  it('takes the longest address that it may', async (t) => {
    const { clients } = await serve(t)
    await call(clients.cluster, 'addMember', { ...NODE_2, clientAddress: `${'h'.repeat(251)}:7101` })
  })

  it('streams a backup', async (t) => {
    const { clients, member } = await serve(t)
    member.backupParts = sampleParts
    const responses = await checkpoint(clients.cluster)
    assert.deepEqual(responses[0]?.header, { clusterId: CLUSTER_ID, nodeId: 1, slot: 0 })
    assert.ok(responses.length > 1 && responses.slice(1).every(({ header }) => header === undefined))
    const reader = await BackupReader.open(
      (async function* () {
        for (const { data } of responses) yield data
      })(),
    )
    for await (const _ of reader.parts());
    assert.equal(reader.lastSlot, 10)
  })

  it('has all in a backup that was acknowledged before it was asked for, or fails', async (t) => {
    const { clients, member } = await serve(t)
    member.backupParts = sampleParts
    await checkpoint(clients.cluster)
    assert.equal(member.readIndexCount, 1)
    const failure = (consistency: Consistency = 0) =>
      checkpoint(clients.cluster, consistency).catch((error: ServiceError) => told(error).reason)
    member.failure = 'NO_QUORUM'
    assert.equal(await failure(), 'NO_QUORUM')
    assert.notEqual(await failure(Consistency.STALE), 'NO_QUORUM')
    assert.equal(await failure(7 as Consistency), 'INVALID_ARGUMENT')
    member.failure = undefined
    for (let slot = 1; slot <= 11; slot++) await call(clients.cluster, 'promoteMember', { nodeId: 2 })
    assert.equal(await failure(), 'OVERLOADED')
  })

  it('sends a backup at the pace of who takes it, one to a client and few at once, and ends it when the client goes', async (t) => {
    const { clients, member, server } = await serve(t)
    const [other, third] = [connectTo(server.address), connectTo(server.address)]
    t.after(() => {
      other.close()
      third.close()
    })
    let made = 0
    const returned: (() => void)[] = []
    member.backupParts = async function* () {
      try {
        for await (const part of sampleParts()) if ('header' in part) yield part
        const page: BackupPart = { page: { keys: [], records: [Buffer.alloc(1 << 20)] } }
        for (;;) {
          made++
          yield page
        }
      } finally {
        returned.shift()?.()
      }
    }
    const ended = [1, 2].map(() => new Promise<void>((resolve) => returned.push(resolve)))
    const first = await begin(clients.cluster)
    assert.equal(await refusalOf(clients.cluster), 'OVERLOADED', 'one client leaves room for another')
    const second = await begin(other.cluster)
    assert.equal(await refusalOf(third.cluster), 'OVERLOADED')
    for (const stream of [first, second]) stream.cancel()
    await Promise.all(ended)
    assert.ok(made < 200, `${made} MiB were made for clients that read nothing`)
  })

  it('breaks backups off when the server stops, and says so', async (t) => {
    const { clients, member, server } = await serve(t)
    let onBegun: (() => void) | undefined
    const begun = new Promise<void>((resolve) => {
      onBegun = resolve
    })
    member.backupParts = async function* () {
      for await (const part of sampleParts()) if ('header' in part) yield part
      for (;;) {
        onBegun?.()
        await new Promise((resolve) => setImmediate(resolve))
        yield { page: { keys: [], records: [Buffer.alloc(1_024)] } }
      }
    }
    const failing = checkpoint(clients.cluster).catch((error: ServiceError) => told(error))
    await begun
    await server.drain(5_000)
    const failure = await failing
    assert.equal('reason' in failure && failure.reason, 'STOPPED')
  })
})
