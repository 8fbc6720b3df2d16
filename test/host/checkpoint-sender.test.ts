import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CheckpointSender } from '../../src/host/checkpoint/checkpoint-sender.js'
import type { CheckpointPart, CheckpointRequest } from '../../src/protocol/checkpoint-transfer.js'
import type { CheckpointView } from '../../src/storage/storage.js'
import { headerOf } from '../transport/checkpoint-parts.js'
import { FakeRuntime, turns } from './fake-runtime.js'

const FIRST: CheckpointRequest = { minSlot: 5, checkpointId: '', afterKey: undefined }
const KEYS = [1, 2, 3, 4]

/** A storage whose checkpoint stands at `slot`, and what it is asked. */
function setUp() {
  const runtime = new FakeRuntime()
  const state = { slot: 10, hasCheckpoint: true, openViews: 0, appliedUpTo: 12, askedCount: 0, holds: [] as [number, number][] }
  const viewCheckpoint = async (): Promise<CheckpointView | undefined> => {
    if (!state.hasCheckpoint) return undefined
    const { slot } = state
    state.openViews++
    return {
      header: headerOf({ slot, checkpointId: `at-${slot}` }),
      end: { stateCount: KEYS.length, stateSum: slot, historyCount: 0, historySum: 0 },
      async *pages(afterKey) {
        for (const key of KEYS)
          if (key > (afterKey?.[0] ?? 0)) yield { keys: [Uint8Array.of(key)], records: [Uint8Array.of(slot)] }
      },
      close: async () => void state.openViews--,
    }
  }
  const sender = new CheckpointSender({
    storage: { viewCheckpoint },
    runtime,
    holds: { onProgress: (nodeId, upTo) => void state.holds.push([nodeId, upTo]) },
    appliedUpTo: () => state.appliedUpTo,
    askForCheckpoint: () => void state.askedCount++,
  })
  return { runtime, state, sender }
}

function told(part: CheckpointPart): string {
  if ('header' in part) return `header ${part.header.checkpointId}`
  return 'page' in part ? `${part.page.keys[0]?.[0]}=${part.page.records[0]?.[0]}` : `end ${part.end.stateSum}`
}

async function all(parts: AsyncIterable<CheckpointPart>): Promise<string[]> {
  const list: string[] = []
  for await (const part of parts) list.push(told(part))
  return list
}

