import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Client, credentials, Server, ServerCredentials, type ServerDuplexStream, type ServiceError, status } from '@grpc/grpc-js'
import type { ConnectResponse } from '../../src/gen/synod/peer/v1/peer.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { Message } from '../../src/paxos/messages.js'
import type { NodeId } from '../../src/paxos/types.js'
import { encodeHello, encodeMessages } from '../../src/protocol/peer.js'
import { encodeValue } from '../../src/protocol/value-codec.js'
import { CONNECT_METHOD } from '../../src/transport/connect-method.js'
import { freeAddress } from '../support/free-address.js'
import { addressOf, connectAll, startNode, type TestNode, until } from './fixture.js'
import { EVERY_MESSAGE } from './messages.js'

const BALLOT = makeBallot(1, 1)
const WAIT_MS_MAX = 5_000
/** What leaves before all else. */
const URGENT: ReadonlySet<string> = new Set([
  'heartbeat',
  'heartbeatAck',
  'poll',
  'pollReply',
  'nack',
  'takeOver',
  'prepare',
  'accepted',
  'catchUp',
  'readIndex',
  'readIndexReply',
])

function heartbeat(round: number): Message {
  return { kind: 'heartbeat', ballot: BALLOT, round, decidedUpTo: 0, heard: [], settledEpoch: 1 }
}

function accept(slot: number, valueBytes: number): Message {
  const value = { kind: 'batch', timeMs: 1, commands: [new Uint8Array(valueBytes)] } as const
  return { kind: 'accept', ballot: BALLOT, slot, value, decidedUpTo: slot - 1 }
}

function kindsFrom(node: TestNode, from: NodeId): string[] {
  return node.received.filter((entry) => entry.from === from).map((entry) => entry.message.kind)
}

test('three nodes exchange every kind of message, the urgent ones first, each lane in order', async (t) => {
  const nodes = await Promise.all([startNode(t, 1), startNode(t, 2), startNode(t, 3)])
  await connectAll(...nodes)
  for (const { nodeId, transport } of nodes) {
    for (const message of EVERY_MESSAGE) {
      for (const peer of nodes) if (peer.nodeId !== nodeId) transport.send(peer.nodeId, message)
    }
    transport.flush()
  }
  const sent = EVERY_MESSAGE.map((message) => message.kind)
  const expected = [...sent.filter((kind) => URGENT.has(kind)), ...sent.filter((kind) => !URGENT.has(kind))]
  assert.notDeepEqual(expected, sent, 'some urgent message overtakes another')
  await until('all is there', () => nodes.every((node) => node.received.length === 2 * expected.length))
  for (const node of nodes) {
    for (const peer of nodes) if (peer !== node) assert.deepEqual(kindsFrom(node, peer.nodeId), expected)
    assert.deepEqual(node.frames, [expected.length, expected.length], 'what is sent before a flush goes in one frame')
  }
})

test('ten thousand messages in many frames keep their order', async (t) => {
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2)])
  await connectAll(a, b)
  for (let round = 1; round <= 10_000; round++) {
    a.transport.send(2, heartbeat(round))
    if (round % 100 === 0) {
      a.transport.flush()
      await new Promise(setImmediate)
    }
  }
  await until('all is there', () => b.received.length === 10_000)
  const rounds = b.received.map(({ message }) => (message.kind === 'heartbeat' ? message.round : 0))
  assert.deepEqual(
    rounds,
    Array.from({ length: 10_000 }, (_, i) => i + 1),
  )
})

test('a frame holds about a mebibyte, what is urgent first, a message that is bigger goes alone', async (t) => {
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2)])
  await connectAll(a, b)
  for (let slot = 1; slot <= 4; slot++) a.transport.send(2, accept(slot, 400_000))
  a.transport.send(2, accept(5, 3_000_000))
  a.transport.send(2, heartbeat(1))
  a.transport.flush()
  await until('all is there', () => b.received.length === 6)
  assert.deepEqual(b.frames, [3, 2, 1])
  const order = b.received.map(({ message }) => (message.kind === 'accept' ? message.slot : message.kind))
  assert.deepEqual(order, ['heartbeat', 1, 2, 3, 4, 5])
})

