import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Cancellation, MemberError } from '../../src/host/api.js'
import { type Applied, wasRepeated } from '../../src/host/requests/pending.js'
import { Requester } from '../../src/host/requests/requester.js'
import type { ProposeOutcome } from '../../src/paxos/node.js'

const COMMAND = new Uint8Array([1, 2, 3])
const APPLIED: Applied = { slot: 7, result: new Uint8Array([9]), openedClientId: 0, closed: false }

/** A request of a session of its own. */
const named = (name: string) => ({ clientId: 0, token: Buffer.from(name), requestNumber: 0, command: COMMAND })

/** A requester with a leader that answers as told, and a list of what callers were told. */
function setUp() {
  const requester = new Requester()
  const outcomes: (Applied | MemberError)[] = []
  const proposed: number[] = []
  return {
    requester,
    outcomes,
    proposed,
    submit: (name: string, deadlineMs = 10_000, signal?: Cancellation) =>
      requester.submit(named(name), COMMAND, deadlineMs, (o) => outcomes.push(o), signal),
    flush: (outcome: ProposeOutcome, nowMs: number) =>
      requester.flush((commands) => {
        proposed.push(commands.length)
        return outcome
      }, nowMs),
  }
}

function codeOf(outcome: Applied | MemberError | undefined): string {
  return outcome instanceof MemberError ? outcome.code : 'APPLIED'
}

function settle(requester: Requester, request: ReturnType<typeof named>): void {
  const pending = requester.find(request)
  if (pending !== undefined) requester.settle(pending, APPLIED)
}

function isRepeated(requester: Requester, request: ReturnType<typeof named>): boolean {
  const pending = requester.find(request)
  return pending !== undefined && wasRepeated(pending)
}

