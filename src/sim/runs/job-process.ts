// One of the processes among which runSeeds distributes the seeds. It runs the seeds that it is sent, and reports each of them.
import type { JobOrder } from './jobs.js'
import { planOf } from './run-seed.js'
import { summarize } from './summary.js'
import { judge } from './verdict.js'

process.on('message', (order: JobOrder) => void carryOut(order))
// The parent process is gone.
process.on('disconnect', () => process.exit())

async function carryOut({ firstSeed, lastSeed }: JobOrder): Promise<void> {
  for (let seed = firstSeed; seed <= lastSeed; seed++) {
    const seeded = { seed, plan: planOf(seed) }
    const summary = summarize(seeded, await judge(seeded))
    // Waits, so that a disconnect is heard between two runs.
    await new Promise<void>((resolve) => process.send?.(summary, undefined, undefined, () => resolve()))
  }
}
