import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js'
import { FetchCheckpointResponse } from '../../src/gen/synod/peer/v1/peer.js'
import { partToWire } from '../../src/protocol/checkpoint-parts.js'
import { type CheckpointPart, type CheckpointRequest, TransferError } from '../../src/protocol/checkpoint-transfer.js'
import type { TransferCall } from '../../src/transport/checkpoint-serve.js'
import { FETCH_METHOD } from '../../src/transport/connect-method.js'
import type { PeerTransportOptions } from '../../src/transport/peer-transport.js'
import { freeAddress } from '../support/free-address.js'
import { END, headerOf, pageOf, Taker } from './checkpoint-parts.js'
import { addressOf, startNode, type TestNode, until } from './fixture.js'

const FIRST: CheckpointRequest = { minSlot: 5, checkpointId: '', afterKey: undefined }
const HEADER: CheckpointPart = { header: headerOf() }

/** Two nodes, of which the second serves these parts. */
async function pair(
  t: TestContext,
  serveCheckpoint: PeerTransportOptions['serveCheckpoint'],
  change: Partial<PeerTransportOptions> = {},
): Promise<[TestNode, TestNode]> {
  const [a, b] = await Promise.all([
    startNode(t, 1, { transferIdleMs: change.transferIdleMs }),
    startNode(t, 2, { ...change, serveCheckpoint }),
  ])
  a.transport.setPeers([addressOf(b)])
  return [a, b]
}

test('a checkpoint arrives as it was sent, in order, with who asks and what for', async (t) => {
  const asked: unknown[] = []
  const parts = [HEADER, pageOf(1), pageOf(2, 3_000_000), pageOf(3), END]
  const [a] = await pair(t, async function* (caller, request) {
    asked.push(caller, request)
    yield* parts
  })
  const taker = new Taker()
  a.transport.fetchCheckpoint(2, { minSlot: 7, checkpointId: 'view-1', afterKey: Uint8Array.of(9) }, taker)
  await until('the end', () => taker.parts.length === parts.length)
  assert.deepEqual(taker.parts.map(asText), parts.map(asText))
  assert.deepEqual(asked[0], { nodeId: 1, clusterId: 'cluster', dataDirId: 'dir-1' })
  assert.deepEqual(asked[1], { minSlot: 7, checkpointId: 'view-1', afterKey: Buffer.of(9) })
  assert.deepEqual(taker.failures, [])
})

test('a peer that takes nothing holds the sender up: what is under way is bounded', async (t) => {
  let sent = 0
  const [a] = await pair(
    t,
    async function* () {
      yield HEADER
      for (let i = 1; i <= 80; i++) {
        sent = i
        yield pageOf(i, 1 << 20)
      }
      yield END
    },
    { transferBytesPerSecondMax: 1e12 },
  )
  let go: (() => void) | undefined
  let isHeld = true
  const taker = new Taker(() => (isHeld ? new Promise<void>((resolve) => (go = resolve)) : undefined))
  a.transport.fetchCheckpoint(2, FIRST, taker)
  await until('the header', () => taker.parts.length === 1)
  for (let before = -1; before !== sent; ) {
    before = sent
    for (let i = 0; i < 200; i++) await turn()
  }
  assert.ok(sent < 40, `${sent} MiB were sent to who takes nothing`)
  isHeld = false
  go?.()
  await until('the end', () => taker.kinds.endsWith('end'))
  assert.equal(taker.parts.length, 82)
})

test('all transfers together keep to the rate', async (t) => {
  const [a] = await pair(
    t,
    async function* () {
      yield HEADER
      for (let i = 1; i <= 10; i++) yield pageOf(i, 20_000)
      yield END
    },
    { transferBytesPerSecondMax: 800_000 },
  )
  const takers = [new Taker(), new Taker()]
  const beganMs = performance.now()
  for (const taker of takers) a.transport.fetchCheckpoint(2, FIRST, taker)
  await until('both ends', () => takers.every((taker) => taker.parts.length === 12))
  const tookMs = performance.now() - beganMs
  // 400 kB, less a burst of 40 kB.
  assert.ok(tookMs >= 430, `${tookMs} ms`)
})

test('what the peer throws is told by its code', async (t) => {
  for (const [thrown, code] of [
    [new TransferError('NOT_FOUND', 'none above 5'), 'NOT_FOUND'],
    [new TransferError('BUSY', 'two at a time'), 'BUSY'],
    [new Error('a secret'), 'FAILED'],
  ] as const) {
    const [a] = await pair(t, async function* () {
      yield HEADER
      throw thrown
    })
    const taker = new Taker()
    a.transport.fetchCheckpoint(2, FIRST, taker)
    await until('the failure', () => taker.failures.length === 1)
    assert.equal(taker.failures[0]?.code, code)
    assert.equal(taker.failures[0]?.message, code === 'FAILED' ? 'the checkpoint could not be read' : thrown.message)
  }
})

test('who is not admitted, or only to join, gets nothing', async (t) => {
  let wasAsked = false
  const serve = async function* (): AsyncGenerator<CheckpointPart> {
    wasAsked = true
    yield HEADER
  }
  const removed = { reason: 'REMOVED', message: 'node 1 was removed' } as const
  for (const [admission, code] of [
    [removed, 'REFUSED'],
    ['joinOnly', 'UNREACHABLE'],
  ] as const) {
    const [a, b] = await pair(t, serve, { admit: () => admission })
    const taker = new Taker()
    a.transport.fetchCheckpoint(2, FIRST, taker)
    await until('the failure', () => taker.failures.length === 1)
    assert.equal(taker.failures[0]?.code, code)
    if (admission !== 'joinOnly') assert.deepEqual(b.refused[0], { peerId: 1, ...removed, by: 'us' })
  }
  assert.equal(wasAsked, false)
})

