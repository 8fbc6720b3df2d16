import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { status } from '@grpc/grpc-js'
import { pino } from 'pino'
import { freePorts } from '../../src/cli/ports.js'
import { MovementStatus, OpenAccountRequest, TransferRequest } from '../../src/gen/synod/bank/v1/bank.js'
import { Consistency } from '../../src/gen/synod/common/v1/common.js'
import { PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import type { ServerConfig } from '../../src/server/config.js'
import { startServer } from '../../src/server/server.js'
import { type Clients, call, connectTo, failureOf, told } from './client.js'
import { deposit, PUBLIC_KEY } from './server.js'
import { nameOf, putRequest, SessionClient } from './session-client.js'

const logger = pino({ level: 'silent' })

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'synod-server-'))
  t.after(() => rm(directory, { recursive: true, force: true }))
  return directory
}

async function configs(t: TestContext, count: number): Promise<ServerConfig[]> {
  const directory = await temporaryDirectory(t)
  const ports = await freePorts(2 * count)
  const members = Array.from({ length: count }, (_, i) => ({
    nodeId: i + 1,
    peerAddress: `127.0.0.1:${ports[2 * i]}`,
    clientAddress: `127.0.0.1:${ports[2 * i + 1]}`,
  }))
  return members.map(({ nodeId, peerAddress, clientAddress }) => ({
    nodeId,
    dataDirectory: join(directory, `node-${nodeId}`),
    peerListen: peerAddress,
    clientListen: clientAddress,
    members,
    authorities: [{ authorityId: 'mint', publicKey: PUBLIC_KEY }],
  }))
}

function connected(t: TestContext, address: string): Clients {
  const clients = connectTo(address)
  t.after(() => clients.close())
  return clients
}

