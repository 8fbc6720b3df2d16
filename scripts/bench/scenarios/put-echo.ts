import { puts } from '../key-operations.js'
import type { Scenario } from '../scenario.js'
import { compare, type MeasuredGoal } from './compare.js'
import { keyCompetitor } from './key-load.js'

const goals: readonly MeasuredGoal[] = [{ figure: 'throughput', against: 'echo, same client', bound: { atLeast: 0.6 } }]

export const putEcho: Scenario = {
  name: 'put-echo',
  title: 'Put 100 B by unary calls, beside a server that replicates and keeps nothing',
  goals,
  async run(context) {
    const rivals = [await context.rivals.synod(), await context.rivals.echo()]
    return await compare(context, {
      title: this.title,
      goals,
      inFlight: context.isQuick ? [256] : [64, 256],
      contestants: rivals.map((rival) => keyCompetitor(context, rival, 'unary', puts)),
    })
  },
}
