import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Metadata } from '@grpc/grpc-js'
import { ServerCallContext } from '../../src/server/call-context.js'
import { Drain, refuseWhileDraining } from '../../src/server/drain.js'
import { type Handler, type Interceptor, intercept } from '../../src/server/interceptor.js'

function contextOf(deadline: Date | number = Number.POSITIVE_INFINITY): ServerCallContext {
  const metadata = new Metadata()
  metadata.set('trace', '7')
  return new ServerCallContext({
    metadata,
    cancelled: false,
    getPath: () => '/a.B/C',
    getPeer: () => '10.0.0.1:5',
    getDeadline: () => deadline,
  })
}

const echo: Handler<string, string> = (input) => Promise.resolve(`${input}!`)

describe('the context of a call', () => {
  it('tells the method, the peer, who asks, the metadata and the time that is left', () => {
    const { method, peer, principal, metadata, deadlineMs, timeoutMs } = contextOf()
    assert.deepEqual(
      { method, peer, principal, trace: metadata.get('trace'), deadlineMs, timeoutMs },
      {
        method: '/a.B/C',
        peer: '10.0.0.1:5',
        principal: { kind: 'anonymous' },
        trace: ['7'],
        deadlineMs: Number.POSITIVE_INFINITY,
        timeoutMs: 10_000,
      },
    )
    const inOneSecond = contextOf(new Date(Date.now() + 1_000)).timeoutMs
    assert.ok(inOneSecond > 500 && inOneSecond <= 900, `${inOneSecond}`)
    assert.equal(contextOf(Date.now() - 5).timeoutMs, 1)
  })

  it('aborts its signal when the client goes, whether it was asked for before or comes late', () => {
    const early = contextOf()
    const { signal } = early
    const wait = early.wait(50)
    assert.deepEqual([signal.aborted, wait.timeoutMs, wait.signal?.aborted], [false, 50, false])
    early.abort()
    assert.deepEqual([signal.aborted, wait.signal?.aborted], [true, true])
    const late = contextOf()
    late.abort()
    assert.equal(late.signal.aborted, true)
  })

  it('tells once that the call is over, at once when it is over already', () => {
    const context = contextOf()
    let count = 0
    context.onEnd(() => count++)
    assert.equal(count, 0)
    context.end()
    context.end()
    assert.equal(count, 1)
    context.onEnd(() => count++)
    assert.equal(count, 2)
  })
})

describe('interceptors', () => {
  it('stand around a handler in their order, and are put there once', async () => {
    const events: string[] = []
    let madeCount = 0
    const noting = (name: string): Interceptor => {
      return (next) => {
        madeCount++
        return async (input, context) => {
          events.push(`${name} in`)
          const output = await next(input, context)
          events.push(`${name} out`)
          return output
        }
      }
    }
    const handler = intercept(echo, [noting('outer'), noting('inner')])
    assert.equal(await handler('a', contextOf()), 'a!')
    assert.equal(await handler('b', contextOf()), 'b!')
    assert.deepEqual(events.slice(0, 4), ['outer in', 'inner in', 'inner out', 'outer out'])
    assert.equal(madeCount, 2)
  })

  it('of a drain refuse what is new, and the drain waits for the rest to end', async () => {
    const drain = new Drain()
    const handler = intercept<string, string>((input) => Promise.resolve(input), [refuseWhileDraining(drain)])
    const context = contextOf()
    await handler('a', context)
    let told = 0
    drain.onBegun(() => told++)
    drain.onBegun(() => told++)()
    let isOver = false
    const over = (async () => {
      await drain.begin()
      isOver = true
    })()
    assert.equal(told, 1)
    await assert.rejects(async () => handler('b', contextOf()), { code: 'STOPPED' })
    assert.equal(isOver, false)
    context.end()
    await over
    await new Drain().begin()
  })
})
