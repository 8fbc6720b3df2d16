import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { Consistency } from '../../src/gen/synod/common/v1/common.js'
import { ConnectRequest, Result } from '../../src/gen/synod/session/v1/session.js'
import { call, failureOf, told } from './client.js'
import { serve } from './server.js'
import { getQuery, nameOf, outcomeOf, putRequest, SessionClient } from './session-client.js'
import { CLUSTER_ID, type SingleMember } from './single-member.js'

/** Lets the server's event loop come round. */
async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function untilSubmitted(member: SingleMember, count: number): Promise<void> {
  while (member.submitted.length < count) await turns(1)
}

/** Asks for nothing much until the answer is this one: when another stream's buffer is full or has drained, this one is not told. */
async function retriedUntil(session: SessionClient, name: string): Promise<void> {
  for (;;) {
    session.send(1, getQuery(1, 'none', Consistency.STALE))
    const [answer] = await session.receive(1)
    if (answer !== undefined && nameOf(answer) === name) return
  }
}

/** A frame with a field that no version has. */
function withField77(request: ConnectRequest): Buffer {
  return Buffer.concat([ConnectRequest.encode(request).finish(), Buffer.from([0xe8, 0x04, 0x01])])
}

/** A message whose every last field is a message, one within the other, with more at the end of the innermost of four. */
function lengthened(bytes: Buffer, more: Uint8Array): Buffer {
  const longer = Buffer.concat([bytes, more])
  // ConnectRequest.requests, RequestFrame.requests, Request.query, Query.get: none is longer than 127 bytes.
  let at = 0
  for (const skipped of [0, 2, 2, 0]) {
    at += skipped
    longer[at + 1] = (longer[at + 1] ?? 0) + more.length
    at += 2
  }
  return longer
}

