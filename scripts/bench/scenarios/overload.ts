import { setTimeout as delay } from 'node:timers/promises'
import type { Line, Plot } from '../../lib/plot.js'
import { Sampler } from '../../lib/sampling.js'
import type { Goal, Ratio } from '../goal.js'
import { type LoadShape, runLoad } from '../load.js'
import { measure } from '../measure.js'
import type { SynodRival } from '../rivals/synod.js'
import type { Context, Row, Scenario, ScenarioResult } from '../scenario.js'
import type { Measurement } from '../types.js'
import { type Crowd, floodCrowd, sdkCrowd } from './overload-crowd.js'
import { Probe } from './overload-probe.js'

const FACTOR = 10
/** What nodes may hold back at most; above it, what is due is not begun, and has failed. */
const OUTSTANDING_MAX = 32_768
const PEAK_IN_FLIGHT = [256, 1_024]
const PEAK_IN_FLIGHT_QUICK = [512]
const WARM_IN_FLIGHT = 512
const WARM_SECONDS = 2
/** As the others, times so many: queues and heaps take their time to grow. */
const OVERLOAD_TURNS = 3
const RECOVERY_MS = 1_000
const SAMPLE_MS = 200
const MIB = 1 << 20

const goodput: Goal = { figure: 'goodput under overload', against: 'its own peak', bound: { atLeast: 0.9 } }
const refusals: Goal = { figure: 'p50 of a refusal', against: 'p50 of a put at the peak', bound: { atMost: 1 } }
const memory: Goal = { figure: 'memory of the nodes', against: 'its own, halfway', bound: { atMost: 1.25 } }

export const overload: Scenario = {
  name: 'overload',
  title: `Puts, ${FACTOR} times as many as are done at the peak, open loop`,
  goals: [goodput, refusals, memory],
  async run(context) {
    const parts: ScenarioResult[] = []
    for (const makeCrowd of context.isQuick ? [floodCrowd] : [floodCrowd, sdkCrowd]) {
      const rival = await context.rivals.ownSynod()
      const crowd = await makeCrowd(rival)
      parts.push(await overloadBy(context, rival, crowd))
      crowd.close()
      await context.rivals.stopOwn()
    }
    return {
      rows: parts.flatMap(({ rows }) => rows),
      ratios: parts.flatMap(({ ratios }) => ratios),
      plots: parts.flatMap(({ plots }) => plots),
      notes: parts.flatMap(({ notes = [] }) => notes),
    }
  },
}

async function overloadBy(context: Context, rival: SynodRival, crowd: Crowd): Promise<ScenarioResult> {
  const { seconds, isQuick, note } = context
  // Nodes that have just been started would have their peak before them.
  await runLoad(crowd.put, { inFlight: WARM_IN_FLIGHT }, { seconds: WARM_SECONDS, warmupSeconds: 0 })
  const rows: Row[] = []
  const turn = async (point: string, shape: LoadShape, turnSeconds = seconds): Promise<Measurement> => {
    note(`overload, ${crowd.name}: ${point}`)
    const measurement = await measure(rival.processes, (hooks) =>
      runLoad(crowd.put, shape, { seconds: turnSeconds, warmupSeconds: context.warmupSeconds, ...hooks }),
    )
    rows.push({ point, rival: `${rival.title}, ${crowd.name}`, measurement })
    return measurement
  }
  let peak: Measurement | undefined
  for (const inFlight of isQuick ? PEAK_IN_FLIGHT_QUICK : PEAK_IN_FLIGHT) {
    const measurement = await turn(`${inFlight} in flight`, { inFlight })
    if (measurement.throughput > (peak?.throughput ?? 0)) peak = measurement
  }
  if (peak === undefined) throw new Error('not one put was done at the peak')
  const sampler = new Sampler(rival.cluster.nodes, () => 0, SAMPLE_MS)
  const probe = new Probe(rival.cluster.endpoints)
  const ratePerSecond = Math.round(FACTOR * peak.throughput)
  const shape = { ratePerSecond, outstandingMax: OUTSTANDING_MAX }
  const over = await turn(`offered: ${ratePerSecond}/s`, shape, seconds * OVERLOAD_TURNS)
  sampler.stop()
  const seen = probe.stop()
  if (!isQuick) {
    await delay(RECOVERY_MS)
    await turn(`afterwards, ${WARM_IN_FLIGHT} in flight`, { inFlight: WARM_IN_FLIGHT })
  }
  const ratios: Ratio[] = [
    { goal: goodput, of: crowd.name, values: { ours: over.throughput, theirs: peak.throughput }, unit: '/s' },
    { goal: memory, of: crowd.name, values: growthOf(sampler), unit: 'MiB' },
  ]
  const refused = crowd.refusals
  if (refused.count > 0) {
    const values = { ours: refused.latencies().p50, theirs: peak.latency.p50 }
    ratios.push({ goal: refusals, of: crowd.name, values, unit: 'ms' })
  }
  return {
    rows,
    ratios,
    plots: [memoryOverTime(crowd.name, sampler)],
    notes: [`${crowd.name}: ${refused.count} refusals; ${seen}`],
  }
}

/** Of the node that has grown most: its highest in the second half, and in the first. */
function growthOf({ samples }: Sampler): NonNullable<Ratio['values']> {
  const grown = [...samples.values()].map((list) => {
    const rss = list.map((sample) => sample.rss / MIB)
    const half = Math.floor(rss.length / 2)
    return { ours: Math.max(0, ...rss.slice(half)), theirs: Math.max(0, ...rss.slice(0, half)) }
  })
  return grown.reduce((most, one) => (one.ours / one.theirs > most.ours / most.theirs ? one : most))
}

function memoryOverTime(name: string, { samples }: Sampler): Plot {
  const lines = [...samples].map(([nodeId, list]): Line => {
    return { name: `n${nodeId}`, points: list.map(({ atMs, rss }) => [atMs / 1_000, rss / MIB]) }
  })
  return { title: `Memory under overload, ${name}`, xUnit: 's', yUnit: 'resident, MiB', lines }
}
