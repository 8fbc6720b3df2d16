import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Answer, MemberError } from '../../src/host/api.js'
import { Requester } from '../../src/host/requester.js'
import { REAL_RUNTIME } from '../../src/host/runtime.js'
import { SessionDesk } from '../../src/host/session-desk.js'
import { decodeEnvelope, type Envelope } from '../../src/wire/envelope.js'

const COMMAND = new Uint8Array([42])
const RESULT = { kind: 'result', slot: 3, result: new Uint8Array([7]) } as const

function setUp() {
  const requester = new Requester()
  const desk = new SessionDesk(requester, REAL_RUNTIME)
  const outcomes: string[] = []
  /** What has been proposed since the last look. */
  const proposed = (): Envelope[] => {
    const envelopes: Envelope[] = []
    requester.flush((commands) => {
      for (const bytes of commands) envelopes.push(decodeEnvelope(bytes) ?? assert.fail('no envelope'))
      return 'sent'
    }, 0)
    return envelopes
  }
  const invoke = (name: string, deadlineMs = 10_000) =>
    desk.invoke(COMMAND, deadlineMs, (o: Answer | MemberError) =>
      outcomes.push(`${name}: ${o instanceof MemberError ? o.code : `slot ${o.slot}`}`),
    )
  return { requester, desk, outcomes, proposed, invoke }
}

function onlyNonce(envelopes: readonly Envelope[]): string {
  const [envelope] = envelopes
  assert.equal(envelopes.length, 1)
  assert.equal(envelope?.kind, 'open')
  return envelope.nonce
}

function numbersOf(envelopes: readonly Envelope[]): string[] {
  return envelopes.map((e) =>
    e.kind === 'open' ? 'open' : `${e.command.clientId}:${e.command.requestNumber}/${e.command.firstUnacknowledged}`,
  )
}

describe("a member's own session", () => {
  it('is opened at the first need, once, and then numbers what waited', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    invoke('b')
    desk.onOpened(onlyNonce(proposed()), 5, 1)
    assert.deepEqual(numbersOf(proposed()), ['5:1/1', '5:2/1'])
    desk.onOutcome({ clientId: 5, requestNumber: 1 }, RESULT)
    invoke('c')
    assert.deepEqual(numbersOf(proposed()), ['5:3/2'])
    assert.deepEqual(outcomes, ['a: slot 3'])
  })

  it('goes on in a new session when it has expired, with what was proposed only once', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    desk.onOpened(onlyNonce(proposed()), 5, 1)
    invoke('b')
    assert.deepEqual(numbersOf(proposed()), ['5:1/1', '5:2/1'])
    desk.onOutcome({ clientId: 5, requestNumber: 1 }, { kind: 'sessionExpired' })
    desk.onOutcome({ clientId: 5, requestNumber: 2 }, { kind: 'sessionExpired' })
    desk.onOpened(onlyNonce(proposed()), 6, 2)
    assert.deepEqual(numbersOf(proposed()), ['6:1/1', '6:2/1'])
    desk.onOutcome({ clientId: 6, requestNumber: 2 }, RESULT)
    desk.onOutcome({ clientId: 6, requestNumber: 1 }, RESULT)
    assert.deepEqual(outcomes, ['b: slot 3', 'a: slot 3'])
  })

  it('does not repeat in a new session what the old one may have seen', () => {
    const { requester, desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    desk.onOpened(onlyNonce(proposed()), 5, 1)
    proposed()
    requester.onLeaderChanged()
    proposed()
    desk.onOutcome({ clientId: 5, requestNumber: 1 }, { kind: 'sessionExpired' })
    assert.deepEqual(outcomes, ['a: OUTCOME_UNKNOWN'])
  })

  it('tells who waits when it cannot be opened: their commands were certainly not proposed', () => {
    const { requester, outcomes, proposed, invoke } = setUp()
    invoke('a')
    proposed()
    requester.tick(10_001)
    assert.deepEqual(outcomes, ['a: NO_QUORUM'])
  })

  it('lets nobody wait for it longer than asked, whoever opens it', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    invoke('patient', 3_600_000)
    invoke('hurried', 200)
    desk.tick(100)
    assert.deepEqual(outcomes, [])
    desk.tick(250)
    assert.deepEqual(outcomes, ['hurried: NO_QUORUM'])
    desk.onOpened(onlyNonce(proposed()), 5, 1)
    assert.deepEqual(numbersOf(proposed()), ['5:1/1'])
  })

  it('refuses at once what is more than may wait for it', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    for (let i = 0; i < 8_192; i++) invoke(`c${i}`)
    invoke('one more')
    assert.deepEqual(outcomes, ['one more: OVERLOADED'])
    desk.onOpened(onlyNonce(proposed()), 5, 1)
    assert.equal(proposed().length, 8_192)
  })

  for (const kind of ['sessionExpired', 'alreadyAcknowledged', 'overloaded'] as const) {
    it(`does not say of a client's command that it was not done when it was proposed twice, and the second was ${kind}`, () => {
      const { requester, desk, outcomes, proposed } = setUp()
      for (const requestNumber of [1, 2]) {
        const request = { clientId: 9, requestNumber, firstUnacknowledged: 1, command: COMMAND }
        desk.submit(request, 10_000, (o) => outcomes.push(o instanceof MemberError ? o.code : `slot ${o.slot}`))
        proposed()
        // The first may have been done in a slot that this node has only as part of a checkpoint.
        if (requestNumber === 2) requester.onLeaderChanged()
        proposed()
        desk.onOutcome({ clientId: 9, requestNumber }, { kind })
      }
      const once = { sessionExpired: 'SESSION_EXPIRED', alreadyAcknowledged: 'ALREADY_ACKNOWLEDGED', overloaded: 'OVERLOADED' }[
        kind
      ]
      assert.deepEqual(outcomes, [once, 'OUTCOME_UNKNOWN'])
    })
  }

  it('does not call a command refused for want of room when a second proposal of it may find some', () => {
    const { requester, desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    desk.onOpened(onlyNonce(proposed()), 5, 1)
    invoke('b')
    proposed()
    desk.onOutcome({ clientId: 5, requestNumber: 1 }, { kind: 'overloaded' })
    requester.onLeaderChanged()
    proposed()
    desk.onOutcome({ clientId: 5, requestNumber: 2 }, { kind: 'overloaded' })
    assert.deepEqual(outcomes, ['a: OVERLOADED', 'b: OUTCOME_UNKNOWN'])
  })

  it("leaves a client's own session to the client", () => {
    const { desk, outcomes, proposed } = setUp()
    const request = { clientId: 9, requestNumber: 4, firstUnacknowledged: 2, command: COMMAND }
    desk.submit(request, 10_000, (o) => outcomes.push(o instanceof MemberError ? o.code : 'done'))
    assert.deepEqual(numbersOf(proposed()), ['9:4/2'])
    desk.onOutcome(request, { kind: 'sessionExpired' })
    assert.deepEqual(outcomes, ['SESSION_EXPIRED'])
  })
})
