import { setTimeout as delay } from 'node:timers/promises'
import { alternate, type Contestant, medianMeasurement } from '../alternate.js'
import type { Goal } from '../goal.js'
import { closedLoop, openLoop } from '../load.js'
import { measure } from '../measure.js'
import type { Context, Scenario } from '../scenario.js'
import type { Measurement, Operation } from '../types.js'
import { Disturbed } from './disturbed.js'

/** Of what the same clients reach with so many in flight. */
const LOAD_SHARE = 0.3
const RATE_MAX = 2_000
const IN_FLIGHT = 64

const goal: Goal = { figure: 'p99', against: 'itself, undisturbed', bound: { atMost: 2 } }

/** What happens while the load goes on. */
interface Disturbance {
  readonly name: string
  /** Before the load, which warms up with so many puts. */
  prepare(disturbed: Disturbed, warmupPuts: number): Promise<void>
  /** As the measured time begins. */
  begin(disturbed: Disturbed): void
  /** After the load: brings all back to what it was. @throws when nothing has happened */
  end(disturbed: Disturbed): Promise<void>
}

const UNDISTURBED: Disturbance = {
  name: 'undisturbed',
  prepare: async () => undefined,
  begin: () => undefined,
  end: async () => undefined,
}

const DISTURBANCES: readonly Disturbance[] = [
  {
    name: 'a checkpoint is flushed',
    prepare: (disturbed, warmupPuts) => disturbed.fillUpToCheckpoint(warmupPuts),
    begin: () => undefined,
    end: (disturbed) => disturbed.expectCheckpoint(),
  },
  {
    name: 'a node catches up',
    prepare: (disturbed) => disturbed.leaveBehind(),
    begin: (disturbed) => disturbed.startAgain(),
    end: (disturbed) => disturbed.untilCaughtUp(),
  },
  {
    name: 'a node is paused',
    prepare: async () => undefined,
    begin: (disturbed) => disturbed.pause(),
    end: (disturbed) => disturbed.resume(),
  },
]

export const disturbances: Scenario = {
  name: 'disturbances',
  title: 'Puts of 1,000 B at a fixed rate, SDK clients of the leader and one follower; the other follower is disturbed',
  goals: [goal],
  async run(context) {
    const rival = await context.rivals.ownSynod()
    const disturbed = await Disturbed.among(rival.cluster)
    try {
      const rate = await affordableRate(context, disturbed.puts)
      const contestants = [UNDISTURBED, ...DISTURBANCES].map((disturbance): Contestant => {
        const turn = async (): Promise<Measurement> => {
          context.note(`disturbances: ${disturbance.name}`)
          const { seconds, warmupSeconds } = context
          await disturbance.prepare(disturbed, rate * warmupSeconds)
          const measurement = await measure(rival.processes, ({ onBegin, onEnd }) =>
            openLoop(disturbed.puts, {
              ratePerSecond: rate,
              seconds,
              warmupSeconds,
              onBegin: () => {
                onBegin()
                disturbance.begin(disturbed)
              },
              onEnd,
            }),
          )
          await disturbance.end(disturbed)
          return measurement
        }
        return { name: disturbance.name, turn }
      })
      const measurements = await alternate(contestants, context.rounds)
      const rows = contestants.map(({ name }) => ({
        point: name,
        rival: `${rival.title}, ${rate} puts/s`,
        measurement: medianMeasurement(measurements.get(name) ?? []),
      }))
      const [still, ...others] = rows
      const ratios = others.map(({ point, measurement }) => ({
        goal,
        of: point,
        values: { ours: measurement.latency.p99, theirs: still?.measurement.latency.p99 ?? 0 },
        unit: 'ms',
      }))
      return { rows, ratios, plots: [] }
    } finally {
      disturbed.close()
    }
  },
}

async function affordableRate({ seconds, warmupSeconds }: Context, operation: Operation): Promise<number> {
  const { throughput } = await closedLoop(operation, { inFlight: IN_FLIGHT, seconds, warmupSeconds })
  await delay(500)
  return Math.min(RATE_MAX, Math.round((LOAD_SHARE * throughput) / 50) * 50)
}