describe('the sender of checkpoints', () => {
  it('sends a header, the pages and an end', async () => {
    const { sender } = setUp()
    assert.deepEqual(await all(sender.serve({ nodeId: 2 }, FIRST)), ['header at-10', '1=10', '2=10', '3=10', '4=10', 'end 10'])
  })

  it('goes on from the same view after a break, though there is a newer checkpoint, for five minutes; not when it is done', async () => {
    const { sender, state, runtime } = setUp()
    const broken = sender.serve({ nodeId: 2 }, FIRST)
    for (let i = 0; i < 3; i++) await broken.next()
    await broken.return(undefined)
    state.slot = 20
    const resume = { minSlot: 5, checkpointId: 'at-10', afterKey: Uint8Array.of(2) }
    await runtime.pass(299_000)
    assert.deepEqual(await all(sender.serve({ nodeId: 2 }, resume)), ['header at-10', '3=10', '4=10', 'end 10'])
    assert.equal(state.openViews, 1)
    await runtime.pass(5_001)
    assert.equal(state.openViews, 0)
    assert.deepEqual(await all(sender.serve({ nodeId: 2 }, resume)), ['header at-20', '1=20', '2=20', '3=20', '4=20', 'end 20'])
  })

  it('goes on with a transfer that began at another node, when it has the same checkpoint', async () => {
    const { sender } = setUp()
    const parts = await all(sender.serve({ nodeId: 2 }, { minSlot: 5, checkpointId: 'at-10', afterKey: Uint8Array.of(3) }))
    assert.deepEqual(parts, ['header at-10', '4=10', 'end 10'])
  })

  it('keeps one view of those that nobody reads', async () => {
    const { sender, state } = setUp()
    await all(sender.serve({ nodeId: 2 }, FIRST))
    state.slot = 20
    await all(sender.serve({ nodeId: 2 }, FIRST))
    assert.equal(state.openViews, 1)
    assert.equal(sender.openCount, 1)
    await all(sender.serve({ nodeId: 3 }, FIRST))
    assert.equal(state.openViews, 1, 'a second view of the same is not kept')
  })

  it('says when its checkpoint is too old or there is none, and asks for a newer one if that would do', async () => {
    const { sender, state } = setUp()
    await assert.rejects(all(sender.serve({ nodeId: 2 }, { ...FIRST, minSlot: 12 })), {
      code: 'NOT_FOUND',
      message: /slot 12 or above, but one at slot 10/,
    })
    assert.equal(state.askedCount, 1)
    await assert.rejects(all(sender.serve({ nodeId: 2 }, { ...FIRST, minSlot: 13 })), { code: 'NOT_FOUND' })
    assert.equal(state.askedCount, 1)
    state.hasCheckpoint = false
    await assert.rejects(all(sender.serve({ nodeId: 2 }, FIRST)), { code: 'NOT_FOUND', message: /but none/ })
    assert.equal(state.askedCount, 2)
    assert.equal(state.openViews, 0)
  })

  it('serves four nodes at a time, and the newest transfer of each', async () => {
    const { sender, state } = setUp()
    const first = sender.serve({ nodeId: 2 }, FIRST)
    const second = sender.serve({ nodeId: 3 }, FIRST)
    const others = [5, 6].map((nodeId) => sender.serve({ nodeId }, FIRST))
    for (const parts of [first, second, first, second, ...others]) await parts.next()
    await assert.rejects(sender.serve({ nodeId: 4 }, FIRST).next(), { code: 'BUSY' })
    const again = sender.serve({ nodeId: 2 }, FIRST)
    await again.next()
    await assert.rejects(first.next(), { code: 'BUSY' })
    await assert.rejects(sender.serve({ nodeId: 4 }, FIRST).next(), { code: 'BUSY' })
    assert.equal((await all(again)).at(-1), 'end 10')
    assert.equal((await all(sender.serve({ nodeId: 4 }, FIRST))).length, 6)
    await second.return(undefined)
    for (const parts of others) await parts.return(undefined)
    assert.equal(state.openViews, 1)
  })

  it('tells of each transfer how far it is, and holds the log after it as long as pages go', async () => {
    const { sender, state, runtime } = setUp()
    const parts = sender.serve({ nodeId: 2 }, FIRST)
    await parts.next()
    assert.deepEqual(state.holds, [])
    await runtime.pass(1_000)
    for (let i = 0; i < 2; i++) await parts.next()
    assert.deepEqual(state.holds, [
      [2, 10],
      [2, 10],
    ])
    const { bytes } = headerOf()
    assert.deepEqual(sender.progress(), [
      { peerId: 2, isSending: true, slot: 10, bytesDone: 4, bytesTotal: bytes, bytesPerSecond: 4 },
    ])
    await parts.return(undefined)
    assert.deepEqual(sender.progress(), [])
  })

  it('closes everything when it stops, at once or when a transfer comes to its next page', async () => {
    const { sender, state, runtime } = setUp()
    await all(sender.serve({ nodeId: 2 }, FIRST))
    state.slot = 20
    const running = sender.serve({ nodeId: 3 }, FIRST)
    await running.next()
    assert.equal(state.openViews, 2)
    await sender.stop()
    assert.equal(state.openViews, 1)
    await assert.rejects(running.next(), { code: 'UNREACHABLE' })
    await turns()
    assert.equal(state.openViews, 0)
    assert.equal(runtime.timerCount, 0)
    await assert.rejects(sender.serve({ nodeId: 3 }, FIRST).next(), { code: 'UNREACHABLE' })
  })
})