test('a request without a hello is refused', async (t) => {
  const b = await startNode(t, 2)
  const client = new Client(b.address, credentials.createInsecure())
  t.after(() => client.close())
  const { path, requestSerialize, responseDeserialize } = FETCH_METHOD
  const request = { hello: undefined, minSlot: 1, checkpointId: '', afterKey: new Uint8Array() }
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request, new Metadata())
  call.resume()
  const error = await new Promise<ServiceError>((resolve) => call.on('error', resolve))
  assert.equal(error.code, status.INVALID_ARGUMENT)
})

test('a transfer that was called off is over on both sides, and says nothing more', async (t) => {
  let isOver = false
  const [a] = await pair(
    t,
    async function* () {
      try {
        yield HEADER
        for (let i = 1; ; i++) yield pageOf(i % 250)
      } finally {
        isOver = true
      }
    },
    { transferBytesPerSecondMax: 10_000 },
  )
  const taker = new Taker()
  const callOff = a.transport.fetchCheckpoint(2, FIRST, taker)
  await until('a page', () => taker.parts.length > 1)
  callOff()
  const before = taker.parts.length
  await until('the sender knows', () => isOver)
  assert.equal(taker.parts.length, before)
  assert.deepEqual(taker.failures, [])
})

test('a peer that is stopped ends its transfers, and the node that is stopped forgets its own', async (t) => {
  const isOver = [false, false]
  const serve = (i: number) =>
    async function* (): AsyncGenerator<CheckpointPart> {
      try {
        yield HEADER
        for (;;) yield pageOf(1)
      } finally {
        isOver[i] = true
      }
    }
  const [a, b] = await pair(t, serve(0), { transferBytesPerSecondMax: 1_000 })
  const taker = new Taker()
  a.transport.fetchCheckpoint(2, FIRST, taker)
  await until('a page', () => taker.parts.length > 1)
  await b.transport.stop()
  await until('the failure', () => taker.failures.length === 1)
  assert.equal(taker.failures[0]?.code, 'UNREACHABLE')
  await until('it is over there', () => isOver[0] ?? false)

  const [c] = await pair(t, serve(1), { transferBytesPerSecondMax: 1_000 })
  const other = new Taker()
  c.transport.fetchCheckpoint(2, FIRST, other)
  await until('a page', () => other.parts.length > 1)
  await c.transport.stop()
  await until('it is over there', () => isOver[1] ?? false)
  assert.deepEqual(other.failures, [])
})

test('a peer that is silent, out of reach, or none at all fails the transfer', async (t) => {
  const a = await startNode(t, 1)
  a.transport.setPeers([{ nodeId: 3, addresses: [await freeAddress()] }])
  const codes: string[] = []
  for (const from of [3, 9]) {
    const taker = new Taker()
    a.transport.fetchCheckpoint(from, FIRST, taker)
    assert.equal(taker.failures.length, 0, 'not before the call has returned')
    await until('the failure', () => taker.failures.length === 1)
    codes.push(taker.failures[0]?.code ?? '')
  }
  const [c] = await pair(
    t,
    async function* () {
      yield HEADER
      await new Promise((resolve) => setTimeout(resolve, 300))
    },
    { transferIdleMs: 50 },
  )
  const taker = new Taker()
  c.transport.fetchCheckpoint(2, FIRST, taker)
  await until('the failure', () => taker.failures.length === 1)
  codes.push(taker.failures[0]?.code ?? '')
  assert.deepEqual(codes, ['UNREACHABLE', 'UNREACHABLE', 'TIMED_OUT'])
})

test('what is no part of a checkpoint, comes out of order or is cut short fails the transfer', async (t) => {
  const cases: [string, ...Uint8Array[]][] = [
    ['MALFORMED', Uint8Array.of(255, 255)],
    ['MALFORMED', new Uint8Array()],
    ['MALFORMED', frame(pageOf(1))],
    ['MALFORMED', frame(END)],
    ['MALFORMED', frame(HEADER), frame(HEADER)],
    ['MALFORMED', frame({ header: headerOf({ slot: 0 }) })],
    ['MALFORMED', frame(HEADER), frame({ page: { keys: [Uint8Array.of(1)], records: [] } })],
    ['UNREACHABLE', frame(HEADER), frame(pageOf(1))],
  ]
  for (const [code, ...frames] of cases) {
    const address = await rawServer(t, (call) => {
      for (const bytes of frames) call.write(bytes)
      call.end()
    })
    const a = await startNode(t, 1)
    a.transport.setPeers([{ nodeId: 2, addresses: [address] }])
    const taker = new Taker(() => turn())
    a.transport.fetchCheckpoint(2, FIRST, taker)
    await until('the failure', () => taker.failures.length === 1)
    assert.equal(taker.failures[0]?.code, code)
  }
})

function frame(part: CheckpointPart): Uint8Array {
  return FetchCheckpointResponse.encode(partToWire(part)).finish()
}

/** Buffers and plain byte arrays alike; long ones only by their length and ends. */
function asText(part: CheckpointPart): string {
  return JSON.stringify(part, (_, value: unknown) => {
    if (Array.isArray(value) && value.every((item) => item instanceof Uint8Array)) {
      return value.map((bytes) => `${bytes.length} ${bytes[0]} ${bytes.at(-1)}`)
    }
    return value
  })
}

/** A gRPC server that is no transport of ours. */
async function rawServer(t: TestContext, onFetch: (call: TransferCall) => void): Promise<string> {
  const server = new Server()
  server.addService({ fetchCheckpoint: FETCH_METHOD }, { fetchCheckpoint: onFetch })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)))
  })
  t.after(() => server.forceShutdown())
  return `127.0.0.1:${port}`
}