test('a message to a node that is no peer, or out of reach, is dropped and counted', async (t) => {
  const a = await startNode(t, 1)
  a.transport.setPeers([{ nodeId: 2, addresses: [await freeAddress()] }])
  a.transport.send(2, heartbeat(1))
  a.transport.send(9, heartbeat(1))
  a.transport.flush()
  const [link] = a.transport.stats()
  assert.deepEqual([link?.nodeId, link?.connected, link?.queuedCount, link?.droppedCount], [2, false, 0, 1])
})

test('messages flow again soon after a peer is back', async (t) => {
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2)])
  await connectAll(a, b)
  await b.transport.stop()
  await until('the link is lost', () => !isConnected(a, 2))
  const again = await startNode(t, 2, { listenAddress: b.address })
  const sinceMs = performance.now()
  await until('the link is back', () => isConnected(a, 2))
  a.transport.send(2, heartbeat(7))
  a.transport.flush()
  await until('a message is there', () => again.received.length === 1)
  const tookMs = performance.now() - sinceMs
  assert.ok(tookMs < 2_000, `took ${tookMs} ms`)
})

test('a peer whose process is killed is noticed at once', async (t) => {
  const a = await startNode(t, 1)
  const child = spawn(process.execPath, [new URL('peer-process.js', import.meta.url).pathname, '2'])
  t.after(() => child.kill('SIGKILL'))
  const [line] = await once(child.stdout, 'data', { signal: AbortSignal.timeout(WAIT_MS_MAX) })
  a.transport.setPeers([{ nodeId: 2, addresses: [String(line).trim()] }])
  await until('connected', () => isConnected(a, 2))
  child.kill('SIGKILL')
  await until('the link is lost', () => !isConnected(a, 2))
})

function isConnected(node: TestNode, peerId: NodeId): boolean {
  return node.transport.stats().some((link) => link.nodeId === peerId && link.connected)
}

test('setPeers leaves links that stay alone, closes others, and follows a new address', async (t) => {
  const [a, b, c] = await Promise.all([startNode(t, 1), startNode(t, 2), startNode(t, 3)])
  await connectAll(a, b, c)
  const moved = await startNode(t, 3)
  a.transport.setPeers([addressOf(b), addressOf(moved)])
  await until('connected to the new address', () => a.connected.length === 3)
  a.transport.send(2, heartbeat(1))
  a.transport.send(3, heartbeat(2))
  a.transport.flush()
  await until('both are there', () => b.received.length === 1 && moved.received.length === 1)
  assert.equal(a.connected.filter((peerId) => peerId === 3).length, 2)
  assert.equal(c.received.length, 0)
  a.transport.setPeers([addressOf(b)])
  assert.deepEqual(
    a.transport.stats().map((link) => link.nodeId),
    [2],
  )
})

test('a caller that the host does not admit is refused with its reason, on both sides, and nothing it sends gets through', async (t) => {
  for (const reason of ['WRONG_CLUSTER', 'DATA_DIR_MISMATCH', 'UNKNOWN_MEMBER'] as const) {
    const callers: unknown[] = []
    const message = `no: ${reason}, ä`
    const admit = (caller: unknown) => {
      callers.push(caller)
      return { reason, message }
    }
    const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2, { admit })])
    a.transport.setPeers([addressOf(b)])
    await until('both have heard', () => a.refused.length > 0 && b.refused.length > 0)
    assert.deepEqual(a.refused[0], { peerId: 2, reason, message, by: 'peer' })
    assert.deepEqual(b.refused[0], { peerId: 1, reason, message, by: 'us' })
    assert.deepEqual(callers[0], { nodeId: 1, clusterId: 'cluster', dataDirId: 'dir-1' })
    a.transport.send(2, heartbeat(1))
    a.transport.flush()
    assert.equal(a.connected.length, 0)
    assert.equal(b.received.length, 0)
  }
})

test('who may only join is heard only when it asks to be let in', async (t) => {
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2, { admit: () => 'joinOnly' })])
  a.transport.setPeers([addressOf(b)])
  await until('connected', () => a.connected.length > 0)
  const join = {
    kind: 'join',
    dataDirId: 'dir-1',
    replacesDataDirId: '',
    capacityBytes: 0,
    formation: undefined,
    levelMax: 1,
  } as const
  for (const message of [heartbeat(1), join, heartbeat(2)]) a.transport.send(2, message)
  a.transport.flush()
  await until('heard', () => b.received.length > 0)
  assert.deepEqual(b.received, [{ from: 1, message: join }])
})

