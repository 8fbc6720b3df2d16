import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Answer, type Cancellation, MemberError } from '../../src/host/api.js'
import { Requester } from '../../src/host/requests/requester.js'
import { SessionDesk } from '../../src/host/requests/session-desk.js'
import { decodeEnvelope, type Envelope } from '../../src/replication/envelope.js'
import { TOKEN } from '../support/token.js'
import { QUIET_READS } from './quiet-reads.js'

const COMMAND = new Uint8Array([42])
const named = (clientId: number, requestNumber: number, command = COMMAND) => ({
  clientId,
  token: TOKEN,
  requestNumber,
  firstUnacknowledged: 1,
  command,
})
const RESULT = { kind: 'result', slot: 3, result: new Uint8Array([7]) } as const

function setUp() {
  const requester = new Requester()
  const desk = new SessionDesk(requester, { token: () => TOKEN }, QUIET_READS)
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
  const invoke = (name: string, deadlineMs = 10_000, signal?: Cancellation) => {
    const settle = (o: Answer | MemberError): void =>
      void outcomes.push(`${name}: ${o instanceof MemberError ? o.code : `slot ${o.slot}`}`)
    desk.invoke(COMMAND, deadlineMs, settle, signal && { signal })
  }
  return { requester, desk, outcomes, proposed, invoke }
}

function tokenOf(envelopes: readonly Envelope[]): Uint8Array {
  const [envelope] = envelopes
  assert.equal(envelopes.length, 1)
  assert.equal(envelope?.kind, 'open')
  return envelope.token
}

function numbersOf(envelopes: readonly Envelope[]): string[] {
  return envelopes.map((e) =>
    e.kind !== 'command' ? e.kind : `${e.command.clientId}:${e.command.requestNumber}/${e.command.firstUnacknowledged}`,
  )
}

