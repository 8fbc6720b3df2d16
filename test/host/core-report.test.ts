import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CoreReport } from '../../src/host/core-report.js'
import type { Observer } from '../../src/observer/observer.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { Phase } from '../../src/paxos/node.js'

const BALLOT = makeBallot(7, 2)

test('a report tells what has changed in the core since the last one, and nothing twice', () => {
  const events: unknown[] = []
  const observer: Observer = {
    count: () => {},
    gauge: () => {},
    duration: () => {},
    event: (name, fields) => void events.push([name, fields]),
  }
  const core = { phase: 'joining' as Phase, promised: 0, leadingBallot: 0, decidedUpTo: 3 }
  const report = new CoreReport(core, observer)
  report.report()
  assert.deepEqual(events, [], 'it is as it was recovered')
  Object.assign(core, { phase: 'scouting', promised: BALLOT })
  report.report()
  report.report()
  Object.assign(core, { phase: 'leading', leadingBallot: BALLOT, decidedUpTo: 4 })
  report.report()
  assert.deepEqual(events, [
    ['ballotPromised', { ballot: BALLOT }],
    ['phaseChanged', { phase: 'scouting', ballot: BALLOT }],
    ['phaseChanged', { phase: 'leading', ballot: BALLOT }],
    ['slotsDecided', { upTo: 4 }],
  ])
})