test('a peer that the host finds wrong is sent nothing', async (t) => {
  const refusal = { reason: 'DATA_DIR_MISMATCH', message: 'node 2 votes from another directory' } as const
  const seen: unknown[] = []
  const checkPeer = (peer: unknown) => {
    seen.push(peer)
    return refusal
  }
  const [a, b] = await Promise.all([startNode(t, 1, { checkPeer }), startNode(t, 2)])
  a.transport.setPeers([addressOf(b)])
  await until('refused', () => a.refused.length > 0)
  assert.deepEqual(a.refused[0], { peerId: 2, ...refusal, by: 'us' })
  assert.deepEqual(seen[0], { nodeId: 2, dataDirId: 'dir-2' })
  assert.equal(isConnected(a, 2), false)
})

test('a node that is refused gets in once the cause is gone', async (t) => {
  let refusal: { reason: 'UNKNOWN_MEMBER'; message: string } | undefined = { reason: 'UNKNOWN_MEMBER', message: 'not yet' }
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2, { admit: () => refusal })])
  a.transport.setPeers([addressOf(b)])
  await until('refused', () => a.refused.length > 0)
  refusal = undefined
  await until('let in', () => isConnected(a, 2))
})

test('who was let in is heard no more once the host would not let it in: a cluster has formed meanwhile, another than its own', async (t) => {
  let refusal: { reason: 'WRONG_CLUSTER'; message: string } | undefined
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2, { admit: () => refusal })])
  a.transport.setPeers([addressOf(b)])
  await until('let in', () => isConnected(a, 2))
  a.transport.send(2, heartbeat(1))
  a.transport.flush()
  await until('the first message', () => b.received.length === 1)
  refusal = { reason: 'WRONG_CLUSTER', message: 'not ours' }
  a.transport.send(2, heartbeat(2))
  a.transport.flush()
  await until('refused', () => a.refused.length > 0)
  assert.equal(b.received.length, 1)
})

test('another node at the address, one of the same id, or another protocol version is refused', async (t) => {
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2)])
  a.transport.setPeers([{ nodeId: 3, addresses: [b.address] }])
  await until('refused', () => a.refused.length > 0)
  assert.deepEqual(a.refused[0], { peerId: 3, reason: 'WRONG_NODE', message: 'this is node 2, not node 3', by: 'peer' })

  const hello = { protocolVersion: 1, clusterId: 'cluster', fromNodeId: 2, toNodeId: 2, dataDirId: 'dir-2' }
  const double = await callWith(t, b.address, encodeHello(hello))
  assert.equal(double.code, status.FAILED_PRECONDITION)
  assert.match(double.details, /node 2 is here already/)
  const newer = await callWith(t, b.address, encodeHello({ ...hello, fromNodeId: 1, protocolVersion: 2 }))
  assert.equal(newer.code, status.FAILED_PRECONDITION)
  assert.match(newer.details, /version 1 .* not 2/)
  assert.deepEqual(
    b.refused.map((refused) => refused.reason),
    ['WRONG_NODE', 'WRONG_NODE', 'PROTOCOL_VERSION'],
  )
})

test('a server that answers under another id is refused by the caller', async (t) => {
  const impostor = await rawServer(t, (stream) =>
    stream.on('data', () => stream.write({ nodeId: 8, dataDirId: 'dir-8', roster: undefined })),
  )
  const a = await startNode(t, 1)
  a.transport.setPeers([{ nodeId: 2, addresses: [impostor] }])
  await until('refused', () => a.refused.length > 0)
  const message = `node 8 answers at ${impostor}, where node 2 is expected`
  assert.deepEqual(a.refused[0], { peerId: 2, reason: 'WRONG_NODE', message, by: 'us' })
})

