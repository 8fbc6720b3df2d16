import { takeTurn } from '../measure.js'
import type { Scenario } from '../scenario.js'
import type { MeasuredProcess } from '../types.js'
import { initialBalances, type SmallBank, smallBankOperation } from '../workloads/smallbank.js'
import { EtcdSmallBank } from '../workloads/smallbank-etcd.js'
import { SynodSmallBank } from '../workloads/smallbank-synod.js'
import { compare, type MeasuredGoal } from './compare.js'

/** As many as the paper has. */
const CUSTOMERS = 18_000
const CUSTOMERS_QUICK = 1_000
const SEED = 1

const goals: readonly MeasuredGoal[] = [
  { figure: 'throughput', against: 'etcd, optimistic Txn with retry', bound: { atLeast: 1 } },
]

/** Somebody who has a bank: how to connect to it. */
interface Bank {
  readonly title: string
  readonly processes: readonly MeasuredProcess[]
  connect(): SmallBank
}

export const smallbank: Scenario = {
  name: 'smallbank',
  title: 'SmallBank, serializable, scrambled Zipfian; Synod through the SDK',
  goals,
  async run(context) {
    const customers = context.isQuick ? CUSTOMERS_QUICK : CUSTOMERS
    const { cluster, title, processes } = await context.rivals.synod()
    const etcds = await context.rivals.etcds()
    const banks: Bank[] = [
      { title, processes, connect: () => new SynodSmallBank(cluster.connect()) },
      ...etcds.map((rival) => ({
        title: rival.title,
        processes: rival.processes,
        connect: () => new EtcdSmallBank(rival.etcd.endpoints),
      })),
    ]
    for (const bank of banks) await open(bank, customers)
    const result = await compare(context, {
      title: 'SmallBank',
      goals,
      inFlight: context.isQuick ? [64] : [16, 256],
      contestants: banks.map((bank) => ({
        name: bank.title,
        turn: (shape) =>
          takeTurn(context, {
            client: bank.connect(),
            operationOf: (client) => smallBankOperation(client, customers, SEED),
            processes: bank.processes,
            shape,
          }),
      })),
    })
    return { ...result, notes: [`${customers} customers, of two accounts each; a conflict is tried again within its operation.`] }
  },
}

async function open(bank: Bank, customers: number): Promise<void> {
  const client = bank.connect()
  await client.open(customers, initialBalances(SEED))
  client.close()
}
