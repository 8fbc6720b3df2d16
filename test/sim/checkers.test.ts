import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeBallot } from '../../src/paxos/ballot.js'
import { genesisRecord } from '../../src/paxos/memberships.js'
import type { LogEntry, Value } from '../../src/paxos/types.js'
import { Checker } from '../../src/sim/checkers/checker.js'
import { Application } from '../../src/sim/cluster/application.js'
import { genesisOf } from './book.js'

const BALLOT = makeBallot(1, 1)
const A: Value = { kind: 'batch', timeMs: 1, commands: [Uint8Array.of(1)] }
const B: Value = { kind: 'batch', timeMs: 1, commands: [Uint8Array.of(2)] }
const entry = (slot: number, value = A): LogEntry => ({ slot, ballot: BALLOT, value })
const application = new Application()

/** Returns a checker with slots 1 and 2 chosen. */
function checkerOf(settings: ConstructorParameters<typeof Checker>[0]): Checker {
  const checker = new Checker(settings)
  const genesis = genesisOf(3)
  for (const { nodeId, dataDirId } of genesis.members) {
    checker.onDirectory(nodeId, dataDirId)
    checker.onWritten(nodeId, [{ kind: 'genesis', genesis }])
  }
  for (const nodeId of [1, 2]) {
    checker.onWritten(nodeId, [
      { kind: 'promised', ballot: BALLOT },
      { kind: 'accepted', entry: entry(1) },
      { kind: 'accepted', entry: entry(2) },
    ])
  }
  return checker
}

test('replicas may apply what is chosen, in order, with equal results', () => {
  const checker = checkerOf({ looksInside: true })
  for (const nodeId of [1, 3]) {
    checker.onApplied({ nodeId, entry: entry(1), digest: 11, application })
    checker.onApplied({ nodeId, entry: entry(2), digest: 22, application })
  }
  assert.deepEqual(checker.log, [A, A])
})

for (const looksInside of [true, false]) {
  test(`a replica that differs is noticed ${looksInside ? 'by the chosen values' : 'from outside, by comparison'}`, () => {
    const checker = checkerOf({ looksInside })
    checker.onApplied({ nodeId: 1, entry: entry(1), digest: 11, application })
    assert.throws(
      () => checker.onApplied({ nodeId: 2, entry: entry(1, B), digest: 11, application }),
      looksInside ? /node 2 took slot 1 for decided before its value was/ : /node 2 decided another value for slot 1 than was/,
    )
    assert.throws(
      () => checker.onApplied({ nodeId: 2, entry: entry(1), digest: 12, application }),
      /node 2 got other results up to slot 1 than another node/,
    )
  })
}

test('R2: no node applies a slot before the one below', () => {
  const checker = checkerOf({ looksInside: true })
  assert.throws(
    () => checker.onApplied({ nodeId: 1, entry: entry(2), digest: 22, application }),
    /node 1 applied slot 2 before any node applied the one below/,
  )
})

test('a value learned from a peer must be the chosen one', () => {
  const checker = checkerOf({ looksInside: true })
  checker.onWritten(3, [{ kind: 'learned', entry: entry(1) }])
  assert.throws(() => checker.onWritten(3, [{ kind: 'learned', entry: entry(2, B) }]), /node 3 took slot 2 for decided/)
})

test('a checkpoint has the digest and the log time of its slot, which never goes back', () => {
  const checker = checkerOf({ looksInside: true })
  checker.onApplied({ nodeId: 1, entry: entry(1), digest: 11, application })
  checker.onApplied({ nodeId: 1, entry: entry(2), digest: 22, application })
  const memberships = [genesisRecord(genesisOf(3))]
  const right = {
    appliedUpTo: 2,
    timeMs: 1,
    stateDigest: 22,
    memberships,
    boundarySlots: 2,
    boundaryCommands: 2,
    boundaryBytes: 0,
    skippedSlots: [],
    level: 1,
    levelVersion: '',
  }
  checker.onCheckpoint(2, right)
  for (const wrong of [{ timeMs: 0 }, { stateDigest: 11 }, { appliedUpTo: 1 }, { appliedUpTo: 3 }]) {
    assert.throws(
      () => checker.onCheckpoint(2, { ...right, ...wrong }),
      /node 2 wrote a checkpoint of slot \d that has another digest or log time than the slot/,
    )
  }
})

test('a checkpoint, written or installed, has the memberships of the log, and counts from the last boundary on', () => {
  const checker = checkerOf({ looksInside: true, boundaries: { slotsMax: 9, commandsMax: 2 } })
  checker.onApplied({ nodeId: 1, entry: entry(1), digest: 11, application })
  checker.onApplied({ nodeId: 1, entry: entry(2), digest: 22, application })
  const memberships = [genesisRecord(genesisOf(3))]
  const right = {
    appliedUpTo: 1,
    timeMs: 1,
    stateDigest: 11,
    memberships,
    boundarySlots: 1,
    boundaryCommands: 1,
    boundaryBytes: 0,
    skippedSlots: [],
    level: 1,
    levelVersion: '',
  }
  checker.onInstalled(2, right, application)
  checker.onInstalled(2, { ...right, appliedUpTo: 2, stateDigest: 22, boundarySlots: 0, boundaryCommands: 0 }, application)
  for (const wrong of [{ boundarySlots: 2 }, { boundaryCommands: 0 }]) {
    assert.throws(
      () => checker.onInstalled(2, { ...right, ...wrong }, application),
      /counted otherwise than from the last boundary/,
    )
  }
  for (const others of [[], [genesisRecord(genesisOf(4))], [...memberships, ...memberships]]) {
    assert.throws(
      () => checker.onInstalled(2, { ...right, memberships: others }, application),
      /node 2 has other memberships above slot 1 than the log says/,
    )
  }
  assert.throws(
    () => checker.onInstalled(2, { ...right, stateDigest: 12 }, application),
    /node 2 installed a checkpoint of slot 1 that has another digest/,
  )
})
