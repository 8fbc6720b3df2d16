// Applies batches of transfers to the state machine, and nothing else, for so many seconds: node memory-process.ts SECONDS WARMUP_SECONDS

import { nodeCrypto } from '../../../src/api/node-crypto.js'
import { Books } from '../../../src/app/books.js'
import { apply } from '../../../src/app/carry-out.js'
import { accountOf } from '../../lib/bank-load.js'
import { BATCH_ACCOUNTS, batchOf } from '../scenarios/batches.js'
import type { AppliedBatches } from './memory.js'

/** A machine keeps what was done since its last checkpoint; one is made anew about as often as a node makes one. */
const BATCHES_PER_MACHINE = 32

function newMachine(): Books {
  const machine = new Books(nodeCrypto)
  for (let i = 0; i < BATCH_ACCOUNTS; i++) {
    const value = { accountId: accountOf(i), asset: 'EUR', overdraftLimit: 1n << 50n }
    apply(machine, { $case: 'openAccount', value }, { slot: 1, timeMs: 0, level: 1 })
  }
  return machine
}

/** Only apply() itself counts. */
function applyFor(seconds: number): AppliedBatches {
  const latenciesMs: number[] = []
  let machine = newMachine()
  for (let spentMs = 0; spentMs < seconds * 1_000; ) {
    if (latenciesMs.length % BATCHES_PER_MACHINE === 0) machine = newMachine()
    const transfers = batchOf('memory', latenciesMs.length).map((transfer) => ({ ...transfer, pending: false, timeoutMs: 0 }))
    const beganMs = performance.now()
    apply(
      machine,
      { $case: 'transferBatch', value: { transfers, linkedGroups: [] } },
      { slot: 2 + latenciesMs.length, timeMs: 0, level: 1 },
    )
    const tookMs = performance.now() - beganMs
    latenciesMs.push(tookMs)
    spentMs += tookMs
  }
  return { latenciesMs, peakMemory: process.resourceUsage().maxRSS * 1_024 }
}

const [seconds = 1, warmupSeconds = 1] = process.argv.slice(2).map(Number)
applyFor(warmupSeconds)
process.send?.(applyFor(seconds))
process.disconnect()
