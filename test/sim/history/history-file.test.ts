import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlainOutcome } from '../../../src/sim/clients/plain-outcomes.js'
import { type Asked, History } from '../../../src/sim/history/client-history.js'
import { historyLines } from '../../../src/sim/history/history-file.js'
import { runSeed } from '../../../src/sim/runs/run-seed.js'

const put = (requestId: string): Asked => ({
  kind: 'command',
  request: { operation: { kind: 'put', key: 'k', value: 'v' }, requestId },
})
const done: PlainOutcome = { kind: 'put', revision: 1, previous: null }

test('a history file has one line for its format, then one line for each request, in plain fields', () => {
  const history = new History()
  const answered = history.invoke('client1', put(''), 10)
  history.abandon(history.invoke('client1', put('r1'), 11))
  history.invoke('client2', { kind: 'read', query: { kind: 'balance', account: 'a1' } }, 12)
  history.onAnswer(answered, { slot: 3, outcome: done }, 20)
  history.invoke('client1', put(''), 30)
  assert.deepEqual(
    [...historyLines(history, 42)],
    [
      '{"format":"synod-history","version":1,"seed":42}',
      '{"client":"client1","process":"client1/1","operation":{"kind":"put","key":"k","value":"v"},"invokedUs":10,"returnedUs":20,"answer":{"kind":"put","revision":1,"previous":null},"slot":3}',
      '{"client":"client1","process":"client1/2","operation":{"kind":"put","key":"k","value":"v","requestId":"r1"},"invokedUs":11,"returnedUs":null,"answer":null,"slot":null}',
      '{"client":"client2","process":"client2/1","operation":{"kind":"balance","account":"a1"},"invokedUs":12,"returnedUs":null,"answer":null,"slot":null}',
      '{"client":"client1","process":"client1/1","operation":{"kind":"put","key":"k","value":"v"},"invokedUs":30,"returnedUs":null,"answer":null,"slot":null}',
    ],
  )
})

test('the history of a run is the same on every replay, and no process has two requests at once', async () => {
  const { history } = await runSeed(7)
  const lines = [...historyLines(history, 7)]
  const again = await runSeed(7)
  assert.deepEqual([...historyLines(again.history, 7)], lines)
  const busyUntilUs = new Map<string, number>()
  for (const line of lines.slice(1)) {
    const { process, invokedUs, returnedUs } = JSON.parse(line) as {
      process: string
      invokedUs: number
      returnedUs: number | null
    }
    assert.ok(invokedUs > (busyUntilUs.get(process) ?? -1))
    busyUntilUs.set(process, returnedUs ?? Number.POSITIVE_INFINITY)
  }
  assert.ok(lines.length > 20)
})
