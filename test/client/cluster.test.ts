import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { freePorts } from '../../src/cli/ports.js'
import { connect, SynodError } from '../../src/client/client.js'
import type { BackupPart, MemberErrorCode } from '../../src/host/api.js'
import { sampleFile, sampleParts } from '../server/backup/sample-backup.js'
import { serve } from '../server/server.js'

const NODE_2 = { nodeId: 2, peerAddress: '127.0.0.1:7202', clientAddress: '127.0.0.1:7102' }

async function deadEndpoint(): Promise<string> {
  const [port] = await freePorts(1)
  return `127.0.0.1:${port}`
}

async function* onlyHeader(): AsyncGenerator<BackupPart> {
  for await (const part of sampleParts()) if ('header' in part) yield part
}

async function bytesOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = []
  for await (const chunk of chunks) all.push(chunk)
  return Buffer.concat(all)
}

describe("the SDK's cluster", () => {
  it('changes memberships and moves leadership through whichever endpoint answers', async (t) => {
    const { server, member } = await serve(t)
    const { cluster } = connect({ endpoints: [await deadEndpoint(), server.address] })
    const { membership, header } = await cluster.addMember(NODE_2)
    assert.deepEqual([membership.epoch, header.slot], [2, 1])
    await cluster.promoteMember(2)
    await cluster.updateMember({ ...NODE_2, peerAddress: '127.0.0.1:8202' })
    await cluster.removeMember(2)
    assert.deepEqual(
      member.changes.map(({ kind, nodeId }) => [kind, nodeId]),
      [
        ['add', 2],
        ['promote', 2],
        ['update', 2],
        ['remove', 2],
      ],
    )
    assert.equal((await cluster.transferLeadership(3)).leaderId, 3)
    assert.equal((await cluster.listMembers()).membership.members.length, 1)
  })

  it('asks again while what stands in the way may pass, until its deadline', async (t) => {
    const { server, member } = await serve(t)
    const { cluster } = connect({ endpoints: server.address })
    const failures: (MemberErrorCode | undefined)[] = ['CHANGE_IN_PROGRESS', 'NO_QUORUM']
    Object.defineProperty(member, 'failure', { get: () => failures.shift() })
    await cluster.addMember(NODE_2)
    assert.deepEqual([failures.length, member.changes.length], [0, 1])

    Object.defineProperty(member, 'failure', { get: () => 'CHANGE_IN_PROGRESS' })
    const failure = await cluster.promoteMember(2, { timeoutMs: 1_500 }).catch((error: unknown) => error)
    assert.ok(failure instanceof SynodError)
    assert.deepEqual([failure.reason, failure.retrySafe, failure.code], ['CHANGE_IN_PROGRESS', true, 'UNAVAILABLE'])
  })

  it('gives up at once what was refused for good', async (t) => {
    const { server, member } = await serve(t)
    const { cluster } = connect({ endpoints: [server.address, await deadEndpoint()] })
    member.failure = 'NOT_CAUGHT_UP'
    await assert.rejects(cluster.promoteMember(2), { name: 'SynodError', reason: 'NOT_CAUGHT_UP', code: 'FAILED_PRECONDITION' })
    await assert.rejects(cluster.addMember({ ...NODE_2, nodeId: 0 }), { reason: 'INVALID_ARGUMENT' })
    assert.equal(member.timeoutsMs.length, 1)
  })

  it('gives the bytes of a backup, from the first endpoint that has one', async (t) => {
    const { server, member } = await serve(t)
    member.backupParts = sampleParts
    const { cluster } = connect({ endpoints: [await deadEndpoint(), server.address] })
    const bytes = await bytesOf(cluster.backup())
    assert.equal(bytes.length, (await sampleFile()).length)
  })

  it('rejects a backup that breaks off, and one that does not go on', async (t) => {
    const { server, member } = await serve(t)
    const { cluster } = connect({ endpoints: [server.address, server.address.replace('127.0.0.1', 'localhost')] })
    let begunCount = 0
    member.backupParts = async function* () {
      begunCount++
      yield* onlyHeader()
      throw new Error('a disk, say')
    }
    await assert.rejects(bytesOf(cluster.backup()), { reason: 'INTERNAL' })
    assert.equal(begunCount, 1)
    let onCancelled: (() => void) | undefined
    member.backupParts = async function* () {
      yield* onlyHeader()
      await new Promise<void>((resolve) => {
        onCancelled = resolve
      })
    }
    await assert.rejects(bytesOf(cluster.backup({ timeoutMs: 200 })), { code: 'DEADLINE_EXCEEDED' })
    onCancelled?.()
  })
})
