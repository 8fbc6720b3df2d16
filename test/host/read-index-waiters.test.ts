import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MemberError } from '../../src/host/api.js'
import { ReadIndexWaiters } from '../../src/host/requests/read-index-waiters.js'

function setUp() {
  const waiters = new ReadIndexWaiters()
  const outcomes: (number | MemberError)[] = []
  const tokens: number[] = []
  return {
    waiters,
    outcomes,
    tokens,
    add: (deadlineMs = 1_000) => waiters.add(deadlineMs, (o) => outcomes.push(o)),
    flush: () => waiters.flush((token) => tokens.push(token)),
  }
}

describe('the reads that wait for their read index', () => {
  it('ask once for all reads of a turn, and not again for those that are asked for', () => {
    const { add, flush, tokens } = setUp()
    add()
    add()
    flush()
    flush()
    add()
    flush()
    assert.equal(tokens.length, 2)
    assert.notEqual(tokens[0], tokens[1])
  })

  it('hold a granted read until its slot is applied here', () => {
    const { waiters, add, flush, tokens, outcomes } = setUp()
    add()
    flush()
    waiters.onGranted([{ token: tokens[0] ?? 0, slot: 5 }])
    waiters.onApplied(4)
    assert.deepEqual(outcomes, [])
    waiters.onApplied(6)
    assert.deepEqual(outcomes, [6])
  })

  it('hold a local read until the state is that of a slot, whichever, and say so when it does not come', () => {
    const { waiters, outcomes } = setUp()
    waiters.addLocal(1_000, (o) => outcomes.push(o))
    waiters.onApplied(3)
    assert.equal(outcomes.length, 1)
    assert.equal(outcomes.pop(), 3)
    waiters.addLocal(1_000, (o) => outcomes.push(o))
    waiters.tick(1_001)
    const [tooLate] = outcomes
    assert.ok(tooLate instanceof MemberError && tooLate.code === 'NOT_JOINED')
    waiters.onApplied(4)
    assert.equal(outcomes.length, 1)
  })

  it('give up at the deadline in each state: gathered, asked, granted', () => {
    const { waiters, add, flush, tokens, outcomes } = setUp()
    add(10)
    flush()
    waiters.onGranted([{ token: tokens[0] ?? 0, slot: 5 }])
    add(10)
    flush()
    add(10)
    add(5_000)
    waiters.tick(100)
    assert.equal(outcomes.length, 3)
    assert.ok(outcomes.every((o) => o instanceof MemberError && o.code === 'NO_QUORUM'))
    flush()
    waiters.onGranted([{ token: tokens.at(-1) ?? 0, slot: 1 }])
    waiters.onApplied(9)
    assert.equal(outcomes.at(-1), 9)
  })

  it('refuse at once what is past the bound, and take more when some have been answered', () => {
    const { waiters, add, flush, tokens, outcomes } = setUp()
    for (let i = 0; i < 20_000; i++) add()
    add()
    assert.ok(outcomes[0] instanceof MemberError && outcomes[0].code === 'OVERLOADED')
    flush()
    waiters.onGranted([{ token: tokens[0] ?? 0, slot: 1 }])
    waiters.onApplied(1)
    assert.equal(outcomes.length, 20_001)
    add()
    assert.equal(outcomes.length, 20_001)
  })

  it('tell whoever waits when the member stops', () => {
    const { waiters, add, flush, outcomes } = setUp()
    add()
    flush()
    add()
    waiters.stop('bye')
    assert.ok(outcomes.length === 2 && outcomes.every((o) => o instanceof MemberError && o.code === 'STOPPED'))
  })

  it('give up a read whose caller has gone in each state: gathered, asked, granted, local', () => {
    for (const state of ['gathered', 'asked', 'granted', 'local'] as const) {
      const { waiters, flush, tokens, outcomes } = setUp()
      const gone = { aborted: false }
      const settle = (o: number | MemberError): void => void outcomes.push(o)
      if (state === 'local') waiters.addLocal(1_000, settle, gone)
      else waiters.add(1_000, settle, gone)
      if (state !== 'gathered' && state !== 'local') flush()
      if (state === 'granted') waiters.onGranted([{ token: tokens[0] ?? 0, slot: 5 }])
      waiters.tick(100)
      assert.deepEqual(outcomes, [])
      gone.aborted = true
      waiters.tick(200)
      const [outcome] = outcomes as readonly (number | MemberError)[]
      assert.ok(outcome instanceof MemberError && outcome.code === 'CANCELLED', state)
      flush()
      waiters.onApplied(9)
      assert.equal(outcomes.length, 1)
      assert.equal(tokens.length, state === 'asked' || state === 'granted' ? 1 : 0)
    }
  })
})