test('a stream whose frames are not well formed is closed, and its peer told the field; the server goes on', async (t) => {
  const a = await startNode(t, 1)
  const hello = encodeHello({ protocolVersion: 1, clusterId: 'cluster', fromNodeId: 2, toNodeId: 1, dataDirId: 'dir-2' })
  const badSlot = encodeMessages([{ kind: 'accepted', ballot: BALLOT, slot: 0 }])
  const cases: [RegExp, ...Uint8Array[]][] = [
    [/frame is not an encoded ConnectRequest/, Uint8Array.of(255, 255, 255)],
    [/first request must be a hello/, new Uint8Array()],
    [/first request must be a hello/, encodeMessages([heartbeat(1)])],
    [/hello is for the first request only/, hello, hello],
    [/frame is not an encoded ConnectRequest/, hello, Uint8Array.of(255, 255, 255)],
    [/accepted.slot must be a slot from 1, not 0/, hello, badSlot],
  ]
  for (const [details, ...frames] of cases) {
    const end = await callWith(t, a.address, ...frames)
    assert.equal(end.code, status.INVALID_ARGUMENT)
    assert.match(end.details, details)
  }
  const tooBig = await callWith(t, a.address, hello, new Uint8Array(70 * 1024 * 1024))
  assert.equal(tooBig.code, status.RESOURCE_EXHAUSTED)
  assert.equal(a.received.length, 0)

  const socket = connect(Number(a.address.split(':')[1]), '127.0.0.1')
  socket.on('error', () => undefined)
  socket.write(Buffer.alloc(1_000, 'garbage'))
  socket.resume()
  await once(socket, 'close', { signal: AbortSignal.timeout(WAIT_MS_MAX) })

  const b = await startNode(t, 2)
  await connectAll(a, b)
})

test('a newer stream of a node replaces its older one', async (t) => {
  const a = await startNode(t, 1)
  const hello = encodeHello({ protocolVersion: 1, clusterId: 'cluster', fromNodeId: 2, toNodeId: 1, dataDirId: 'dir-2' })
  const older = callWith(t, a.address, hello)
  await callWith(t, a.address, hello, Uint8Array.of(255))
  assert.equal((await older).code, status.ABORTED)
})

test('a peer that stops reading costs a bounded queue of the newest messages, and nobody else anything', async (t) => {
  const received: Message[] = []
  const sleeper = await rawServer(t, (stream) => {
    stream.once('data', () => {
      stream.pause()
      stream.write({ nodeId: 2, dataDirId: 'dir-2', roster: undefined })
    })
  })
  const [a, c] = await Promise.all([
    startNode(t, 1),
    startNode(t, 3, { onMessages: (_, messages) => received.push(...messages) }),
  ])
  a.transport.setPeers([{ nodeId: 2, addresses: [sleeper] }, addressOf(c)])
  await until('connected', () => a.connected.length === 2)
  const value = { kind: 'batch', timeMs: 1, commands: [new Uint8Array(64 * 1024)] } as const
  const valueBytes = encodeValue(value).length
  for (let slot = 1; slot <= 3_000; slot++) {
    const message: Message = { kind: 'accept', ballot: BALLOT, slot, value, decidedUpTo: 0 }
    a.transport.send(2, message)
    a.transport.send(3, message)
    a.transport.flush()
    if (slot % 50 === 0) await until('the awake peer keeps up', () => received.length > slot - 200)
  }
  await until('the awake peer has it all', () => received.length === 3_000)
  const [slow, awake] = a.transport.stats().toSorted((x, y) => x.nodeId - y.nodeId)
  assert.equal(awake?.droppedCount, 0)
  assert.ok(slow !== undefined && slow.connected)
  assert.ok(slow.queuedBytes <= 64 * 1024 * 1024 && slow.queuedBytes > 60 * 1024 * 1024, `${slow.queuedBytes} bytes`)
  assert.ok(slow.queuedCount * valueBytes <= 64 * 1024 * 1024)
  assert.ok(slow.droppedCount > 1_500, `${slow.droppedCount} dropped`)
  for (let round = 1; round <= 10_000; round++) a.transport.send(2, heartbeat(round))
  assert.equal(a.transport.stats().find((link) => link.nodeId === 2)?.queuedCount, 4_096)
})

test('a port that is taken is one clear error that names the address', async (t) => {
  const a = await startNode(t, 1)
  await assert.rejects(startNode(t, 2, { listenAddress: a.address }), {
    name: 'PeerListenError',
    message: `cannot listen for peers on ${a.address}: the port is taken`,
  })
})

