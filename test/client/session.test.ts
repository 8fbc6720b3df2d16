import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, it } from 'node:test'
import { Server, ServerCredentials, status } from '@grpc/grpc-js'
import { type Client, type ConnectOptions, Consistency, connect, SynodError } from '../../src/client/client.js'
import type { Request } from '../../src/gen/synod/session/v1/session.js'
import { freeAddress } from '../support/free-address.js'
import { ANSWER_SLOT, putResult, refusal, type Script, ScriptedCluster, ScriptedNode, silent } from './scripted-server.js'

describe('a session of the SDK', { timeout: 120_000 }, () => {
  const clients: Client[] = []
  const nodes: ScriptedNode[] = []

  afterEach(() => {
    for (const client of clients.splice(0)) client.close()
    for (const node of nodes.splice(0)) node.stop()
  })

  async function node(cluster: ScriptedCluster, script?: Script): Promise<ScriptedNode> {
    const made = await new ScriptedNode(cluster, script).start()
    nodes.push(made)
    return made
  }

  function client(endpoints: ConnectOptions['endpoints'], options: Omit<ConnectOptions, 'endpoints'> = {}): Client {
    const made = connect({ endpoints, ...options })
    clients.push(made)
    return made
  }

  /** The client has chosen one of the two at random; `first` is the one that it connected to. */
  async function connectToOneOf(a: ScriptedNode, b: ScriptedNode, options: Omit<ConnectOptions, 'endpoints'> = {}) {
    const sdk = client([a.endpoint, b.endpoint], options)
    const scripts = [a.script, b.script] as const
    a.script = b.script = () => putResult(0)
    await sdk.kv.put('first contact', '')
    ;[a.script, b.script] = scripts
    const [first, second] = a.hellos.length > 0 ? [a, b] : [b, a]
    return { sdk, first, second }
  }

  it('sends what is asked within one turn in one frame, numbered from 1', async () => {
    const only = await node(new ScriptedCluster())
    const sdk = client(only.endpoint)
    const answers = await Promise.all(['a', 'b', 'c'].map((key) => sdk.kv.put(key, 'value')))
    assert.deepEqual(
      only.frames.map((frame) => frame.requests.map((request) => request.requestNumber)),
      [[1, 2, 3]],
    )
    assert.deepEqual(answers[0]?.header, { clusterId: 'cluster', nodeId: 1, slot: 7 })
    assert.equal(answers[2]?.revision, 3n)
  })

  it('sends new frames while earlier ones are unanswered, and takes answers in any order', async () => {
    const only = await node(new ScriptedCluster(), silent)
    const sdk = client(only.endpoint)
    const first = sdk.kv.put('a', '')
    await only.until(() => only.requests.length === 1)
    const second = sdk.kv.put('b', '')
    await only.until(() => only.requests.length === 2)
    assert.equal(only.frames.length, 2)
    const [a, b] = only.requests as [Request, Request]
    only.answer({ request: b, result: putResult(20) })
    assert.equal((await second).revision, 20n)
    only.answer({ request: a, result: putResult(10) })
    assert.equal((await first).revision, 10n)
  })

  it('acknowledges every number below the lowest that is unanswered', async () => {
    const only = await node(new ScriptedCluster(), (request) => (request.requestNumber === 2 ? undefined : putResult(1)))
    const sdk = client(only.endpoint)
    await sdk.kv.put('1', '')
    const second = sdk.kv.put('2', '')
    await sdk.kv.put('3', '')
    await sdk.kv.put('4', '')
    const [held] = only.requests.filter((request) => request.requestNumber === 2)
    assert.ok(held !== undefined)
    only.answer({ request: held, result: putResult(1) })
    await second
    await sdk.kv.put('5', '')
    assert.deepEqual(
      only.frames.map((frame) => [frame.firstUnacknowledged, frame.requests[0]?.requestNumber]),
      [
        [1, 1],
        [2, 2],
        [2, 4],
        [5, 5],
      ],
    )
  })

  it('carries on at the next node under the same client id and numbers when a node dies, once and only once', async () => {
    const cluster = new ScriptedCluster()
    const { sdk, first, second } = await connectToOneOf(await node(cluster), await node(cluster))
    first.script = (request, at) => void cluster.apply(at.clientId, request) // done, but the answer is lost
    const puts = Promise.all(['a', 'b'].map((key) => sdk.kv.put(key, '')))
    await first.until(() => first.requests.length === 3)
    first.stop()
    assert.deepEqual(
      (await puts).map((answer) => answer.revision),
      [1n, 2n],
    )
    assert.deepEqual(second.hellos, [first.clientId])
    assert.deepEqual(cluster.applied, ['1/2:a', '1/3:b'])
  })

  it('does not go on under its client id in another cluster, where that is somebody else', async () => {
    const [a, b] = [await node(new ScriptedCluster('one')), await node(new ScriptedCluster('two'))]
    const { sdk, first, second } = await connectToOneOf(a, b)
    second.cluster.openSession()
    first.script = silent
    const sent = assert.rejects(sdk.kv.put('sent before', ''), { code: 'OUTCOME_UNKNOWN' })
    await first.until(() => first.requests.length === 2)
    first.stop()
    await sent
    assert.equal((await sdk.kv.put('sent after', '')).header?.clusterId, second.cluster.clusterId)
    assert.deepEqual(second.hellos, [first.clientId, 0])
    assert.deepEqual(second.cluster.applied, ['2/1:sent after'])
  })

  it('rejects a call whose result cannot be decoded, and goes on', async () => {
    const only = await node(new ScriptedCluster(), silent)
    const sdk = client(only.endpoint)
    const garbled = assert.rejects(sdk.kv.put('a', ''), { code: 'INTERNAL' })
    await only.until(() => only.requests.length === 1)
    only.answerBytes(1, Uint8Array.of(0xff))
    await garbled
    only.script = (request, at) => at.cluster.apply(at.clientId, request)
    assert.equal((await sdk.kv.put('b', '')).revision, 1n)
  })

  it('leaves a node that owes answers without a word', async () => {
    const cluster = new ScriptedCluster()
    const { sdk, first, second } = await connectToOneOf(await node(cluster), await node(cluster), { stallTimeoutMs: 100 })
    first.script = silent
    await sdk.kv.put('a', '')
    assert.deepEqual(
      second.requests.map((request) => request.requestNumber),
      [2],
    )
  })

  it('leaves a node without a majority, and retries there under the same number', async () => {
    const cluster = new ScriptedCluster()
    const { sdk, first, second } = await connectToOneOf(await node(cluster), await node(cluster))
    first.script = () => refusal('NO_QUORUM')
    assert.equal((await sdk.kv.put('a', '')).revision, 1n)
    assert.deepEqual(
      second.requests.map((request) => request.requestNumber),
      [2],
    )
  })

  it('stays with a node that is overloaded, and retries under the same number', async () => {
    const cluster = new ScriptedCluster()
    const only = await node(cluster)
    let refusals = 2
    only.script = (request, at) => (refusals-- > 0 ? refusal('OVERLOADED') : cluster.apply(at.clientId, request))
    await client(only.endpoint).kv.put('a', '')
    assert.deepEqual(
      only.requests.map((request) => request.requestNumber),
      [1, 1, 1],
    )
    assert.deepEqual(only.hellos, [0])
  })

  it('retries reads and numbers them apart from commands', async () => {
    const cluster = new ScriptedCluster()
    const { sdk, first, second } = await connectToOneOf(await node(cluster), await node(cluster))
    const get = { slot: 0, outcome: { $case: 'get', value: { header: undefined, pair: undefined, revision: 9n } } } as const
    first.script = silent
    second.script = () => get
    const read = sdk.kv.get('a')
    await first.until(() => first.requests.length === 2)
    first.breakStream()
    assert.equal((await read).revision, 9n)
    assert.deepEqual(
      second.requests.map(({ requestNumber, body }) => [requestNumber, body?.$case]),
      [[1, 'query']],
    )
  })

  it('tells the slot in which a repeated operation took effect the first time', async () => {
    const only = await node(new ScriptedCluster(), () => ({ ...putResult(1), slot: 3 }))
    const sdk = client(only.endpoint)
    assert.equal((await sdk.kv.put('a', '', { requestId: 'r' })).header?.slot, 3)
    only.script = () => putResult(1)
    assert.equal((await sdk.kv.put('a', '')).header?.slot, ANSWER_SLOT)
  })

  it('opens no session for reads; those after the first command go with its session', async () => {
    const get = { slot: 0, outcome: { $case: 'get', value: { header: undefined, pair: undefined, revision: 9n } } } as const
    const cluster = new ScriptedCluster()
    const only = await node(cluster, (request, at) =>
      request.body?.$case === 'query' ? get : cluster.apply(at.clientId, request),
    )
    const sdk = client(only.endpoint)
    await Promise.all([sdk.kv.get('a'), sdk.kv.get('b', { consistency: Consistency.STALE })])
    assert.deepEqual([only.hellos, cluster.sessions.size], [['reads'], 0])
    await sdk.kv.put('a', '')
    await sdk.kv.get('a')
    assert.deepEqual([only.hellos, cluster.sessions.size], [['reads', 0], 1])
    assert.equal(only.requests.length, 4)
  })

  it('sends a read through the log as a command', async () => {
    const get = { slot: 0, outcome: { $case: 'get', value: { header: undefined, pair: undefined, revision: 9n } } } as const
    const only = await node(new ScriptedCluster(), () => get)
    await client(only.endpoint).kv.get('a', { consistency: Consistency.LOG })
    assert.equal(only.requests[0]?.body?.$case, 'command')
  })

  it('says that the outcome is unknown when the deadline passes after a command was sent', async () => {
    const only = await node(new ScriptedCluster(), silent)
    const sdk = client(only.endpoint)
    await assert.rejects(sdk.kv.put('a', '', { timeoutMs: 100 }), isError('OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', false))
    only.script = () => putResult(1)
    await sdk.kv.put('b', '')
    assert.equal(only.frames.at(-1)?.firstUnacknowledged, 2, 'what was given up is acknowledged: nobody will ask for it again')
  })

  it('says UNREACHABLE when no connection came about, where it was tried, and who was met there', async () => {
    const endpoint = await freeAddress()
    const put = client(endpoint).kv.put('a', '', { timeoutMs: 500 })
    await assert.rejects(put, isError('UNAVAILABLE', 'UNREACHABLE', true))
    await assert.rejects(put, { message: `no node can be reached; ${endpoint}: nothing listens there (connection refused)` })
  })

  it('says UNREACHABLE, and who is met, when the node has gone after the connection and another program has its place', async () => {
    const only = await node(new ScriptedCluster(), () => putResult(1))
    const sdk = client(only.endpoint)
    await sdk.kv.put('a', '')
    only.stop()
    const other = new Server()
    await new Promise((resolve) => other.bindAsync(only.endpoint, ServerCredentials.createInsecure(), resolve))
    await assert.rejects(sdk.kv.get('a', { timeoutMs: 1_000 }), (error) => {
      assert.ok(isError('UNAVAILABLE', 'UNREACHABLE', true)(error))
      assert.match((error as Error).message, /a gRPC server answers that does not serve Synod's clients/)
      return true
    })
    other.forceShutdown()
  })

  it('says UNREACHABLE, and for how long it has waited, when the only endpoint is silent', async (t) => {
    const deaf = createServer((socket) => socket.unref()).listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    t.after(() => deaf.close())
    const { port } = deaf.address() as AddressInfo
    const get = client(`127.0.0.1:${port}`).kv.get('a', { timeoutMs: 200 })
    await assert.rejects(get, isError('UNAVAILABLE', 'UNREACHABLE', true))
    await assert.rejects(get, /127.0.0.1:\d+ does not let this client in; 127.0.0.1:\d+ has said nothing for \d+ ms/)
  })

  it('does not spend a short deadline on an endpoint that is silent', async (t) => {
    // Its connections hold up nothing: nobody closes them.
    const deaf = createServer((socket) => socket.unref()).listen(0, '127.0.0.1')
    await once(deaf, 'listening')
    t.after(() => deaf.close())
    const cluster = new ScriptedCluster()
    const good = await node(cluster, () => putResult(1))
    const { port } = deaf.address() as AddressInfo
    // Whichever of the two each of them begins with.
    for (let i = 0; i < 4; i++) {
      await client([`127.0.0.1:${port}`, good.endpoint]).kv.put('a', '', { timeoutMs: 2_000 })
    }
  })

  it('says OVERLOADED when every try was refused as such', async () => {
    const only = await node(new ScriptedCluster(), () => refusal('OVERLOADED'))
    const put = client(only.endpoint).kv.put('a', '', { timeoutMs: 200 })
    await assert.rejects(put, isError('RESOURCE_EXHAUSTED', 'OVERLOADED', true))
  })

  it('says that a retry is safe when a read finds no answer in time', async () => {
    const only = await node(new ScriptedCluster(), silent)
    await assert.rejects(client(only.endpoint).kv.get('a', { timeoutMs: 100 }), isError('UNAVAILABLE', 'NO_QUORUM', true))
  })

  it('opens a new session for commands that the cluster refused because it had forgotten the client', async () => {
    const cluster = new ScriptedCluster()
    const only = await node(cluster)
    const sdk = client(only.endpoint)
    await sdk.kv.put('a', '')
    cluster.sessions.clear()
    await Promise.all([sdk.kv.put('b', ''), sdk.kv.put('c', '')])
    assert.deepEqual(cluster.applied, ['1/1:a', '2/1:b', '2/2:c'])
    assert.deepEqual(only.hellos, [0, 0])
  })

  it('says that the outcome is unknown of a command sent before the session expired', async () => {
    const cluster = new ScriptedCluster()
    const { sdk, first } = await connectToOneOf(await node(cluster), await node(cluster))
    first.script = silent
    const put = sdk.kv.put('a', '')
    const rejected = assert.rejects(put, isError('OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', false))
    await first.until(() => first.requests.length === 2)
    cluster.sessions.clear()
    first.breakStream()
    await rejected
    assert.equal((await sdk.kv.put('b', '')).revision, 1n)
    assert.deepEqual(cluster.applied, ['2/1:b'])
  })

  it('closes its session when it is closed itself', async () => {
    const cluster = new ScriptedCluster()
    const only = await node(cluster)
    const sdk = client(only.endpoint)
    await sdk.kv.put('a', '')
    assert.equal(cluster.sessions.size, 1)
    sdk.close()
    await only.until(() => cluster.sessions.size === 0)
  })

  it('asks again under another number what found no room in the session, whoever had asked for it before', async () => {
    const cluster = new ScriptedCluster()
    const { sdk, first, second } = await connectToOneOf(await node(cluster), await node(cluster))
    first.script = silent
    second.script = (request) => (request.requestNumber === 2 ? refusal('SESSION_FULL') : putResult(request.requestNumber))
    const put = sdk.kv.put('a', '')
    await first.until(() => first.requests.length === 2)
    first.breakStream()
    assert.equal((await put).revision, 3n)
    assert.deepEqual(
      second.requests.map((request) => request.requestNumber),
      [2, 3],
    )
    assert.equal(second.frames.at(-1)?.firstUnacknowledged, 3)
  })

  it('has no more than 4,096 commands from the first unanswered one on under way', async () => {
    const only = await node(new ScriptedCluster(), (request) => (request.requestNumber === 1 ? undefined : putResult(1)))
    const sdk = client(only.endpoint, { maxInFlight: 8_192 })
    const [held, ...others] = Array.from({ length: 5_000 }, () => sdk.kv.put('a', ''))
    await Promise.all(others.slice(0, 4_095))
    assert.equal(only.requests.length, 4_096)
    only.answer({ request: only.requests[0] ?? assert.fail(), result: putResult(1) })
    await Promise.all([held, ...others])
  })

  it('holds back what is more than may be in flight, and refuses what is more than may wait', async () => {
    const only = await node(new ScriptedCluster(), silent)
    const sdk = client(only.endpoint, { maxInFlight: 2, maxQueued: 3 })
    const puts = ['a', 'b', 'c'].map((key) => sdk.kv.put(key, ''))
    await assert.rejects(sdk.kv.put('d', ''), isError('RESOURCE_EXHAUSTED', 'OVERLOADED', true))
    await only.until(() => only.requests.length === 2)
    const [a, b] = only.requests as [Request, Request]
    only.answer({ request: a, result: putResult(1) })
    await only.until(() => only.requests.length === 3)
    const [, , c] = only.requests as [Request, Request, Request]
    only.answer({ request: b, result: putResult(2) }, { request: c, result: putResult(3) })
    assert.deepEqual(
      (await Promise.all(puts)).map((answer) => answer.revision),
      [1n, 2n, 3n],
    )
  })

  it('splits what is too large for one frame', async () => {
    const only = await node(new ScriptedCluster())
    const value = new Uint8Array(1_000_000)
    const sdk = client(only.endpoint)
    await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => sdk.kv.put(key, value)))
    assert.deepEqual(
      only.frames.map((frame) => frame.requests.length),
      [4, 1],
    )
  })

  it('passes a refusal on with its status, and does not retry it', async () => {
    const only = await node(new ScriptedCluster(), () => refusal('INSUFFICIENT_FUNDS'))
    const transfer = { transferId: 't', sourceAccountId: 'a', destinationAccountId: 'b', amount: 1n }
    const refused = client(only.endpoint).bank.transfer(transfer)
    await assert.rejects(refused, isError('FAILED_PRECONDITION', 'INSUFFICIENT_FUNDS', false))
    assert.equal(only.requests.length, 1)
  })

  it('refuses what cannot be encoded before it is sent', async () => {
    const sdk = client(await freeAddress())
    const invalid = isError('INVALID_ARGUMENT', 'INVALID_ARGUMENT', false)
    await assert.rejects(sdk.kv.put('half \ud83d', ''), invalid)
    await assert.rejects(sdk.kv.put('a', 'half \ud83d'), invalid)
    await assert.rejects(sdk.kv.put('a', new Uint8Array(5_000_000)), invalid)
    await assert.rejects(sdk.bank.withdraw({ withdrawalId: 'w', accountId: 'a', amount: 2n ** 63n }), invalid)
    await assert.rejects(sdk.kv.put('a', '', { timeoutMs: 0 }), invalid)
    assert.throws(() => connect({ endpoints: 'nowhere' }), invalid)
    assert.throws(() => connect({ endpoints: [] }), invalid)
  })

  it('settles everything when it is closed', async () => {
    const only = await node(new ScriptedCluster(), silent)
    const sdk = client(only.endpoint, { maxInFlight: 1 })
    const sent = assert.rejects(sdk.kv.put('a', ''), isError('OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', false))
    const waiting = assert.rejects(sdk.kv.put('b', ''), isError('CANCELLED', 'CLIENT_CLOSED', false))
    await only.until(() => only.requests.length === 1)
    sdk.close()
    await Promise.all([sent, waiting, assert.rejects(sdk.kv.put('c', ''), isError('CANCELLED', 'CLIENT_CLOSED', false))])
  })

  it('keeps trying through a stream that ends with any status', async () => {
    const cluster = new ScriptedCluster()
    const only = await node(cluster)
    let breaks = 2
    only.script = (request, at) => {
      if (breaks-- <= 0) return cluster.apply(at.clientId, request)
      at.breakStream(status.INTERNAL)
      return undefined
    }
    assert.equal((await client(only.endpoint).kv.put('a', '')).revision, 1n)
    assert.deepEqual(only.hellos, [0, 1, 1])
  })
})

function isError(code: string, reason: string, retrySafe: boolean): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof SynodError, String(error))
    assert.deepEqual({ code: error.code, reason: error.reason, retrySafe: error.retrySafe }, { code, reason, retrySafe })
    return true
  }
}
