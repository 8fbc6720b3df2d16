import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { type ClientReadableStream, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { pino } from 'pino'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { Consistency } from '../../src/gen/synod/common/v1/common.js'
import { GetRequest, ListRequest, PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { type BackupPart, type MemberApi, MemberError, type WaitOptions } from '../../src/host/api.js'
import type { HostedMember } from '../../src/host/hosted-member.js'
import type { Requester } from '../../src/host/requests/requester.js'
import { openOrRepair } from '../../src/host/start/open-member.js'
import { startMember } from '../../src/host/start/start-member.js'
import type { Slot } from '../../src/paxos/types.js'
import { INSECURE } from '../../src/security/security.js'
import { ClientServer } from '../../src/server/grpc-server.js'
import { MemberCluster, until } from '../member-cluster.js'
import { type Clients, call, connectTo } from './client.js'
import { putRequest, SessionClient } from './session-client.js'

const logger = pino({ level: 'silent' })
const PUT = (key: string) => PutRequest.fromPartial({ key, value: new Uint8Array([1]) })

interface Node {
  readonly member: HostedMember
  readonly requester: Requester
  readonly clients: Clients
  /** What the reads that waited for a read index came to. */
  readonly reads: string[]
}

/** Starts node 1 with its services, and a client of it. */
async function startNode(t: TestContext, cluster: MemberCluster): Promise<Node> {
  const machine = new BankAndKeys()
  const listenAddress = cluster.listing(1).peerAddress
  const options = { nodeId: 1, directory: cluster.pathOf(1), listenAddress, members: cluster.founders, machine, logger }
  const { parts, restored } = await openOrRepair(options, INSECURE)
  const member = await startMember(options, parts, restored)
  const reads: string[] = []
  const noting = noteReads(member, reads)
  const server = await ClientServer.start({
    member: noting,
    machine,
    listenAddress: '127.0.0.1:0',
    security: INSECURE,
    logger,
  })
  const clients = connectTo(server.address)
  t.after(async () => {
    clients.close()
    await server.drain(0)
    await server.close()
    await member.stop()
  })
  return { member, requester: restored.requester, clients, reads }
}

/** The member, with what becomes of its reads written down. */
function noteReads(member: MemberApi, reads: string[]): MemberApi {
  const readIndex = async (options?: WaitOptions): Promise<Slot> => {
    try {
      return await member.readIndex(options)
    } catch (error) {
      reads.push(error instanceof MemberError ? error.code : String(error))
      throw error
    }
  }
  return new Proxy(member, {
    get: (target, name) => {
      if (name === 'readIndex') return readIndex
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}

function failureOf(stream: ClientReadableStream<unknown>): Promise<ServiceError> {
  return new Promise((resolve) => stream.on('error', resolve).resume())
}

it('a client that cancels while there is no majority leaves nothing behind, and its commands never take effect', async (t) => {
  const cluster = await MemberCluster.create(t)
  const startOthers = () => Promise.all([2, 3].map((nodeId) => cluster.start(nodeId, { machine: new BankAndKeys() })))
  const [{ member, requester, clients, reads }] = await Promise.all([startNode(t, cluster), startOthers()])
  const session = new SessionClient(clients.session)
  await session.open()
  session.send(1, putRequest(1, 'before'))
  await session.receive(1)

  await Promise.all([cluster.stop(2), cluster.stop(3)])
  await until('no majority is left', () => !member.status().hasQuorum)
  const ends: number[] = []
  const note = (error: ServiceError | null): void => void ends.push(error?.code ?? status.OK)
  const deadline = { deadline: Date.now() + 60_000 }
  const unary = [
    // The member's own session is opened for it first.
    clients.kv.put(PUT('unary'), new Metadata(), deadline, note),
    clients.kv.get(GetRequest.fromPartial({ key: 'before' }), new Metadata(), deadline, note),
    clients.cluster.addMember({ nodeId: 4, peerAddress: 'h:1', clientAddress: 'h:2' }, new Metadata(), deadline, note),
  ]
  const backup = clients.cluster.checkpoint({ consistency: Consistency.LINEARIZABLE })
  const backupEnd = failureOf(backup)
  session.send(2, putRequest(2, 'session'))
  const opening = new SessionClient(clients.session)
  opening.hello()
  await until('all of them wait', () => requester.pendingCount === 3)

  const cancelledMs = performance.now()
  for (const one of unary) one.cancel()
  backup.cancel()
  session.stream.cancel()
  opening.stream.cancel()
  assert.equal((await backupEnd).code, status.CANCELLED)
  await until('nothing is pending', () => requester.pendingCount === 0)
  // What has no deadline of its own ends after 10 s by itself.
  assert.ok(performance.now() - cancelledMs < 5_000)
  await until('the reads are given up', () => reads.length === 2)
  assert.deepEqual(reads, ['CANCELLED', 'CANCELLED'])
  await until('the client has been told', () => ends.length === 3)
  assert.deepEqual(ends, [status.CANCELLED, status.CANCELLED, status.CANCELLED])

  await startOthers()
  await until('a majority is back', () => member.status().hasQuorum)
  await call(clients.kv, 'put', PUT('later'), 20_000)
  const { pairs } = await call(clients.kv, 'list', ListRequest.fromPartial({}), 20_000)
  assert.deepEqual(
    pairs.map(({ key }) => key),
    ['before', 'later'],
  )
  assert.equal(member.status().membership?.members.length, 3)
})

it('a backup is given up where it waits, and not only between two of its parts', async (t) => {
  const cluster = await MemberCluster.create(t)
  const { member } = await startNode(t, cluster)
  const signal = { aborted: false }
  // There is no checkpoint yet, and without a majority none can be made: it waits for one.
  const parts: BackupPart[] = []
  const made = (async () => {
    for await (const part of member.backup({ signal })) parts.push(part)
  })()
  signal.aborted = true
  await assert.rejects(made, { code: 'CANCELLED' })
  assert.deepEqual(parts, [])
})