test('stop closes connections that never said a word', async (t) => {
  const a = await startNode(t, 1)
  const socket = connect(Number(a.address.split(':')[1]), '127.0.0.1')
  t.after(() => socket.destroy())
  await once(socket, 'connect', { signal: AbortSignal.timeout(WAIT_MS_MAX) })
  const closed = once(socket.resume(), 'close', { signal: AbortSignal.timeout(WAIT_MS_MAX) })
  await a.transport.stop()
  await closed
})

test('stop sends what is queued first', async (t) => {
  const [a, b] = await Promise.all([startNode(t, 1), startNode(t, 2)])
  await connectAll(a, b)
  for (let slot = 1; slot <= 40; slot++) a.transport.send(2, accept(slot, 100_000))
  await a.transport.stop()
  assert.equal(b.received.length, 40)
})

test('a process ends by itself once its transport is stopped, whether its peers are there or not', async (t) => {
  const b = await startNode(t, 2)
  const script = new URL('peer-process.js', import.meta.url).pathname
  const child = spawn(process.execPath, [script, '1', b.address, await freeAddress()], { stdio: 'pipe' })
  t.after(() => child.kill('SIGKILL'))
  await until('it is connected', () => b.connected.length === 0 && b.received.length > 0)
  child.stdin.end('stop\n')
  const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(WAIT_MS_MAX) })
  assert.equal(code, 0)
})

/** Calls Connect by hand; gives how the call ended, with its deadline at the latest. */
async function callWith(t: TestContext, address: string, ...frames: Uint8Array[]): Promise<ServiceError> {
  const client = new Client(address, credentials.createInsecure(), { 'grpc.max_send_message_length': -1 })
  t.after(() => client.close())
  const { path, requestSerialize, responseDeserialize } = CONNECT_METHOD
  const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, { deadline: Date.now() + WAIT_MS_MAX })
  stream.resume()
  for (const frame of frames) stream.write(frame)
  const [end] = await new Promise<[ServiceError]>((resolve) => stream.on('error', (error: ServiceError) => resolve([error])))
  return end
}

type RawStream = ServerDuplexStream<Uint8Array, ConnectResponse>

/** A gRPC server that is no transport of ours. */
async function rawServer(t: TestContext, onConnect: (stream: RawStream) => void): Promise<string> {
  const server = new Server()
  server.addService({ connect: CONNECT_METHOD }, { connect: onConnect })
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => (error ? reject(error) : resolve(port)))
  })
  t.after(() => server.forceShutdown())
  return `127.0.0.1:${port}`
}

test('a peer is found at whichever of its addresses it is, and followed when it has moved', async (t) => {
  const [a, b, stranger] = await Promise.all([startNode(t, 1), startNode(t, 2), startNode(t, 9)])
  const nowhere = await freeAddress()
  a.transport.setPeers([{ nodeId: 2, addresses: [stranger.address, nowhere, b.address] }])
  await until('found at the third', () => isConnected(a, 2))
  const moved = await startNode(t, 2)
  a.transport.setPeers([{ nodeId: 2, addresses: [moved.address, b.address] }])
  assert.ok(isConnected(a, 2), 'what is open stays')
  a.transport.redial(2)
  await until('at the new address', () => a.connected.length === 2)
  a.transport.send(2, heartbeat(1))
  a.transport.flush()
  await until('it is there', () => moved.received.length === 1)
  assert.equal(b.received.length, 0)
})

test('who is refused hears who the members are by now', async (t) => {
  const roster = {
    kind: 'roster',
    clusterId: 'cluster',
    memberships: [],
    announcements: [],
    asks: false,
    levelMin: 1,
    levelMax: 1,
    version: '',
  } as const
  const b = await startNode(t, 2, { admit: () => ({ reason: 'REMOVED', message: 'node 1 was removed', roster }) })
  const heard: unknown[] = []
  const a = await startNode(t, 1, { onRefused: (_, refusal, by, address) => heard.push({ by, address, roster: refusal.roster }) })
  a.transport.setPeers([addressOf(b)])
  await until('refused', () => heard.length > 0)
  assert.deepEqual(heard[0], { by: 'peer', address: b.address, roster })
})
