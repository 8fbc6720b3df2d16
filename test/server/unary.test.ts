import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, connect as connectHttp2, type IncomingHttpHeaders } from 'node:http2'
import { describe, it } from 'node:test'
import { type ServiceError, status } from '@grpc/grpc-js'
import { ListAccountsRequest } from '../../src/gen/synod/bank/v1/bank.js'
import { Consistency } from '../../src/gen/synod/common/v1/common.js'
import { GetRequest, ListRequest, PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import type { MemberErrorCode } from '../../src/host/api.js'
import { call, connectTo, failureOf, told } from './client.js'
import { serve } from './server.js'
import { getQuery, nameOf, SessionClient } from './session-client.js'

const PUT = PutRequest.fromPartial({ key: 'a', value: new Uint8Array([1]) })

describe('a unary call', () => {
  const statuses: [MemberErrorCode, status][] = [
    ['NO_QUORUM', status.UNAVAILABLE],
    ['OUTCOME_UNKNOWN', status.DEADLINE_EXCEEDED],
    ['OVERLOADED', status.RESOURCE_EXHAUSTED],
    ['NOT_JOINED', status.UNAVAILABLE],
    ['STOPPED', status.UNAVAILABLE],
  ]
  for (const [reason, code] of statuses) {
    it(`ends with ${status[code]} and ${reason} when the member says so`, async (t) => {
      const { clients, member } = await serve(t)
      member.failure = reason
      const failure = await failureOf(call(clients.kv, 'put', PUT))
      assert.deepEqual([failure.code, failure.reason], [code, reason])
    })
  }

  for (const days of [24.9, 25, 50, 3_000]) {
    it(`with a deadline ${days} days away is carried out and answered`, async (t) => {
      const { clients, member } = await serve(t)
      const { revision } = await call(clients.kv, 'put', PUT, days * 86_400_000)
      assert.deepEqual([revision, member.timeoutsMs], [2n, [3_600_000]])
    })
  }

  it('whose time is over when it comes is not begun, and nine digits are not read as the last eight', async (t) => {
    const { server, member } = await serve(t)
    const session = connectHttp2(`http://${server.address}`)
    t.after(() => session.destroy())
    const put = PutRequest.encode(PUT).finish()
    const putWithin = (timeout: string): Promise<string> => startRaw(session, 'Put', put, { 'grpc-timeout': timeout })
    assert.deepEqual([await putWithin('0S'), await putWithin('1n'), member.timeoutsMs], ['4', '4', []])
    assert.equal(await putWithin('100000000H'), 'unread')
    assert.deepEqual(member.timeoutsMs, [3_600_000])
  })

  it('is refused by a node that has not joined, whatever it asks but how the node is', async (t) => {
    const { clients, member } = await serve(t)
    member.isJoined = false
    const calls = [
      () => call(clients.kv, 'put', PUT),
      () => call(clients.kv, 'get', GetRequest.fromPartial({ key: 'a', consistency: Consistency.STALE })),
      () => call(clients.kv, 'list', ListRequest.fromPartial({ prefix: 'a' })),
      () => call(clients.bank, 'listAccounts', ListAccountsRequest.fromPartial({ consistency: Consistency.STALE })),
      () => call(clients.cluster, 'listMembers', {}),
      () => call(clients.cluster, 'promoteMember', { nodeId: 2 }),
      () => call(clients.cluster, 'transferLeadership', { nodeId: 2 }),
    ]
    for (const ask of calls) {
      const { code, reason } = await failureOf(ask())
      assert.deepEqual([code, reason], [status.UNAVAILABLE, 'NOT_JOINED'])
    }
    for (const stream of [clients.session.connect(), clients.cluster.checkpoint({ consistency: Consistency.STALE })]) {
      const failure = await new Promise<ServiceError>((resolve) => stream.on('error', resolve).resume())
      assert.equal(told(failure).reason, 'NOT_JOINED')
    }
    assert.equal((await call(clients.cluster, 'status', {})).nodeId, 1)
    assert.equal(member.submitted.length + member.timeoutsMs.length, 0)
  })

  it('waits for a cluster that is being founded, unless it asks this node alone', async (t) => {
    const { clients, member } = await serve(t)
    Object.assign(member, { isJoined: false, isForming: true })
    await call(clients.kv, 'put', PUT)
    const stale = await failureOf(call(clients.kv, 'get', GetRequest.fromPartial({ key: 'a', consistency: Consistency.STALE })))
    assert.equal(stale.reason, 'NOT_JOINED')
    const session = new SessionClient(clients.session)
    await session.open()
    session.send(1, getQuery(1, 'a', Consistency.STALE), getQuery(2, 'a'))
    assert.deepEqual((await session.receive(2)).map(nameOf).toSorted(), ['NOT_JOINED', 'get'])
  })

  it('is answered before its own deadline, so that the reason arrives', async (t) => {
    const { clients, member } = await serve(t)
    member.isSilent = true
    const failure = await failureOf(call(clients.kv, 'put', PUT, 1_000))
    assert.equal(failure.reason, 'OUTCOME_UNKNOWN')
    const [timeoutMs] = member.timeoutsMs
    assert(timeoutMs !== undefined && timeoutMs > 500 && timeoutMs <= 900, `a tenth is kept back of what is left: ${timeoutMs}`)
  })

  it('keeps back 100 ms of a long deadline, and has 10 s without one', async (t) => {
    const { clients, member } = await serve(t)
    await call(clients.kv, 'put', PUT, 60_000)
    await new Promise((resolve) => clients.kv.put(PUT, resolve))
    const [long, none] = member.timeoutsMs
    assert(long !== undefined && long > 50_000 && long <= 59_900, `${long}`)
    assert.equal(none, 10_000)
  })

  it('does not hang when something fails that nobody foresaw; the log tells what, the client is not told', async (t) => {
    const { clients, member, logged } = await serve(t)
    member.bug = new TypeError('secret of the house')
    const failure = await failureOf(call(clients.kv, 'put', PUT))
    assert.deepEqual([failure.code, failure.reason], [status.INTERNAL, 'INTERNAL'])
    assert.doesNotMatch(failure.message, /secret/)
    assert.match(logged.join(''), /secret of the house.*"method":"\/synod.kv.v1.KeyValueService\/Put"/)
  })

  it('is refused at once when too many are in flight', async (t) => {
    const { clients, member, server } = await serve(t, { callsInFlightMax: 4 })
    member.isHolding = true
    const held = [call(clients.kv, 'put', PUT), call(clients.kv, 'put', PUT)]
    while (member.heldCount < 2) await new Promise((resolve) => setImmediate(resolve))
    const failure = await failureOf(call(clients.kv, 'put', PUT))
    assert.deepEqual([failure.code, failure.reason], [status.RESOURCE_EXHAUSTED, 'OVERLOADED'])
    // One connection takes half of what there is; another one is served.
    const others = connectTo(server.address)
    t.after(() => others.close())
    held.push(call(others.kv, 'put', PUT))
    while (member.heldCount < 3) await new Promise((resolve) => setImmediate(resolve))
    member.isHolding = false
    member.release()
    await Promise.all(held)
    await call(clients.kv, 'put', PUT)
  })

  it('that only reads is refused while its client has not taken the answers before; others are served', async (t) => {
    const { clients, server } = await serve(t, { untakenBytesMax: 1_000_000 })
    await call(clients.kv, 'put', PutRequest.fromPartial({ key: 'large', value: new Uint8Array(300_000) }))
    const greedy = connectHttp2(`http://${server.address}`, { settings: { initialWindowSize: 1_000 } })
    t.after(() => greedy.destroy())
    const ended = Array.from({ length: 6 }, () => startUnread(greedy, ListRequest.fromPartial({ prefix: 'large' })))
    const statuses = await Promise.all(ended)
    // One connection takes half of what there is, and the answer that goes past it.
    assert.deepEqual(statuses.toSorted(), ['8', '8', '8', '8', 'unread', 'unread'])
    assert.equal((await call(clients.kv, 'get', GetRequest.fromPartial({ key: 'large' }))).pair?.value.length, 300_000)
    assert.equal(await startUnread(greedy, ListRequest.fromPartial({ prefix: 'none' })), '8')
    greedy.destroy()
    const patient = connectHttp2(`http://${server.address}`, { settings: { initialWindowSize: 1_000 } })
    t.after(() => patient.destroy())
    // The second one has room only when the server has noticed that the greedy client is gone.
    for (let unread = 0; unread < 2; )
      if ((await startUnread(patient, ListRequest.fromPartial({ prefix: 'large' }))) === 'unread') unread++
  })
})

function startUnread(session: ClientHttp2Session, request: ListRequest): Promise<string> {
  return startRaw(session, 'List', ListRequest.encode(request).finish())
}

/** Asks, and reads no more of the answer than its headers: resolves with the status, or `unread` where an answer follows. */
async function startRaw(
  session: ClientHttp2Session,
  method: string,
  message: Uint8Array,
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  const headers = { 'content-type': 'application/grpc', te: 'trailers', ...more }
  const stream = session.request({ ':method': 'POST', ':path': `/synod.kv.v1.KeyValueService/${method}`, ...headers })
  stream.on('error', () => undefined)
  stream.end(frame)
  const [response] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  return String(response['grpc-status'] ?? 'unread')
}
