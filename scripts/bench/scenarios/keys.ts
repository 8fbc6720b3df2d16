import { gets, KEYS, puts, VALUE_BYTES } from '../key-operations.js'
import type { Scenario } from '../scenario.js'
import type { ClientKind, KeyClient, Operation } from '../types.js'
import { compare, type MeasuredGoal } from './compare.js'
import { keyCompetitor } from './key-load.js'

const AS_FAST: readonly MeasuredGoal[] = [
  { figure: 'throughput', against: 'etcd, same client', bound: { atLeast: 1 } },
  { figure: 'p99', against: 'etcd, same client', bound: { atMost: 1 } },
]
const TEN_TIMES: readonly MeasuredGoal[] = [{ figure: 'throughput', against: 'etcd, same load', bound: { atLeast: 10 } }]

interface KeyScenario extends Pick<Scenario, 'name' | 'title'> {
  readonly goals: readonly MeasuredGoal[]
  readonly kind: ClientKind
  readonly operationOf: (client: KeyClient) => Operation
  readonly inFlight: readonly number[]
  readonly inFlightQuick: readonly number[]
}

/** Synod and etcd side by side at one operation on keys. etcd has unary clients only. */
function keyScenario({ kind, operationOf, inFlight, inFlightQuick, ...rest }: KeyScenario): Scenario {
  return {
    ...rest,
    async run(context) {
      const synod = await context.rivals.synod()
      const etcds = await context.rivals.etcds()
      if (operationOf === gets) for (const rival of [synod, ...etcds]) await rival.putKeys(KEYS, VALUE_BYTES)
      return await compare(context, {
        title: rest.title,
        goals: rest.goals,
        inFlight: context.isQuick ? inFlightQuick : inFlight,
        contestants: [
          keyCompetitor(context, synod, kind, operationOf),
          ...etcds.map((etcd) => keyCompetitor(context, etcd, 'unary', operationOf)),
        ],
        isOpenLoopToo: !context.isQuick || operationOf === puts,
      })
    },
  }
}

export const putUnary = keyScenario({
  name: 'put-unary',
  title: 'Put 100 B by unary calls to all nodes',
  goals: AS_FAST,
  kind: 'unary',
  operationOf: puts,
  inFlight: [1, 16, 64, 256],
  inFlightQuick: [1, 64],
})

export const putSdk = keyScenario({
  name: 'put-sdk',
  title: 'Put 100 B through the SDK',
  goals: TEN_TIMES,
  kind: 'sdk',
  operationOf: puts,
  inFlight: [256],
  inFlightQuick: [256],
})

export const getUnary = keyScenario({
  name: 'get-unary',
  title: 'Linearizable Get by unary calls to all nodes',
  goals: AS_FAST.filter(({ figure }) => figure === 'throughput'),
  kind: 'unary',
  operationOf: gets,
  inFlight: [1, 16, 64, 256],
  inFlightQuick: [64],
})

export const getSdk = keyScenario({
  name: 'get-sdk',
  title: 'Linearizable Get through the SDK',
  goals: TEN_TIMES,
  kind: 'sdk',
  operationOf: gets,
  inFlight: [256],
  inFlightQuick: [256],
})
