import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encodeOpenSession, encodeSessionCommand } from '../../../src/replication/envelope.js'
import type { PlainOutcome } from '../../../src/sim/clients/plain-outcomes.js'
import { type Asked, History, sessionName } from '../../../src/sim/history/client-history.js'
import { checkSlotOrder } from '../../../src/sim/history/slot-order.js'
import { TOKEN } from '../../support/token.js'

const put: Asked = { kind: 'command', request: { operation: { kind: 'put', key: 'k', value: 'v' }, requestId: '' } }
const first: PlainOutcome = { kind: 'put', revision: 1, previous: null }
const second: PlainOutcome = { kind: 'put', revision: 2, previous: null }

/** Returns a put of a client that was sent under these names of session 1, and is in the log under each. */
function carriedOut(requestNumbers: readonly number[]) {
  const history = new History()
  history.onSessionOpened('client', 1)
  const invocation = history.invoke('client', put, 0)
  const commands = requestNumbers.map((requestNumber) => {
    invocation.sentAs.push(sessionName(1, requestNumber))
    return encodeSessionCommand({
      clientId: 1,
      token: TOKEN,
      requestNumber,
      firstUnacknowledged: 1,
      command: invocation.bytes,
    })
  })
  const log = [encodeOpenSession(TOKEN), ...commands].map((command) => ({
    kind: 'batch' as const,
    timeMs: 1,
    commands: [command],
  }))
  return { history, invocation, check: () => checkSlotOrder(history, log) }
}

test('an answer that arrives after the client stopped listening must be equal to the one before', () => {
  const { history, invocation } = carriedOut([1])
  history.hear(invocation, { slot: 2, outcome: first })
  history.hear(invocation, { slot: 2, outcome: first })
  history.abandon(invocation)
  assert.throws(
    () => history.hear(invocation, { slot: 3, outcome: second }),
    /was answered .* at slot 2, and when retried .* at slot 3/,
  )
  const read = history.invoke('client', { kind: 'read', query: { kind: 'get', key: 'k' } }, 0)
  history.hear(read, { slot: 2, outcome: { kind: 'get', pair: null, revision: 1 } })
  history.hear(read, { slot: 3, outcome: { kind: 'get', pair: null, revision: 2 } })
})

test('a request that was denied must not be in the log', () => {
  const found = carriedOut([1])
  found.history.deny(found.invocation)
  assert.equal(found.history.outstandingCount, 0)
  assert.throws(found.check, /was told not to be carried out, and was, in slot 2/)
  const { history, invocation, check } = carriedOut([])
  history.deny(invocation)
  check()
})

test('a request that was sent under two numbers may be carried out under one of them only', () => {
  const { history, invocation, check } = carriedOut([1, 2])
  history.abandon(invocation)
  assert.throws(check, /was carried out twice, in slots 2 and 3/)
})
