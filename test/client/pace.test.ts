import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeCommand, makeCall } from '../../src/client/call.js'
import { type ConnectOptions, settingsOf } from '../../src/client/client-options.js'
import { Session } from '../../src/client/session.js'
import type { SynodError } from '../../src/client/synod-error.js'
import { PutRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { VirtualWorld } from './virtual-world.js'

/** What became of calls: 'done', or the reason that they were rejected with. */
type Ends = Record<string, number>

class Crowd {
  readonly world: VirtualWorld
  readonly session: Session
  readonly ends: Ends = {}
  readonly errors: SynodError[] = []

  constructor(msPerRequest: number, options: Partial<ConnectOptions> = {}) {
    this.world = new VirtualWorld(msPerRequest)
    this.session = new Session(settingsOf({ endpoints: 'node:1', ...options }), this.world)
  }

  put(timeoutMs: number): void {
    const value = encodeCommand({ $case: 'put', value: PutRequest.create({ key: 'k' }) })
    const call = makeCall({
      body: { $case: 'command', value },
      byteLength: value.length,
      expected: 'put',
      timeoutMs,
      resolve: () => this.#count('done'),
      reject: (error) => {
        this.errors.push(error)
        this.#count(error.reason)
      },
    })
    this.session.submit(call)
  }

  /** So many puts a second, evenly, from now on until then. */
  offer({ perSecond, untilMs, timeoutMs }: { perSecond: number; untilMs: number; timeoutMs: number }): void {
    for (let due = 0; this.world.nowMs() < untilMs; ) {
      for (due += perSecond / 1_000; due >= 1; due--) this.put(timeoutMs)
      this.world.runUntil(this.world.nowMs() + 1)
    }
  }

  #count(end: string): void {
    this.ends[end] = (this.ends[end] ?? 0) + 1
  }
}

describe('a session that is asked more than the cluster can do', () => {
  it('answers what it can within the time, refuses the rest at once, and leaves next to nothing unknown', () => {
    for (const [factor, timeoutMs] of [
      [1.5, 1_000],
      [3, 5_000],
      [6, 1_000],
      [10, 200],
    ] as const) {
      const crowd = new Crowd(1)
      crowd.offer({ perSecond: 1_000 * factor, untilMs: 5_000, timeoutMs })
      crowd.world.runUntil(20_000)
      const told = `${factor} times, ${timeoutMs} ms: ${JSON.stringify(crowd.ends)}`
      const { done = 0, OVERLOADED = 0, OUTCOME_UNKNOWN = 0, ...others } = crowd.ends
      assert.deepEqual(others, {}, told)
      assert.equal(done + OVERLOADED + OUTCOME_UNKNOWN, 5_000 * factor, told)
      assert.ok(done > 4_950, told)
      assert.ok(OUTCOME_UNKNOWN < 100, told)
      assert.equal(crowd.world.received.length, done + OUTCOME_UNKNOWN, 'what was refused was never sent')
      assert.ok(crowd.errors.every((error) => error.reason !== 'OVERLOADED' || (error.retrySafe && error.code === 'RESOURCE_EXHAUSTED'))) // biome-ignore format: one line
    }
  })

  it('takes a burst, however slow the requests one by one were before it', () => {
    const crowd = new Crowd(0.15)
    crowd.offer({ perSecond: 10, untilMs: 5_000, timeoutMs: 1_000 })
    for (let i = 0; i < 5_000; i++) crowd.put(1_000)
    crowd.world.runUntil(10_000)
    assert.deepEqual(crowd.ends, { done: 5_050 })
  })

  it('goes on as before after an election', () => {
    const crowd = new Crowd(0.5)
    crowd.offer({ perSecond: 1_000, untilMs: 5_000, timeoutMs: 5_000 })
    crowd.world.pausedUntilMs = 6_500
    crowd.offer({ perSecond: 1_000, untilMs: 10_000, timeoutMs: 5_000 })
    crowd.world.runUntil(20_000)
    assert.deepEqual(crowd.ends, { done: 10_000 })
  })

  it('takes more again once the cluster is faster', () => {
    const crowd = new Crowd(10)
    crowd.offer({ perSecond: 200, untilMs: 5_000, timeoutMs: 1_000 })
    crowd.world.msPerRequest = 1
    crowd.offer({ perSecond: 500, untilMs: 10_000, timeoutMs: 1_000 })
    const before = crowd.ends['done'] ?? 0
    crowd.offer({ perSecond: 500, untilMs: 15_000, timeoutMs: 1_000 })
    assert.ok((crowd.ends['done'] ?? 0) - before >= 2_400, JSON.stringify(crowd.ends))
  })

  it('sends less soon after the cluster has become slower', () => {
    const crowd = new Crowd(1)
    crowd.offer({ perSecond: 1_500, untilMs: 5_000, timeoutMs: 1_000 })
    crowd.world.msPerRequest = 5
    crowd.offer({ perSecond: 1_500, untilMs: 20_000, timeoutMs: 1_000 })
    crowd.world.runUntil(30_000)
    // Two thirds of a second's worth were on their way; hardly more is sent than can be answered after that.
    assert.ok((crowd.ends['OUTCOME_UNKNOWN'] ?? 0) <= 700, JSON.stringify(crowd.ends))
    assert.ok((crowd.ends['done'] ?? 0) > 7_000, JSON.stringify(crowd.ends))
  })

  it('never sends what has waited until its time was up', () => {
    const crowd = new Crowd(2, { maxInFlight: 1 })
    // The pace of single requests says nothing: only the deadline does.
    for (let i = 0; i < 10; i++) crowd.put(9)
    crowd.world.runUntil(1_000)
    assert.deepEqual(crowd.ends, { done: 5, OVERLOADED: 5 })
    assert.equal(crowd.world.received.length, 5)
  })
})
