import { randomUUID } from 'node:crypto'
import type { Client } from '../../../src/client/client.js'
import { takeTurn } from '../measure.js'
import { measureMemory } from '../rivals/memory.js'
import type { Scenario } from '../scenario.js'
import type { Operation } from '../types.js'
import { BATCH_ACCOUNTS, BATCH_TRANSFERS, batchOf } from './batches.js'
import { compare, type MeasuredGoal } from './compare.js'

const IN_FLIGHT = 2
/** The least that a turn lasts: in one second few batches end. */
const SECONDS_MIN = 2
const FUNDS = 1n << 50n

const goals: readonly MeasuredGoal[] = [
  { figure: 'throughput', against: 'apply() of the same in memory, on one core', bound: { atLeast: 0.5 } },
]

export const transferBatch: Scenario = {
  name: 'transfer-batch',
  title: 'TransferBatch of 8,190, through the SDK; latencies are of batches',
  goals,
  async run(context) {
    // The checkpoints of all these movements would weigh on who came after.
    const synod = await context.rivals.ownSynod()
    await synod.openAccounts(BATCH_ACCOUNTS, FUNDS)
    const { processes, cluster, title } = synod
    const longer = { ...context, seconds: Math.max(context.seconds, SECONDS_MIN) }
    return await compare(longer, {
      title: this.title,
      goals,
      inFlight: [IN_FLIGHT],
      contestants: [
        {
          name: `${title}, SDK`,
          turn: (shape) =>
            takeTurn(longer, { client: cluster.connect(), operationOf: batches, processes, shape, weight: BATCH_TRANSFERS }),
        },
        { name: 'apply() alone', turn: () => measureMemory(longer.seconds, longer.warmupSeconds) },
      ],
    })
  },
}

function batches(client: Client): Operation {
  const prefix = randomUUID().slice(0, 8)
  return async (n) => {
    const { results } = await client.bank.transferBatch({ transfers: batchOf(prefix, n) })
    const refused = results.find(({ code }) => code !== 0)
    if (refused !== undefined) throw new Error(`a transfer was refused: ${refused.message}`)
  }
}