describe('the requester', () => {
  it('proposes what came in one turn in one go, and tells each caller once', () => {
    const { requester, outcomes, proposed, submit, flush } = setUp()
    submit('a')
    submit('b')
    flush('sent', 0)
    flush('sent', 1)
    assert.deepEqual(proposed, [2])
    settle(requester, named('a'))
    settle(requester, named('a'))
    assert.deepEqual(outcomes, [APPLIED])
    assert.equal(requester.pendingCount, 1)
  })

  it('gives everyone who waits under one name the same answer, and proposes once', () => {
    const { requester, outcomes, proposed, submit, flush } = setUp()
    submit('a')
    submit('a')
    flush('sent', 0)
    settle(requester, named('a'))
    assert.deepEqual(outcomes, [APPLIED, APPLIED])
    assert.deepEqual(proposed, [1])
  })

  it('keeps what no leader took until there is one', () => {
    const { proposed, submit, flush, requester } = setUp()
    submit('a')
    flush('noLeader', 0)
    assert.equal(requester.hasNew, false, 'the next tick is soon enough')
    flush('sent', 5)
    assert.deepEqual(proposed, [1, 1])
  })

  it('proposes in pages what is more than one message may hold', () => {
    const { requester, flush } = setUp()
    const pages: number[] = []
    const proposeUpTo = (pagesMax: number) =>
      requester.flush((commands) => {
        if (pages.length === pagesMax) return 'noLeader'
        pages.push(commands.reduce((sum, c) => sum + c.length, 0))
        return 'sent'
      }, 0)
    for (let i = 0; i < 100; i++) requester.submit(named(`c${i}`), new Uint8Array(1 << 20), 10_000, () => {})
    proposeUpTo(40)
    proposeUpTo(1_000)
    assert.equal(pages.length, 100)
    assert.ok(Math.max(...pages) <= 2 << 20)
    assert.equal(isRepeated(requester, named('c99')), false)
    requester.onLeaderChanged()
    flush('sent', 1)
    assert.equal(isRepeated(requester, named('c99')), true)
  })

  it('keeps to the deadline of each who waits under one name', () => {
    const { requester, outcomes, submit, flush } = setUp()
    submit('a', 5_000)
    submit('a', 100)
    submit('a', 9_000)
    flush('sent', 0)
    requester.tick(200)
    assert.deepEqual(outcomes.map(codeOf), ['OUTCOME_UNKNOWN'])
    requester.tick(6_000)
    assert.equal(outcomes.length, 2)
    settle(requester, named('a'))
    assert.deepEqual(outcomes.map(codeOf), ['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'APPLIED'])
  })

  it('counts all who wait under one name', () => {
    const { requester, submit, outcomes } = setUp()
    for (let i = 0; i < 8_193; i++) submit('a')
    assert.deepEqual(outcomes.map(codeOf), ['OVERLOADED'])
    settle(requester, named('a'))
    submit('b')
    assert.equal(outcomes.length, 8_193)
  })

  it('proposes a page again soon that the leader had no room for, by the same way, and no other', () => {
    const { requester, submit } = setUp()
    const flushed: { count: number; isRetry: boolean; pageId: number }[] = []
    const flush = (nowMs: number): void => {
      requester.tick(nowMs)
      requester.flush((commands, options) => {
        flushed.push({ count: commands.length, ...options })
        return 'sent'
      }, nowMs)
    }
    for (const names of [['a', 'b'], ['c']]) {
      for (const name of names) submit(name)
      flush(0)
    }
    settle(requester, named('b'))
    requester.onRefused(1, 10)
    requester.onRefused(1, 10)
    requester.onRefused(9, 10)
    flush(100)
    flush(150)
    assert.deepEqual(flushed, [
      { count: 2, isRetry: false, pageId: 1 },
      { count: 1, isRetry: false, pageId: 2 },
      { count: 1, isRetry: false, pageId: 3 },
    ])
    assert.equal(isRepeated(requester, named('a')), true, 'another copy may have been taken')
    assert.equal(isRepeated(requester, named('c')), false)
  })

  it('waits longer each time before it proposes again: what is slow is not lost', () => {
    const { requester, proposed, submit, flush } = setUp()
    submit('a', 100_000)
    const proposedAt: number[] = []
    for (let nowMs = 0; nowMs < 40_000; nowMs += 100) {
      requester.tick(nowMs)
      flush('sent', nowMs)
      if (proposed.splice(0).length > 0) proposedAt.push(nowMs)
    }
    assert.deepEqual(proposedAt, [0, 1_000, 3_000, 7_000, 15_000, 23_000, 31_000, 39_000])
  })

  it('proposes again after a second, and at once when another leads: what was proposed twice waits for its time', () => {
    const { requester, proposed, submit, flush } = setUp()
    submit('a')
    flush('sent', 1)
    requester.tick(900)
    flush('sent', 900)
    assert.deepEqual(proposed, [1])
    requester.onLeaderChanged()
    flush('sent', 901)
    assert.deepEqual(proposed, [1, 1])
    assert.equal(isRepeated(requester, named('a')), true)
    submit('b')
    flush('sent', 902)
    // Leaders come and go: the log must not fill with copies.
    for (let nowMs = 910; nowMs < 1_000; nowMs += 10) {
      requester.onLeaderChanged()
      flush('sent', nowMs)
    }
    assert.deepEqual(proposed, [1, 1, 1, 1])
    requester.tick(3_000)
    flush('sent', 3_000)
    assert.deepEqual(proposed, [1, 1, 1, 1, 2])
    requester.onStateReplaced()
    flush('sent', 3_001)
    assert.deepEqual(proposed, [1, 1, 1, 1, 2, 2])
  })

  it('waits longer for what comes later while nothing is answered, and as long as answers take lately', () => {
    const { requester, submit, flush } = setUp()
    /** When a command that is proposed at this time is proposed again. */
    const againAfter = (name: string, fromMs: number): number => {
      submit(name, fromMs + 60_000)
      flush('sent', fromMs)
      for (let nowMs = fromMs; ; nowMs += 50) {
        requester.tick(nowMs)
        flush('sent', nowMs)
        if (isRepeated(requester, named(name))) return nowMs - fromMs
      }
    }
    submit('first', 100_000)
    flush('sent', 0)
    requester.tick(950)
    assert.equal(againAfter('second', 950), 1_900)
    requester.onLeaderChanged()
    assert.equal(againAfter('of the next leader', 4_000), 1_000)
    for (let i = 0; i < 100; i++) {
      submit(`quick ${i}`, 100_000)
      flush('sent', 10_000 + 10 * i)
      requester.tick(10_005 + 10 * i)
      settle(requester, named(`quick ${i}`))
    }
    assert.equal(againAfter('lost alone', 11_000), 1_000)
  })

  it('takes no more than is answered in time, at ten times what a slow cluster carries out', () => {
    const { requester, outcomes } = setUp()
    const perTick = 20
    const queue: string[] = []
    let carriedOut = 0
    for (let tick = 0; tick < 800; tick++) {
      const nowMs = 50 * tick
      for (let i = 0; i < 10 * perTick; i++) {
        const name = `${tick} ${i}`
        requester.submit(named(name), Buffer.from(name), nowMs + 10_000, (outcome) => outcomes.push(outcome))
      }
      requester.tick(nowMs)
      requester.flush((commands) => {
        for (const command of commands) queue.push(Buffer.from(command).toString())
        return 'sent'
      }, nowMs)
      // First come, first served, also what nobody waits for any more, or what has been carried out before.
      for (const name of queue.splice(0, perTick)) {
        carriedOut++
        settle(requester, named(name))
      }
    }
    const count = (code: string): number => outcomes.filter((outcome) => codeOf(outcome) === code).length
    assert.ok(count('APPLIED') > 0.9 * carriedOut, `${count('APPLIED')} of ${carriedOut} were for somebody`)
    assert.equal(count('OUTCOME_UNKNOWN'), 0)
    assert.ok(count('OVERLOADED') > 8 * carriedOut)
  })

  it('asks an overloaded leader again soon, and does not count that as a proposal', () => {
    const { requester, submit, flush, outcomes } = setUp()
    submit('a', 150)
    flush('overloaded', 1)
    requester.tick(150)
    assert.deepEqual(outcomes.map(codeOf), ['NO_QUORUM'])
  })

  it('says at the deadline whether the command can have been decided', () => {
    const { requester, submit, flush, outcomes } = setUp()
    submit('sent', 500)
    flush('sent', 1)
    submit('kept', 500)
    flush('noLeader', 2)
    requester.tick(499)
    assert.deepEqual(outcomes, [])
    requester.tick(600)
    assert.deepEqual(outcomes.map(codeOf), ['OUTCOME_UNKNOWN', 'NO_QUORUM'])
    assert.equal(requester.pendingCount, 0)
  })

  it('refuses at once what is past its bounds', () => {
    const { requester, submit, outcomes } = setUp()
    for (let i = 0; i < 8_192; i++) submit(`c${i}`)
    assert.equal(outcomes.length, 0)
    submit('one more')
    assert.deepEqual(outcomes.map(codeOf), ['OVERLOADED'])
    assert.equal(requester.pendingCount, 8_192)
    settle(requester, named('c0'))
    requester.submit(named('large'), new Uint8Array(129 << 20), 10_000, (o) => outcomes.push(o))
    assert.equal(codeOf(outcomes.at(-1)), 'OVERLOADED')
  })

  it('tells whoever waits when the member stops, and whether the command was sent', () => {
    const { requester, submit, flush, outcomes } = setUp()
    submit('sent')
    flush('sent', 0)
    submit('kept')
    requester.stop('bye')
    assert.deepEqual(outcomes.map(codeOf), ['OUTCOME_UNKNOWN', 'STOPPED'])
  })

  it('gives up what has not been proposed when its caller has gone, whether a leader is known or not', () => {
    const { requester, submit, flush, proposed, outcomes } = setUp()
    const gone = { aborted: false }
    submit('a', 10_000, gone)
    flush('noLeader', 0)
    submit('b', 10_000, gone)
    submit('kept')
    gone.aborted = true
    requester.tick(50)
    assert.deepEqual(outcomes.map(codeOf), ['CANCELLED', 'CANCELLED'])
    submit('c', 10_000, gone)
    flush('sent', 60)
    assert.deepEqual(outcomes.map(codeOf), ['CANCELLED', 'CANCELLED', 'CANCELLED'])
    assert.deepEqual(proposed.slice(1), [1])
    assert.equal(requester.pendingCount, 1)
  })

  it('goes on with what was proposed when its caller has gone, but does not propose it again', () => {
    const { requester, submit, flush, proposed, outcomes } = setUp()
    const gone = { aborted: false }
    submit('decided', 10_000, gone)
    submit('lost', 10_000, gone)
    flush('sent', 0)
    gone.aborted = true
    requester.tick(50)
    assert.deepEqual(outcomes, [])
    settle(requester, named('decided'))
    assert.deepEqual(outcomes, [APPLIED])
    requester.onLeaderChanged()
    flush('sent', 100)
    assert.deepEqual(proposed, [2])
    assert.deepEqual(outcomes.map(codeOf), ['APPLIED', 'OUTCOME_UNKNOWN'])
    assert.equal(requester.pendingCount, 0)
  })

  it('keeps a command for which one of several callers still waits', () => {
    const { requester, submit, flush, outcomes } = setUp()
    const gone = { aborted: true }
    submit('a', 10_000, gone)
    submit('a')
    requester.tick(50)
    flush('sent', 60)
    settle(requester, named('a'))
    assert.deepEqual(outcomes, [APPLIED, APPLIED])
  })
})
