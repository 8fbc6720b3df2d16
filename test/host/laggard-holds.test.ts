import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LaggardHolds } from '../../src/host/watches/laggard-holds.js'
import type { Slot } from '../../src/paxos/types.js'

const PATIENCE_MS = 300_000

function setUp() {
  const held: Slot[] = []
  const holds = new LaggardHolds({
    holdLog: (slot) => {
      held.push(slot)
      return () => void held.splice(held.indexOf(slot), 1)
    },
  })
  return { holds, held }
}

describe('the log that is held for laggards', () => {
  it('is held from the checkpoint on as long as parts of it come, and then from where each has got to', () => {
    const { holds, held } = setUp()
    holds.onProgress(3, 100, 0)
    holds.onProgress(3, 100, PATIENCE_MS - 1)
    holds.onProgress(4, 90, PATIENCE_MS)
    holds.tick(2 * PATIENCE_MS - 2)
    assert.deepEqual(held, [100, 90])
    holds.onAsked(3, { upTo: 3_000, decidedUpTo: 9_000 }, 2 * PATIENCE_MS - 2)
    assert.deepEqual(held, [90, 3_000])
    // 64 slots of a MiB each are all that a node keeps by itself.
    holds.onAsked(3, { upTo: 8_936, decidedUpTo: 9_000 }, 2 * PATIENCE_MS - 2)
    assert.deepEqual(held, [90, 8_936])
    holds.onAsked(3, { upTo: 8_970, decidedUpTo: 9_000 }, 2 * PATIENCE_MS)
    assert.deepEqual([held, holds.count], [[90], 1], 'it has caught up')
  })

  it('is let go of when one comes no nearer, however often it asks for the same', () => {
    const { holds, held } = setUp()
    holds.onProgress(3, 100, 0)
    for (let nowMs = 0; nowMs < PATIENCE_MS; nowMs += 1_000) holds.onAsked(3, { upTo: 100, decidedUpTo: 9_000 }, nowMs)
    holds.tick(PATIENCE_MS - 1)
    assert.deepEqual(held, [100])
    holds.tick(PATIENCE_MS)
    assert.deepEqual(held, [])
  })

  it('is held for nobody who is content with the log that there is', () => {
    const { holds, held } = setUp()
    holds.onAsked(2, { upTo: 5, decidedUpTo: 9_000 }, 0)
    assert.deepEqual(held, [])
  })
})
