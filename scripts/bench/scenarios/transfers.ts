import { accountOf } from '../../lib/bank-load.js'
import { takeTurn } from '../measure.js'
import type { Context, Scenario } from '../scenario.js'
import type { BankClient, BankRival, ClientKind, Operation } from '../types.js'
import { type Competitor, compare, type MeasuredGoal } from './compare.js'

const IN_FLIGHT = 256
/** Nothing is refused for want of it. */
const FUNDS = 1n << 50n
const AGAINST = 'etcd, optimistic Txn with retry'

interface TransferScenario extends Pick<Scenario, 'name' | 'title'> {
  readonly goals: readonly MeasuredGoal[]
  readonly accounts: number
  /** Of the n-th transfer. */
  readonly pairOf: (n: number) => readonly [from: number, to: number]
  /** The least that a turn lasts: where one waits for another, there is little to count. */
  readonly secondsMin: number
}

/** Synod's transfers beside what one writes for etcd. */
function transferScenario({ accounts, pairOf, secondsMin, ...rest }: TransferScenario): Scenario {
  const operationOf = (client: BankClient): Operation => {
    return (n) => {
      const [from, to] = pairOf(n)
      return client.transfer(accountOf(from), accountOf(to), 1n)
    }
  }
  const competitor = (context: Context, rival: BankRival, kind: ClientKind): Competitor => ({
    name: kind === 'sdk' ? `${rival.title}, SDK` : rival.title,
    turn: (shape) => takeTurn(context, { client: rival.bankClient(kind), operationOf, processes: rival.processes, shape }),
  })
  return {
    ...rest,
    async run(context) {
      const synod = await context.rivals.synod()
      const etcds = await context.rivals.etcds()
      for (const rival of [synod, ...etcds]) await rival.openAccounts(accounts, FUNDS)
      const longer = { ...context, seconds: Math.max(context.seconds, secondsMin) }
      return await compare(longer, {
        title: rest.title,
        goals: rest.goals,
        inFlight: [IN_FLIGHT],
        contestants: [
          competitor(longer, synod, 'sdk'),
          ...etcds.map((etcd) => competitor(longer, etcd, 'unary')),
          ...(context.isQuick ? [] : [{ ...competitor(longer, synod, 'unary'), isShownOnly: true }]),
        ],
      })
    },
  }
}

export const hotAccounts = transferScenario({
  name: 'hot-accounts',
  title: 'Transfers between 2 hot accounts',
  goals: [{ figure: 'throughput', against: AGAINST, bound: { atLeast: 200 } }],
  accounts: 2,
  pairOf: (n) => (n % 2 === 0 ? [0, 1] : [1, 0]),
  secondsMin: 2,
})

const ACCOUNTS = 10_000

export const tenThousandAccounts = transferScenario({
  name: 'ten-thousand-accounts',
  title: 'Transfers over 10,000 accounts',
  goals: [{ figure: 'throughput', against: AGAINST, bound: { atLeast: 20 } }],
  accounts: ACCOUNTS,
  // Two large primes spread them; the second account is some other one.
  pairOf: (n) => {
    const from = (n * 7_919) % ACCOUNTS
    return [from, (from + 1 + ((n * 104_729) % (ACCOUNTS - 1))) % ACCOUNTS]
  },
  secondsMin: 1,
})
