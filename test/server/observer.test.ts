import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { EventObserver } from '../../src/observer/observer.js'
import { call, failureOf } from './client.js'
import { serve } from './server.js'
import { SessionClient } from './session-client.js'

const PUT = PutRequest.fromPartial({ key: 'a', value: new Uint8Array([1]) })

it('the doors report each call with its status, and each stream', async (t) => {
  const events: string[] = []
  const ends = new EventEmitter()
  const streamClosed = once(ends, 'closed')
  const observer = new EventObserver({
    callAnswered: ({ method, statusCode, durationMs }) => {
      assert.ok(durationMs > 0 && durationMs < 5_000)
      events.push(`${method} ${status[statusCode]}`)
    },
    streamOpened: ({ method }) => void events.push(`${method} opened`),
    streamClosed: ({ method }) => {
      events.push(`${method} closed`)
      ends.emit('closed')
    },
  })
  const { clients, member } = await serve(t, { observer })
  await call(clients.kv, 'put', PUT)
  member.failure = 'NO_QUORUM'
  await failureOf(call(clients.kv, 'put', PUT))
  member.failure = undefined
  await failureOf(call(clients.kv, 'put', PutRequest.fromPartial({ key: '' })))
  const session = new SessionClient(clients.session)
  await session.open()
  session.stream.cancel()
  await streamClosed
  assert.deepEqual(events, [
    '/synod.kv.v1.KeyValueService/Put OK',
    '/synod.kv.v1.KeyValueService/Put UNAVAILABLE',
    '/synod.kv.v1.KeyValueService/Put INVALID_ARGUMENT',
    '/synod.session.v1.SessionService/Connect opened',
    '/synod.session.v1.SessionService/Connect closed',
  ])
})