describe('a node', () => {
  it('ends a hold in time, though nobody writes', async (t) => {
    const [config] = await configs(t, 1)
    assert(config !== undefined)
    const server = await startServer(config, logger)
    t.after(() => server.stop())
    const { bank } = connected(t, server.clientAddress)
    for (const accountId of ['ann', 'ben'])
      await call(bank, 'openAccount', OpenAccountRequest.fromPartial({ accountId, asset: 'EUR' }))
    await call(bank, 'deposit', deposit('d-1', 'ann', 100n))
    const hold = { transferId: 'h-1', sourceAccountId: 'ann', destinationAccountId: 'ben', amount: 40n, pending: true }
    const held = await call(
      bank,
      'transfer',
      TransferRequest.fromPartial({ ...hold, timeout: { seconds: 0n, nanos: 200_000_000 } }),
    )
    assert.equal(held.source?.held, 40n)
    const read = () => call(bank, 'getBalance', { accountId: 'ann', consistency: Consistency.LINEARIZABLE })
    const deadlineMs = performance.now() + 10_000
    while ((await read()).account?.held !== 0n) assert.ok(performance.now() < deadlineMs, 'the hold ends by itself')
    const { movement } = await call(bank, 'getTransfer', { transferId: 'h-1', consistency: Consistency.STALE })
    assert.equal(movement?.status, MovementStatus.EXPIRED)
  })

  it('serves the bank and the keys, and has them again after a restart', async (t) => {
    const [config] = await configs(t, 1)
    assert(config !== undefined)
    const first = await startServer(config, logger)
    const { kv, bank, session } = connected(t, first.clientAddress)
    await call(kv, 'put', PutRequest.fromPartial({ key: 'a', value: Buffer.from('1') }))
    await call(bank, 'openAccount', OpenAccountRequest.fromPartial({ accountId: 'ann', asset: 'EUR' }))
    assert.equal((await call(bank, 'deposit', deposit('d-1', 'ann', 100n))).account?.balance, 100n)
    const stream = new SessionClient(session)
    const name = await stream.open()
    stream.send(1, putRequest(1, 'b', 'first'))
    const answers = await stream.receive(1)
    await first.stop()
    await first.stopped
    assert.equal(told(await stream.failure).reason, 'STOPPED')

    const second = await startServer(config, logger)
    t.after(() => second.stop())
    const again = connected(t, second.clientAddress)
    const { account } = await call(again.bank, 'getBalance', { accountId: 'ann', consistency: Consistency.LINEARIZABLE })
    assert.equal(account?.balance, 100n)
    assert.equal((await failureOf(call(again.bank, 'deposit', deposit('d-1', 'ann', 7n)))).reason, 'ID_REUSED')
    const retried = new SessionClient(again.session)
    await retried.open(name)
    retried.send(1, putRequest(1, 'b', 'first'))
    assert.deepEqual(await retried.receive(1), answers)
  })

  it('says NO_QUORUM while its cluster has no majority, and NOT_JOINED to reads of what it has not got', async (t) => {
    const [config] = await configs(t, 3)
    assert(config !== undefined)
    const server = await startServer(config, logger)
    t.after(() => server.stop())
    const { kv } = connected(t, server.clientAddress)
    const asked = [
      call(kv, 'put', PutRequest.fromPartial({ key: 'a' }), 1_000),
      call(kv, 'get', { key: 'a', consistency: 0 }, 1_000),
    ]
    for (const { code, reason } of await Promise.all(asked.map(failureOf))) {
      assert.deepEqual({ code, reason }, { code: status.UNAVAILABLE, reason: 'NO_QUORUM' })
    }
    const stale = await failureOf(call(kv, 'get', { key: 'a', consistency: Consistency.STALE }))
    assert.deepEqual({ code: stale.code, reason: stale.reason }, { code: status.UNAVAILABLE, reason: 'NOT_JOINED' })
  })

  it('starts nothing when its client address is taken: the data directory and the peer port are free again', async (t) => {
    const [config] = await configs(t, 1)
    assert(config !== undefined)
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    t.after(() => other.close())
    const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`
    await assert.rejects(startServer({ ...config, clientListen: taken }, logger), {
      message: `cannot listen for clients on ${taken}: the port is taken`,
    })
    await (await startServer(config, logger)).stop()
  })

  it('names the authority whose key is none', async (t) => {
    const [config] = await configs(t, 1)
    assert(config !== undefined)
    const authorities = [{ authorityId: 'mint', publicKey: new Uint8Array(31) }]
    await assert.rejects(startServer({ ...config, authorities }, logger), {
      message: 'authority "mint": public_key must be an ed25519 key of 32 bytes, has 31',
    })
  })
})

describe('three nodes', () => {
  it('serve any client on any node; one that stops hands its clients and its leadership over', async (t) => {
    const all = await configs(t, 3)
    const servers = await Promise.all(all.map((config) => startServer(config, logger)))
    t.after(() => Promise.all(servers.map((server) => server.stop())))
    const clients = servers.map((server) => connected(t, server.clientAddress))
    for (const [i, { kv }] of clients.entries()) {
      await call(kv, 'put', PutRequest.fromPartial({ key: 'shared', value: Buffer.from([i]) }))
      for (const { kv: reader } of clients) {
        const { pair } = await call(reader, 'get', { key: 'shared', consistency: Consistency.LINEARIZABLE })
        assert.deepEqual([...(pair?.value ?? [])], [i])
      }
    }

    const leaderId = (await call(clients[0]?.cluster ?? assert.fail(), 'status', {})).leaderId
    const others = clients.filter((_, i) => i !== leaderId - 1)
    const [other] = others
    assert(other !== undefined)
    const stream = new SessionClient(other.session)
    assert.equal((await stream.open()).leaderAddress, all[leaderId - 1]?.clientListen)
    await servers[leaderId - 1]?.stop()
    stream.send(1, putRequest(1, 'after'))
    assert.deepEqual((await stream.receive(1)).map(nameOf), ['put'], 'the stream survives the change of leaders')
  })
})