describe("a member's own session", () => {
  it('is opened at the first need, once, and then numbers what waited', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    invoke('b')
    desk.onOpened(tokenOf(proposed()), 5, 1)
    assert.deepEqual(numbersOf(proposed()), ['5:1/1', '5:2/1'])
    desk.onOutcome(named(5, 1), RESULT)
    invoke('c')
    assert.deepEqual(numbersOf(proposed()), ['5:3/2'])
    assert.deepEqual(outcomes, ['a: slot 3'])
  })

  it('is not opened for callers who have gone; once its opening is proposed, it is', () => {
    const { requester, desk, outcomes, proposed, invoke } = setUp()
    const gone = { aborted: false }
    invoke('a', 10_000, gone)
    invoke('b', 10_000, gone)
    gone.aborted = true
    desk.tick(50)
    requester.tick(50)
    assert.deepEqual(outcomes, ['a: CANCELLED', 'b: CANCELLED'])
    assert.equal(requester.pendingCount, 0)
    assert.deepEqual(proposed(), [])

    gone.aborted = false
    invoke('c', 10_000, gone)
    const token = tokenOf(proposed())
    gone.aborted = true
    desk.tick(100)
    requester.tick(100)
    desk.onOpened(token, 5, 1)
    invoke('d')
    assert.deepEqual(numbersOf(proposed()), ['5:1/1'])
    assert.deepEqual(outcomes, ['a: CANCELLED', 'b: CANCELLED', 'c: CANCELLED'])
  })

  it('goes on in a new session when it has expired, with what was proposed only once', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    desk.onOpened(tokenOf(proposed()), 5, 1)
    invoke('b')
    assert.deepEqual(numbersOf(proposed()), ['5:1/1', '5:2/1'])
    desk.onOutcome(named(5, 1), { kind: 'sessionExpired' })
    desk.onOutcome(named(5, 2), { kind: 'sessionExpired' })
    desk.onOpened(tokenOf(proposed()), 6, 2)
    assert.deepEqual(numbersOf(proposed()), ['6:1/1', '6:2/1'])
    desk.onOutcome(named(6, 2), RESULT)
    desk.onOutcome(named(6, 1), RESULT)
    assert.deepEqual(outcomes, ['b: slot 3', 'a: slot 3'])
  })

  it('does not repeat in a new session what the old one may have seen', () => {
    const { requester, desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    desk.onOpened(tokenOf(proposed()), 5, 1)
    proposed()
    requester.onLeaderChanged()
    proposed()
    desk.onOutcome(named(5, 1), { kind: 'sessionExpired' })
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
    desk.onOpened(tokenOf(proposed()), 5, 1)
    assert.deepEqual(numbersOf(proposed()), ['5:1/1'])
  })

  it('refuses at once what is more than may wait for it', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    for (let i = 0; i < 8_192; i++) invoke(`c${i}`)
    invoke('one more')
    assert.deepEqual(outcomes, ['one more: OVERLOADED'])
    desk.onOpened(tokenOf(proposed()), 5, 1)
    assert.equal(proposed().length, 8_192)
  })

  for (const [kind, once, twice] of [
    ['sessionExpired', 'SESSION_EXPIRED', 'OUTCOME_UNKNOWN'],
    ['alreadyAcknowledged', 'ALREADY_ACKNOWLEDGED', 'OUTCOME_UNKNOWN'],
    ['beyondAsked', 'BEYOND_ASKED', 'OUTCOME_UNKNOWN'],
    // For good: no other proposal of it fares better, or has.
    ['idReused', 'ID_REUSED', 'ID_REUSED'],
    ['sessionFull', 'SESSION_FULL', 'SESSION_FULL'],
  ] as const) {
    it(`says ${twice} of a client's command that was proposed twice when one of these was refused with ${kind}`, () => {
      const { requester, desk, outcomes, proposed } = setUp()
      for (const [requestNumber, onProposed] of [
        [1, () => {}],
        [2, () => requester.onLeaderChanged()],
        // It may have been done in a slot that this node has only as part of a checkpoint.
        [3, () => requester.onStateReplaced()],
      ] as const) {
        const request = named(9, requestNumber)
        desk.submit(request, 10_000, (o) => outcomes.push(o instanceof MemberError ? o.code : `slot ${o.slot}`))
        proposed()
        onProposed()
        desk.onOutcome(request, { kind })
      }
      // The leader has changed, but it has not been proposed again yet.
      assert.deepEqual(outcomes.splice(0), [once, once, twice])
      desk.submit(named(9, 4), 10_000, (o) => outcomes.push(o instanceof MemberError ? o.code : `slot ${o.slot}`))
      proposed()
      requester.onLeaderChanged()
      proposed()
      desk.onOutcome(named(9, 4), { kind })
      assert.deepEqual(outcomes, [twice])
    })
  }

  it('tries again, under another number, what found no room among the answers of its session', () => {
    const { desk, outcomes, proposed, invoke } = setUp()
    invoke('a')
    invoke('b', 60)
    desk.onOpened(tokenOf(proposed()), 5, 1)
    assert.deepEqual(numbersOf(proposed()), ['5:1/1', '5:2/1'])
    desk.onOutcome(named(5, 1), { kind: 'sessionFull' })
    desk.onOutcome(named(5, 2), { kind: 'sessionFull' })
    assert.deepEqual([numbersOf(proposed()), outcomes], [[], []])
    desk.tick(70)
    assert.deepEqual(numbersOf(proposed()), ['5:3/3'])
    desk.onOutcome(named(5, 3), RESULT)
    assert.deepEqual(outcomes, ['b: OVERLOADED', 'a: slot 3'])
  })

  it("leaves a client's own session to the client", () => {
    const { desk, outcomes, proposed } = setUp()
    const request = { ...named(9, 4), firstUnacknowledged: 2 }
    desk.submit(request, 10_000, (o) => outcomes.push(o instanceof MemberError ? o.code : 'done'))
    assert.deepEqual(numbersOf(proposed()), ['9:4/2'])
    desk.onOutcome(request, { kind: 'sessionExpired' })
    assert.deepEqual(outcomes, ['SESSION_EXPIRED'])
  })

  it('gives nobody the answer to what another has asked under the same number, or under a guess at the token', () => {
    const { desk, outcomes, proposed } = setUp()
    const tell = (name: string) => (o: Answer | MemberError) =>
      outcomes.push(`${name}: ${o instanceof MemberError ? o.code : `slot ${o.slot}`}`)
    const guess = { ...named(9, 1), token: TOKEN.map((byte) => byte + 1) }
    desk.submit(named(9, 1), 10_000, tell('first'))
    desk.submit(named(9, 1, new Uint8Array([43])), 10_000, tell('other'))
    desk.submit(guess, 10_000, tell('guess'))
    desk.submit(named(9, 1), 10_000, tell('again'))
    assert.deepEqual(outcomes, ['other: ID_REUSED'])
    assert.deepEqual(numbersOf(proposed()), ['9:1/1', '9:1/1'])
    // Asked through another node under the same number, and decided first.
    desk.onOutcome(named(9, 1, new Uint8Array([43])), RESULT)
    desk.onOutcome(guess, { kind: 'sessionExpired' })
    assert.deepEqual(outcomes.splice(0), ['other: ID_REUSED', 'guess: SESSION_EXPIRED'])
    desk.onOutcome(named(9, 1), { kind: 'idReused' })
    assert.deepEqual(outcomes, ['first: ID_REUSED', 'again: ID_REUSED'])
  })

  it('closes a session, and tells whether there was one', () => {
    const { desk, outcomes, proposed } = setUp()
    const session = { clientId: 9, token: TOKEN }
    desk.closeSession(session, 10_000, (o) => outcomes.push(o instanceof MemberError ? o.code : `${o.closed} in ${o.slot}`))
    assert.deepEqual(
      proposed().map(({ kind }) => kind),
      ['close'],
    )
    desk.onClosed({ ...session, token: new Uint8Array(16) }, false, 4)
    desk.onClosed(session, true, 5)
    assert.deepEqual(outcomes, ['true in 5'])
  })
})
