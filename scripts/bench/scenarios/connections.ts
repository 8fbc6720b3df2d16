import { forEach, keyOf } from '../../lib/bank-load.js'
import { alternate, type Contestant, medianMeasurement } from '../alternate.js'
import type { Goal } from '../goal.js'
import { inTurn } from '../in-turn.js'
import { KEYS, VALUE } from '../key-operations.js'
import { openLoop } from '../load.js'
import { measure } from '../measure.js'
import type { SynodRival } from '../rivals/synod.js'
import type { Context, Scenario } from '../scenario.js'
import type { KeyClient, Measurement, Operation } from '../types.js'

/** Of all clients together: what a thousand can send one by one, each in a frame of its own, with room to spare. */
const RATE_PER_SECOND = 500
const CLIENTS = [1, 100, 1_000]
const CONNECTS_IN_FLIGHT = 50

const goal: Goal = { figure: 'p99', against: 'itself, one client', bound: { atMost: 2 } }

export const connections: Scenario = {
  name: 'connections',
  title: `${RATE_PER_SECOND} puts/s in all, open loop, by so many connected SDK clients`,
  goals: [goal],
  async run(context) {
    const rival = await context.rivals.synod()
    const contestants = CLIENTS.map((count): Contestant => ({ name: pointOf(count), turn: () => turn(context, rival, count) }))
    const measurements = await alternate(contestants, context.rounds)
    const rows = contestants.map(({ name }) => ({
      point: name,
      rival: `${rival.title}, SDK`,
      measurement: medianMeasurement(measurements.get(name) ?? []),
    }))
    const [one, ...more] = rows
    const ratios = more.map(({ point, measurement }) => ({
      goal,
      of: point,
      values: { ours: measurement.latency.p99, theirs: one?.measurement.latency.p99 ?? 0 },
      unit: 'ms',
    }))
    return { rows, ratios, plots: [] }
  },
}

function pointOf(count: number): string {
  return count === 1 ? '1 client' : `${count} clients`
}

async function turn({ seconds, warmupSeconds, note }: Context, rival: SynodRival, count: number): Promise<Measurement> {
  note(`connections: ${pointOf(count)}`)
  const clients = Array.from({ length: count }, () => rival.keyClient('sdk'))
  try {
    // Each connects, and opens its session, with its first put.
    await forEach(count, CONNECTS_IN_FLIGHT, (i) => put(clients, i))
    const operation: Operation = (n) => put(clients, n)
    return await measure(rival.processes, (hooks) =>
      openLoop(operation, { ratePerSecond: RATE_PER_SECOND, seconds, warmupSeconds, ...hooks }),
    )
  } finally {
    for (const client of clients) client.close()
  }
}

/** By the clients in turn. */
function put(clients: readonly KeyClient[], n: number): Promise<unknown> {
  return inTurn(clients, n).put(keyOf(n % KEYS), VALUE)
}
