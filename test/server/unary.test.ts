import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import type { MemberErrorCode } from '../../src/host/api.js'
import { call, failureOf } from './client.js'
import { serve } from './server.js'

const PUT = PutRequest.fromPartial({ key: 'a', value: new Uint8Array([1]) })

describe('a unary call', () => {
  const statuses: [MemberErrorCode, status][] = [
    ['NO_QUORUM', status.UNAVAILABLE],
    ['OUTCOME_UNKNOWN', status.DEADLINE_EXCEEDED],
    ['OVERLOADED', status.RESOURCE_EXHAUSTED],
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
    const { clients, member } = await serve(t, { callsInFlightMax: 2 })
    member.isHolding = true
    const held = [call(clients.kv, 'put', PUT), call(clients.kv, 'put', PUT)]
    while (member.heldCount < 2) await new Promise((resolve) => setImmediate(resolve))
    const failure = await failureOf(call(clients.kv, 'put', PUT))
    assert.deepEqual([failure.code, failure.reason], [status.RESOURCE_EXHAUSTED, 'OVERLOADED'])
    member.isHolding = false
    member.release()
    await Promise.all(held)
    await call(clients.kv, 'put', PUT)
  })
})
