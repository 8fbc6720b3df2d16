import type { Scenario } from '../scenario.js'
import { compare, type MeasuredGoal } from './compare.js'
import { keyTurn, puts } from './key-load.js'

const goals: readonly MeasuredGoal[] = [
  { figure: 'throughput', against: 'etcd', bound: { atLeast: 1 } },
  { figure: 'p99', against: 'etcd', bound: { atMost: 1 } },
]

export const putUnary: Scenario = {
  name: 'put-unary',
  title: 'Put 100 B, unary calls to all nodes',
  goals,
  async run(context) {
    const rivals = [await context.rivals.synod(), ...(await context.rivals.etcds())]
    return await compare(context, {
      title: this.title,
      goals,
      inFlight: context.isQuick ? [1, 64] : [1, 16, 64, 256],
      contestants: rivals.map((rival) => ({
        name: rival.title,
        turn: (shape) => keyTurn(context, rival, 'unary', puts, shape),
      })),
    })
  },
}
