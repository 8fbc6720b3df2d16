import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { describe, it, type TestContext } from 'node:test'
import { createServer as createTlsServer } from 'node:tls'
import { Server as GrpcServer, ServerCredentials } from '@grpc/grpc-js'
import { findServing, probeEndpoint } from '../../src/client/endpoint-probe.js'
import type { SynodError } from '../../src/client/synod-error.js'
import { SessionServiceService } from '../../src/gen/synod/session/v1/session.js'
import { INSECURE } from '../../src/security/security.js'
import { refuseClients } from '../../src/transport/wrong-port.js'

async function listening(t: TestContext, server: Server): Promise<string> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function grpc(t: TestContext, fill: (server: GrpcServer) => void): Promise<string> {
  const server = new GrpcServer()
  fill(server)
  t.after(() => server.forceShutdown())
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    )
  })
  return `127.0.0.1:${port}`
}

/** As a node's port for clients does with a client that says nothing. */
const serve = (server: GrpcServer): void =>
  server.addService(SessionServiceService, { connect: (stream: { end(): void }) => stream.end() })

const nobody = '127.0.0.1:1'

describe('who answers at an endpoint', () => {
  const OTHERS: [string, (t: TestContext) => Promise<string>, RegExp][] = [
    ['nobody', async () => nobody, /nothing listens there/],
    ['nobody of that name', async () => 'node.invalid:7101', /name cannot be resolved/],
    ['a process that hangs', (t) => listening(t, createServer()), /accepts connections and says nothing/],
    [
      'who hangs up',
      (t) =>
        listening(
          t,
          createServer((socket) => socket.destroy()),
        ),
      /closes the connection without a word/,
    ],
    [
      'who speaks otherwise',
      (t) =>
        listening(
          t,
          createServer((socket) => socket.write('SSH-2.0-x\r\n')),
        ),
      /something else than a gRPC server/,
    ],
    [
      'an HTTP/1 proxy',
      (t) =>
        listening(
          t,
          createHttpServer((_, response) => response.end()),
        ),
      /an HTTP\/1 server or proxy/,
    ],
    [
      'an HTTP/2 server',
      (t) =>
        listening(
          t,
          createHttp2Server((_, response) => response.end('x')),
        ),
      /an HTTP\/2 server answers, and no gRPC/,
    ],
    ['a TLS port', (t) => listening(t, createTlsServer({})), /speaks TLS/],
    [
      'another gRPC server',
      (t) => grpc(t, () => {}),
      /a gRPC server answers that does not serve Synod's clients: .*not implement/,
    ],
    ['a port for peers', (t) => grpc(t, (server) => refuseClients(server, 'this is for peers')), /clients: this is for peers/],
  ]
  for (const [who, start, trouble] of OTHERS) {
    it(`is told: ${who}`, async (t) => {
      const endpoint = await start(t)
      const found = await probeEndpoint(endpoint, { timeoutMs: 300, security: INSECURE })
      assert.match(found.serves ? 'it serves' : found.trouble, trouble)
    })
  }

  it('is a node, and found although another one hangs and a third is down', async (t) => {
    const node = await grpc(t, serve)
    const hanging = await listening(t, createServer())
    const startedMs = performance.now()
    assert.deepEqual(await findServing([hanging, nobody, node], { timeoutMs: 60_000, security: INSECURE }), [node])
    assert.ok(performance.now() - startedMs < 10_000)
  })

  it('is told for each of them when none serves, without waiting for the time to pass', async () => {
    await assert.rejects(findServing([nobody, '127.0.0.1:2'], { timeoutMs: 60_000, security: INSECURE }), (error: SynodError) => {
      assert.equal(error.reason, 'UNREACHABLE')
      assert.match(error.message, /127\.0\.0\.1:1: nothing listens .*; 127\.0\.0\.1:2: nothing listens/)
      return true
    })
  })
})