describe('a session stream', () => {
  it('opens a session, or goes on with one, and tells who leads', async (t) => {
    const { clients } = await serve(t)
    const first = await new SessionClient(clients.session).open()
    const { token, ...rest } = first
    assert.deepEqual(rest, { clientId: 2, clusterId: CLUSTER_ID, nodeId: 1, leaderAddress: '127.0.0.1:7101' })
    assert.equal(token.length, 16)
    const { clientId, token: same } = await new SessionClient(clients.session).open(first)
    assert.deepEqual([clientId, same], [first.clientId, token])
    assert.equal((await new SessionClient(clients.session).open()).clientId, 3)
  })

  it('opens no session for who only reads, and takes no command from them', async (t) => {
    const { clients, member } = await serve(t)
    member.failure = 'NO_QUORUM'
    const reader = new SessionClient(clients.session)
    reader.hello(undefined, true)
    reader.send(1, getQuery(1, 'a', Consistency.STALE), putRequest(2, 'a'))
    const answers = await reader.receive(2)
    assert.equal(reader.welcome?.clientId, 0)
    assert.deepEqual(answers.map(nameOf).toSorted(), ['INVALID_ARGUMENT', 'get'])
    const other = new SessionClient(clients.session)
    other.hello({ clientId: 2, token: new Uint8Array(16) }, true)
    assert.equal((await other.failure).code, status.INVALID_ARGUMENT)
  })

  it('is refused what only reads while its connection has not taken the answers before', async (t) => {
    const { clients } = await serve(t, { untakenBytesMax: 1_000_000 })
    const [greedy, other] = [new SessionClient(clients.session), new SessionClient(clients.session)]
    await greedy.open()
    await other.open()
    greedy.send(1, putRequest(1, 'large', 'x'.repeat(600_000)))
    await greedy.receive(1)
    greedy.stream.pause()
    greedy.send(2, ...[2, 3, 4, 5].map((number) => getQuery(number, 'large', Consistency.STALE)))
    await retriedUntil(other, 'OVERLOADED')
    greedy.stream.resume()
    assert.deepEqual((await greedy.receive(4)).map(nameOf), ['get', 'get', 'get', 'get'])
    await retriedUntil(other, 'get')
  })

  it('reads between two slots, never the half of one', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    session.send(1, putRequest(1, 'a', 'whole'))
    await session.receive(1)
    member.isReadable = false
    session.send(2, getQuery(2, 'a', Consistency.STALE), getQuery(3, 'a'), getQuery(4, 'b', Consistency.STALE))
    while (member.readerCount === 0) await turns(1)
    await turns(3)
    member.endSlot()
    const answers = await session.receive(3)
    assert.deepEqual(answers.map(nameOf), ['get', 'get', 'get'])
    const unary = call(clients.kv, 'get', { key: 'a', consistency: Consistency.STALE })
    while (member.readerCount === 0) await turns(1)
    member.endSlot()
    assert.equal((await unary).pair?.key, 'a')
  })

  it('carries many commands in a frame and answers them together', async (t) => {
    const { clients } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    session.send(1, ...Array.from({ length: 1_000 }, (_, i) => putRequest(i + 1, `key-${i}`)))
    const answers = await session.receive(1_000)
    assert.equal(session.frameCount, 1)
    assert.deepEqual(
      answers.map(({ requestNumber }) => requestNumber),
      Array.from({ length: 1_000 }, (_, i) => i + 1),
    )
    assert(answers.every((answer) => nameOf(answer) === 'put' && !answer.query))
    assert.deepEqual(
      answers.slice(0, 3).map(({ slot }) => slot),
      [2, 3, 4],
    )
  })

  it('refuses a command, and a query, with a field that this version does not know', async (t) => {
    const { clients, member } = await serve(t)
    const unknown = Buffer.from([0xf8, 0x3f, 0x01])
    const session = new SessionClient(clients.session, (request) => {
      const bytes = Buffer.from(ConnectRequest.encode(request).finish())
      // Behind the get of a query, which is the last field of its frame.
      return request.frame?.$case === 'requests' ? lengthened(bytes, unknown) : bytes
    })
    await session.open()
    session.send(1, getQuery(1, 'a'))
    const command = Buffer.concat([Buffer.from('0a030a0161', 'hex'), unknown])
    const plain = new SessionClient(clients.session)
    await plain.open()
    plain.send(1, { requestNumber: 1, body: { $case: 'command', value: command } })
    const reasons = [...(await session.receive(1)), ...(await plain.receive(1))].map(({ result }) => {
      const { outcome } = Result.decode(result)
      return outcome?.$case === 'refusal' ? [outcome.value.reason, outcome.value.fieldViolations[0]?.field] : []
    })
    assert.deepEqual(reasons, [
      ['LEVEL_TOO_LOW', 'requests.requests[0].query.get.1023'],
      ['LEVEL_TOO_LOW', '1023'],
    ])
    assert.deepEqual(member.submitted, [])
  })

  it('refuses a hello, and each request of a frame, with a field that this version does not know beside them', async (t) => {
    const { clients, member } = await serve(t)
    const hello = new SessionClient(clients.session, withField77)
    hello.hello()
    assert.match(told(await hello.failure).reason, /LEVEL_TOO_LOW/)
    const session = new SessionClient(clients.session, (request) =>
      request.frame?.$case === 'hello' ? Buffer.from(ConnectRequest.encode(request).finish()) : withField77(request),
    )
    await session.open()
    session.send(1, putRequest(1, 'a'), putRequest(2, 'b'))
    for (const { result } of await session.receive(2)) {
      const { outcome } = Result.decode(result)
      assert.ok(outcome?.$case === 'refusal' && outcome.value.reason === 'LEVEL_TOO_LOW')
    }
    assert.deepEqual(member.submitted, [])
  })

  it('hands the bytes of a command on as they are', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    const { clientId, token } = await session.open()
    // As no encoder of ours would write it: the default of a field stands in it.
    const command = Buffer.from('0a0a0a0161120020002a017a', 'hex')
    session.send(1, { requestNumber: 1, body: { $case: 'command', value: command } })
    await session.receive(1)
    const [submitted] = member.submitted
    assert.deepEqual(
      { ...submitted, command: Buffer.from(submitted?.command ?? []) },
      {
        clientId,
        token,
        requestNumber: 1,
        firstUnacknowledged: 1,
        command,
      },
    )
  })

  it('gives a retry the first answer, on another stream too', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    const name = await session.open()
    session.send(1, putRequest(1, 'a', 'first'))
    const [first] = await session.receive(1)
    session.stream.cancel()
    await session.failure

    const again = new SessionClient(clients.session)
    await again.open(name)
    again.send(1, putRequest(1, 'a', 'first'))
    assert.deepEqual(await again.receive(1), [first])

    again.send(2, putRequest(1, 'a', 'first'), putRequest(2, 'b'))
    const [forgotten, second] = await again.receive(2)
    assert.deepEqual([nameOf(forgotten), nameOf(second)], ['ALREADY_ACKNOWLEDGED', 'put'])
    // The member is promised that no request is below the client's own first unacknowledged one.
    assert(member.submitted.every((request) => request.firstUnacknowledged <= request.requestNumber))
  })

  it('goes on with, and closes, the session of whoever knows its token, and of nobody else', async (t) => {
    const { clients } = await serve(t)
    const own = new SessionClient(clients.session)
    const { clientId, token } = await own.open()
    own.send(1, putRequest(1, 'a', 'first'))
    const [first] = await own.receive(1)
    const guess = Buffer.from(token).map((byte) => byte ^ 1)
    const thief = new SessionClient(clients.session)
    await thief.open({ clientId, token: guess })
    thief.send(1, putRequest(1, 'a', 'first'))
    assert.deepEqual((await thief.receive(1)).map(nameOf), ['SESSION_EXPIRED'])
    thief.send(Number.MAX_SAFE_INTEGER, putRequest(Number.MAX_SAFE_INTEGER, 'a'))
    assert.deepEqual((await thief.receive(1)).map(nameOf), ['SESSION_EXPIRED'])
    assert.equal((await call(clients.session, 'closeSession', { clientId, token: guess })).closed, false)
    for (const name of [{ clientId }, { clientId, token: token.subarray(1) }, { clientId: 0, token }]) {
      const nobody = new SessionClient(clients.session)
      nobody.hello({ token: new Uint8Array(), ...name })
      assert.equal(told(await nobody.failure).reason, 'INVALID_ARGUMENT')
    }

    own.send(Number.MAX_SAFE_INTEGER, putRequest(Number.MAX_SAFE_INTEGER, 'a'))
    assert.deepEqual((await own.receive(1)).map(nameOf), ['BEYOND_ASKED'])
    own.send(1, putRequest(1, 'a', 'other'), putRequest(1, 'a', 'first'))
    const [other, again] = await own.receive(2)
    assert.deepEqual([nameOf(other), again], ['ID_REUSED', first])

    const { closed, header } = await call(clients.session, 'closeSession', { clientId, token })
    assert.deepEqual([closed, header?.clusterId], [true, CLUSTER_ID])
    assert.equal((await call(clients.session, 'closeSession', { clientId, token })).closed, false)
    own.send(1, putRequest(1, 'a', 'first'))
    assert.deepEqual((await own.receive(1)).map(nameOf), ['SESSION_EXPIRED'])
    const { fields } = await failureOf(call(clients.session, 'closeSession', { clientId: 0, token }))
    assert.deepEqual(fields, ['client_id'])
  })

  it('refuses one bad request without harm to the others', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    session.send(
      1,
      putRequest(0, 'a'),
      putRequest(1, ''),
      { requestNumber: 2, body: { $case: 'command', value: Buffer.from([0xff]) } },
      { requestNumber: 3, body: undefined },
      getQuery(4, ''),
      putRequest(5, 'good'),
    )
    const answers = (await session.receive(6)).toSorted((a, b) => a.requestNumber - b.requestNumber)
    assert.deepEqual(
      answers.map((answer) => nameOf(answer)),
      [...Array.from({ length: 5 }, () => 'INVALID_ARGUMENT'), 'put'],
    )
    const outcome = outcomeOf(answers[1])
    assert(outcome?.$case === 'refusal')
    assert.deepEqual(
      outcome.value.fieldViolations.map(({ field }) => field),
      ['key'],
    )
    assert.equal(answers[4]?.query, true)
    assert.equal(member.submitted.length, 1)
  })

  it('answers what the member refuses with the reason, and lives on', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    for (const reason of ['NO_QUORUM', 'OUTCOME_UNKNOWN', 'OVERLOADED', 'STOPPED', 'SESSION_EXPIRED'] as const) {
      member.failure = reason
      session.send(1, putRequest(1, 'a'), getQuery(1, 'a'), getQuery(2, 'a', Consistency.LOG))
      assert.deepEqual((await session.receive(3)).map(nameOf), [reason, reason, reason])
    }
    member.failure = undefined
    session.send(1, putRequest(1, 'a'))
    assert.deepEqual((await session.receive(1)).map(nameOf), ['put'])
  })

  it('asks for one read index for all linearizable queries of a frame', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    session.send(1, putRequest(1, 'a', 'x'))
    await session.receive(1)
    const queries = Array.from({ length: 100 }, (_, i) => getQuery(i, 'a', i % 2 === 0 ? 0 : 1))
    session.send(2, ...queries, getQuery(100, 'a', Consistency.STALE))
    const answers = await session.receive(101)
    assert.equal(member.readIndexCount, 1)
    session.send(2, getQuery(101, 'a', Consistency.LOG))
    answers.push(...(await session.receive(1)))
    assert.equal(answers.length, 102)
    for (const answer of answers) {
      const outcome = outcomeOf(answer)
      assert(outcome?.$case === 'get' && answer.query)
      assert.equal(Buffer.from(outcome.value.pair?.value ?? []).toString(), 'x')
      assert.equal(answer.slot, answer.requestNumber === 101 ? 3 : 2)
    }
  })

  it('is not read on while too much is in flight', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    member.isHolding = true
    for (let frame = 0; frame < 4; frame++) {
      session.send(1, ...Array.from({ length: 1_024 }, (_, i) => putRequest(frame * 1_024 + i + 1, 'a')))
    }
    await untilSubmitted(member, 2_048)
    await turns(50)
    assert.equal(member.submitted.length, 2_048)

    member.release(1)
    await untilSubmitted(member, 2_048 + 1_024)
    await turns(50)
    assert.equal(member.submitted.length, 2_048 + 1_024)

    member.isHolding = false
    member.release()
    await session.receive(4 * 1_024)
  })

  it('makes no answers that the client does not take', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    session.send(1, putRequest(1, 'a', 'x'.repeat(100_000)))
    await session.receive(1)
    const { mock } = t.mock.method(member.machine, 'read')
    session.stream.pause()
    session.send(2, ...Array.from({ length: 500 }, (_, i) => getQuery(i, 'a', Consistency.STALE)))
    while (mock.callCount() === 0) await turns(1)
    await turns(200)
    assert(mock.callCount() < 250, `${mock.callCount()} answers of 100 kB were made for a client that does not read`)
    session.stream.resume()
    await session.receive(500)
    assert.equal(mock.callCount(), 500)
  })

  it('is ended with a reason when the client breaks the protocol', async (t) => {
    const { clients } = await serve(t)
    const breaches: ((session: SessionClient) => void)[] = [
      (session) => session.send(1, putRequest(1, 'a')),
      (session) => session.stream.write({ frame: undefined }),
      (session) => {
        session.hello()
        session.hello()
      },
      (session) => {
        session.hello()
        session.send(1, ...Array.from({ length: 8_193 }, (_, i) => getQuery(i, 'a')))
      },
    ]
    for (const breach of breaches) {
      const session = new SessionClient(clients.session)
      breach(session)
      const { code, reason } = told(await session.failure)
      assert.deepEqual({ code, reason }, { code: status.INVALID_ARGUMENT, reason: 'INVALID_ARGUMENT' })
    }
  })

  it('is ended when no session can be opened for it', async (t) => {
    const { clients, member } = await serve(t)
    member.failure = 'NO_QUORUM'
    const session = new SessionClient(clients.session)
    session.hello()
    const { code, reason } = told(await session.failure)
    assert.deepEqual({ code, reason }, { code: status.UNAVAILABLE, reason: 'NO_QUORUM' })
  })

  it('answers what is in flight when the client has said its last', async (t) => {
    const { clients, member } = await serve(t)
    const session = new SessionClient(clients.session)
    await session.open()
    member.isHolding = true
    session.send(1, putRequest(1, 'a'))
    session.stream.end()
    await untilSubmitted(member, 1)
    await turns(20)
    assert.equal(session.hasEnded, false)
    member.release()
    assert.deepEqual((await session.receive(1)).map(nameOf), ['put'])
    await session.until(() => session.hasEnded)
  })
})
