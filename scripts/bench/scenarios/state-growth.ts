import { Random } from '../../../src/sim/random.js'
import { accountOf, openAccounts } from '../../lib/bank-load.js'
import { alternate, type Contestant, medianMeasurement, medianOf } from '../alternate.js'
import type { Goal, Ratio } from '../goal.js'
import { closedLoop } from '../load.js'
import { measure } from '../measure.js'
import type { SynodRival } from '../rivals/synod.js'
import type { Context, Row, Scenario } from '../scenario.js'
import type { BankClient, Measurement, Operation } from '../types.js'

const ACCOUNTS = [1_000, 10_000, 100_000, 1_000_000]
const ACCOUNTS_QUICK = [1_000, 10_000]
const IN_FLIGHT = 256
const FORM_TIMEOUT_MS = 60_000
const SEED = 1

const goal: Goal = { figure: "the leader's processor time", against: 'itself, 1,000 accounts', bound: { atMost: 1.2 } }

/** A cluster that holds so many accounts. */
interface Holder {
  readonly point: string
  readonly accounts: number
  readonly rival: SynodRival
}

export const stateGrowth: Scenario = {
  name: 'state-growth',
  title: 'Transfers as the state grows, SDK',
  goals: [goal],
  async run(context) {
    const holders: Holder[] = []
    for (const accounts of context.isQuick ? ACCOUNTS_QUICK : ACCOUNTS) holders.push(await makeHolder(context, accounts))
    /** Processor seconds of the leader per 1,000 operations, by point. */
    const costs = new Map<string, number[]>(holders.map(({ point }) => [point, []]))
    const contestants = holders.map((holder): Contestant => {
      const turn = async (): Promise<Measurement> => {
        const { nodeId } = await holder.rival.cluster.untilFormed(FORM_TIMEOUT_MS)
        const measurement = await transfersTurn(context, holder)
        costs.get(holder.point)?.push(measurement.cpuPerThousand[`n${nodeId}`] ?? 0)
        return measurement
      }
      return { name: holder.point, turn }
    })
    const measurements = await alternate(contestants, context.rounds)
    const rows = holders.map(({ point, rival }): Row => {
      return { point, rival: rival.title, measurement: medianMeasurement(measurements.get(point) ?? []) }
    })
    const [few = 0, ...more] = holders.map(({ point }) => medianOf(costs.get(point) ?? []))
    const ratios = more.map((cost, i): Ratio => {
      return { goal, of: holders[i + 1]?.point ?? '', values: { ours: cost, theirs: few }, unit: 's/1,000' }
    })
    return { rows, ratios, plots: [] }
  },
}

async function makeHolder({ rivals, note }: Context, accounts: number): Promise<Holder> {
  const point = `${accounts} accounts`
  note(`state-growth: opens ${point}`)
  const rival = await rivals.ownSynod()
  await openAccounts(rival.cluster, accounts)
  return { point, accounts, rival }
}

async function transfersTurn({ seconds, warmupSeconds }: Context, { rival, accounts }: Holder): Promise<Measurement> {
  const client = rival.bankClient('sdk')
  try {
    return await measure(rival.processes, (hooks) =>
      closedLoop(transfersBetween(client, accounts), { inFlight: IN_FLIGHT, seconds, warmupSeconds, ...hooks }),
    )
  } finally {
    client.close()
  }
}

/** Between two that are drawn, any as often as any other. */
function transfersBetween(client: BankClient, accounts: number): Operation {
  const random = new Random(SEED)
  return () => {
    const from = random.int(0, accounts - 1)
    const to = (from + random.int(1, accounts - 1)) % accounts
    return client.transfer(accountOf(from), accountOf(to), 1n)
  }
}
