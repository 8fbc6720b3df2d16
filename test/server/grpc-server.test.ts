import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { describe, it } from 'node:test'
import { promisify } from 'node:util'
import { type Client, credentials, loadPackageDefinition, type ServiceError, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { protoPath } from 'grpc-health-check'
import { pino } from 'pino'
import { ErrorInfo } from '../../src/gen/google/rpc/error_details.js'
import { PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { INSECURE } from '../../src/security/security.js'
import { ClientServer } from '../../src/server/grpc-server.js'
import { SERVICES } from '../../src/server/services.js'
import { call, failureOf, told } from './client.js'
import { serve } from './server.js'
import { putRequest, SessionClient } from './session-client.js'
import { SingleMember } from './single-member.js'

const CLIENT_SERVICES = SERVICES.map(({ name }) => name)
const BUF = 'node_modules/.bin/buf'
const run = promisify(execFile)

/** `@` in the arguments stands for the address. */
async function bufCurl(address: string, ...args: string[]): Promise<string> {
  const urls = args.map((arg) => arg.replace('@', `http://${address}`))
  const { stdout } = await run(BUF, ['curl', '--http2-prior-knowledge', '--protocol', 'grpc', ...urls])
  return stdout
}

describe('reflection', () => {
  it('lists what clients may call, and nothing of the peers', async (t) => {
    const { server } = await serve(t)
    const services = (await bufCurl(server.address, '--list-services', '@')).trim().split('\n').toSorted()
    assert.deepEqual(
      services,
      [
        ...CLIENT_SERVICES,
        'grpc.health.v1.Health',
        'grpc.reflection.v1.ServerReflection',
        'grpc.reflection.v1alpha.ServerReflection',
      ].toSorted(),
    )
    assert.doesNotMatch(await bufCurl(server.address, '--list-methods', '@'), /peer/i)
  })

  it('lets buf curl call every service without proto files', async (t) => {
    const { server } = await serve(t)
    const ask = async (method: string, request: object): Promise<Record<string, unknown>> => {
      const out = await bufCurl(server.address, '--reflect-protocol', 'grpc-v1', '-d', JSON.stringify(request), `@/${method}`)
      return JSON.parse(out) as Record<string, unknown>
    }
    const put = await ask('synod.kv.v1.KeyValueService/Put', { key: 'a', value: 'eA==' })
    assert.equal(put['revision'], '2')
    const opened = await ask('synod.bank.v1.BankService/OpenAccount', { accountId: 'ann', asset: 'EUR' })
    assert.match(JSON.stringify(opened), /"accountId":"ann"/)
    const answer = await ask('synod.cluster.v1.ClusterService/Status', {})
    assert.equal(answer['role'], 'NODE_ROLE_LEADER')
    const welcome = await ask('synod.session.v1.SessionService/Connect', { hello: {} })
    assert.match(JSON.stringify(welcome), /"clientId":"2"/)
    const health = await ask('grpc.health.v1.Health/Check', { service: 'synod.bank.v1.BankService' })
    assert.equal(health['status'], 'SERVING')
  })

  it('serves v1alpha, too, for older clients', async (t) => {
    const { server } = await serve(t)
    const out = await bufCurl(
      server.address,
      '--reflect-protocol',
      'grpc-v1alpha',
      '@/synod.cluster.v1.ClusterService/ListMembers',
    )
    assert.match(out, /"clientAddress": "127.0.0.1:7101"/)
  })

  it('lets buf curl read the details of a refusal', async (t) => {
    const { server } = await serve(t)
    const method = '@/synod.bank.v1.BankService/GetBalance'
    const failing = bufCurl(server.address, '-d', '{"accountId": "eve"}', method)
    await assert.rejects(failing, ({ stderr }: { stderr: string }) => {
      const { code, details } = JSON.parse(stderr) as { code: string; details: { type: string; value: string }[] }
      assert.deepEqual([code, details[0]?.type], ['not_found', 'google.rpc.ErrorInfo'])
      const { reason, domain } = ErrorInfo.decode(Buffer.from(details[0]?.value ?? '', 'base64'))
      assert.deepEqual({ reason, domain }, { reason: 'ACCOUNT_NOT_FOUND', domain: 'synod' })
      return true
    })
  })
})

interface HealthClient extends Client {
  check(request: { service: string }, callback: (error: ServiceError | null, response: { status: string }) => void): void
}

function healthOf(address: string): { check: (service: string) => Promise<string>; close: () => void } {
  const definition = loadPackageDefinition(loadSync(protoPath, { enums: String })) as unknown as {
    grpc: {
      health: { v1: { Health: new (address: string, insecure: ReturnType<typeof credentials.createInsecure>) => HealthClient } }
    }
  }
  const client = new definition.grpc.health.v1.Health(address, credentials.createInsecure())
  const check = (service: string) =>
    new Promise<string>((resolve, reject) => {
      client.check({ service }, (error, response) => (error === null ? resolve(response.status) : reject(error)))
    })
  return { check, close: () => client.close() }
}

describe('health', () => {
  it('is SERVING only with a majority, for each service and the server as a whole', { timeout: 120_000 }, async (t) => {
    const { server, member } = await serve(t)
    const health = healthOf(server.address)
    t.after(() => health.close())
    for (const service of ['', 'liveness', 'readiness', ...CLIENT_SERVICES]) assert.equal(await health.check(service), 'SERVING')
    await assert.rejects(health.check('synod.peer.v1.PeerService'), { code: status.NOT_FOUND })

    member.hasQuorum = false
    while ((await health.check('')) === 'SERVING') continue
    for (const service of ['readiness', ...CLIENT_SERVICES]) assert.equal(await health.check(service), 'NOT_SERVING')
    assert.equal(await health.check('liveness'), 'SERVING', 'it is alive: to start it again would not help')
    member.hasQuorum = true
    while ((await health.check('')) !== 'SERVING') continue

    server.announceStop()
    assert.equal(await health.check(''), 'NOT_SERVING')
  })
})

describe('the server', () => {
  const logger = pino({ level: 'silent' })

  it('names the address that it cannot listen on', async (t) => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    t.after(() => other.close())
    const bound = other.address()
    assert(bound !== null && typeof bound === 'object')
    const member = new SingleMember()
    const options = { member, machine: member.machine, listenAddress: `127.0.0.1:${bound.port}`, security: INSECURE, logger }
    await assert.rejects(ClientServer.start(options), {
      message: `cannot listen for clients on 127.0.0.1:${bound.port}: the port is taken`,
    })
  })

  it('finishes what is in flight when it is stopped, refuses what comes then, and leaves nothing open', async (t) => {
    const { server, clients, member } = await serve(t)
    const request = PutRequest.fromPartial({ key: 'a' })
    const session = new SessionClient(clients.session)
    await session.open()
    member.isHolding = true
    session.send(1, putRequest(1, 'b'))
    const unary = call(clients.kv, 'put', request)
    while (member.heldCount < 2) await new Promise((resolve) => setImmediate(resolve))

    const drained = server.drain(5_000)
    assert.equal((await failureOf(call(clients.kv, 'put', request))).reason, 'STOPPED')
    const late = new SessionClient(clients.session)
    late.hello()
    assert.equal(told(await late.failure).reason, 'STOPPED')

    member.isHolding = false
    member.release()
    assert.equal((await unary).revision, 3n)
    assert.equal((await session.receive(1)).length, 1)
    const { code, reason } = told(await session.failure)
    assert.deepEqual({ code, reason }, { code: status.UNAVAILABLE, reason: 'STOPPED' })
    await drained
    await server.close()
    await assert.rejects(call(clients.kv, 'put', request, 200), { code: status.UNAVAILABLE })
  })

  it('cuts what does not end by the deadline', async (t) => {
    const { server, clients, member } = await serve(t)
    member.isHolding = true
    const unary = call(clients.kv, 'put', PutRequest.fromPartial({ key: 'a' }), 60_000)
    while (member.heldCount < 1) await new Promise((resolve) => setImmediate(resolve))
    const cut = assert.rejects(unary, { code: status.CANCELLED })
    await server.drain(20)
    await server.close()
    await cut
  })
})
