import type { Line, Plot } from '../../lib/plot.js'
import { alternate, type Contestant, medianMeasurement, medianOf } from '../alternate.js'
import type { Goal, Ratio } from '../goal.js'
import { puts } from '../key-operations.js'
import { openLoop } from '../load.js'
import { measure } from '../measure.js'
import type { EtcdRival } from '../rivals/etcd.js'
import type { SynodRival } from '../rivals/synod.js'
import type { Scenario } from '../scenario.js'
import type { KeyRival, Measurement } from '../types.js'

const RATE_PER_SECOND = 500
const WARMUP_SECONDS = 0.5
const BEFORE_SECONDS = 1
/** Longer than any of them takes to have another leader. */
const AFTER_SECONDS = 3
const FORM_TIMEOUT_MS = 60_000
const KILLS = 5
const KILLS_QUICK = 1
/** Of the plot. */
const BUCKET_MS = 20

const goal: Goal = { figure: 'kill -9 of the leader to the next acknowledged write', against: 'etcd', bound: { atMost: 0.5 } }

/** Whose leader can be killed. */
interface Cluster {
  readonly rival: KeyRival
  findLeader(): Promise<Leader>
}

interface Leader {
  kill(): Promise<void>
  /** Starts it again. Resolves when all is as it was. */
  bringBack(): Promise<void>
}

/** A put, as it ended. By performance.now(). */
interface Ended {
  readonly dueMs: number
  readonly endedMs: number
  readonly isFine: boolean
}

export const leaderKill: Scenario = {
  name: 'leader-kill',
  title: 'kill -9 of the leader under puts by unary calls to all nodes, open loop',
  goals: [goal],
  async run(context) {
    const clusters = [synodCluster(await context.rivals.ownSynod()), ...(await context.rivals.ownEtcds()).map(etcdCluster)]
    const kills = clusters.map((): Kill[] => [])
    const contestants = clusters.map((cluster, i): Contestant => {
      const turn = async (): Promise<Measurement> => {
        const kill = await killUnderLoad(cluster)
        context.note(`${cluster.rival.title}: a write again ${Math.round(kill.recoveryMs)} ms after the kill`)
        kills[i]?.push(kill)
        return kill.measurement
      }
      return { name: cluster.rival.title, turn }
    })
    const measurements = await alternate(contestants, context.isQuick ? KILLS_QUICK : KILLS)
    const recoveries = kills.map((list) => medianOf(list.map(({ recoveryMs }) => recoveryMs)))
    const [ours = 0, ...theirs] = recoveries
    const ratios = theirs.map((other, i): Ratio => {
      const name = contestants[i + 1]?.name ?? ''
      return { goal, of: name, values: { ours, theirs: other }, unit: 'ms' }
    })
    return {
      rows: contestants.map(({ name }) => ({
        point: `${RATE_PER_SECOND} puts/s`,
        rival: name,
        measurement: medianMeasurement(measurements.get(name) ?? []),
      })),
      ratios: ratios.length > 0 ? ratios : [{ goal, of: 'etcd', values: undefined, unit: 'ms' }],
      plots: [latencyOverTime(contestants.map(({ name }, i) => ({ name, kill: kills[i]?.[0] })))],
      notes: contestants.map(
        ({ name }, i) => `${name}: ${kills[i]?.map(({ recoveryMs }) => Math.round(recoveryMs)).join(', ')} ms`,
      ),
    }
  },
}

interface Kill {
  readonly measurement: Measurement
  readonly killedMs: number
  /** Until the first acknowledgement of a put that was begun after it. */
  readonly recoveryMs: number
  readonly puts: readonly Ended[]
}

async function killUnderLoad({ rival, ...cluster }: Cluster): Promise<Kill> {
  const leader = await cluster.findLeader()
  const client = rival.keyClient('unary')
  const ended: Ended[] = []
  let killedMs = 0
  let killing: Promise<void> | undefined
  const kill = (): void => {
    killedMs = performance.now()
    killing = leader.kill()
  }
  const measurement = await measure(rival.processes, ({ onBegin, onEnd }) =>
    openLoop(puts(client), {
      ratePerSecond: RATE_PER_SECOND,
      warmupSeconds: WARMUP_SECONDS,
      seconds: BEFORE_SECONDS + AFTER_SECONDS,
      onBegin: () => {
        onBegin()
        setTimeout(kill, BEFORE_SECONDS * 1_000)
      },
      onEnd,
      observe: (endedMs, latencyMs, isFine) => ended.push({ dueMs: endedMs - latencyMs, endedMs, isFine }),
    }),
  )
  client.close()
  await killing
  await leader.bringBack()
  const acknowledged = ended.filter(({ dueMs, isFine }) => isFine && dueMs > killedMs)
  if (acknowledged.length === 0) throw new Error(`${rival.title} took no write within ${AFTER_SECONDS} s of the kill`)
  const recoveryMs = Math.min(...acknowledged.map(({ endedMs }) => endedMs)) - killedMs
  return { measurement, killedMs, recoveryMs, puts: ended }
}

function synodCluster(rival: SynodRival): Cluster {
  const { cluster } = rival
  return {
    rival,
    async findLeader() {
      const leader = await cluster.untilFormed(FORM_TIMEOUT_MS)
      return {
        kill: () => cluster.kill(leader),
        async bringBack() {
          cluster.start(leader)
          await cluster.untilFormed(FORM_TIMEOUT_MS)
        },
      }
    },
  }
}

function etcdCluster(rival: EtcdRival): Cluster {
  const { etcd } = rival
  return {
    rival,
    async findLeader() {
      const leader = await etcd.leader()
      return {
        kill: () => etcd.kill([leader]),
        async bringBack() {
          etcd.start([leader])
          await etcd.untilAnswering(leader, FORM_TIMEOUT_MS)
        },
      }
    },
  }
}

/** The slowest put in each short while, by when it was due. Those that failed are left out: what they would have taken, nobody knows. */
function latencyOverTime(kills: readonly { readonly name: string; readonly kill: Kill | undefined }[]): Plot {
  const lines = kills.map(({ name, kill }): Line => {
    const slowest = new Map<number, number>()
    for (const { dueMs, endedMs, isFine } of kill?.puts ?? []) {
      if (!isFine) continue
      const bucket = Math.floor((dueMs - (kill?.killedMs ?? 0)) / BUCKET_MS)
      slowest.set(bucket, Math.max(slowest.get(bucket) ?? 0, endedMs - dueMs))
    }
    const points = [...slowest].toSorted(([a], [b]) => a - b)
    return { name, points: points.map(([bucket, ms]) => [BEFORE_SECONDS + (bucket * BUCKET_MS) / 1_000, ms]) }
  })
  return {
    title: 'Puts while the leader is killed',
    xUnit: 's',
    yUnit: 'slowest, ms',
    lines,
    marks: [{ name: 'kill -9 of the leader', x: BEFORE_SECONDS }],
  }
}
