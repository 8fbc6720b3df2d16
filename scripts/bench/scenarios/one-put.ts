import type { Goal } from '../goal.js'
import { puts } from '../key-operations.js'
import { measureDisk } from '../rivals/disk.js'
import type { Scenario } from '../scenario.js'
import { compare } from './compare.js'
import { keyCompetitor } from './key-load.js'

const goal: Goal = { figure: 'p50', against: 'a sync of the disk + a round trip to the echo', bound: { atMost: 2 } }

const SYNOD = 0
const ECHO = 1
const DISK = 2

export const onePut: Scenario = {
  name: 'one-put',
  title: 'One Put of 100 B at a time',
  goals: [goal],
  async run(context) {
    const { rivals, seconds } = context
    const synod = await rivals.synod()
    const { rows } = await compare(context, {
      title: this.title,
      goals: [],
      inFlight: [1],
      contestants: [
        keyCompetitor(context, synod, 'unary', puts),
        keyCompetitor(context, await rivals.echo(), 'unary', puts),
        { name: 'sync of 4 KiB', turn: () => Promise.resolve(measureDisk(seconds)) },
        keyCompetitor(context, synod, 'sdk', puts),
        ...(await rivals.etcds()).map((etcd) => keyCompetitor(context, etcd, 'unary', puts)),
      ],
    })
    const p50Of = (row: number): number => rows[row]?.measurement.latency.p50 ?? 0
    const values = { ours: p50Of(SYNOD), theirs: p50Of(ECHO) + p50Of(DISK) }
    return { rows, ratios: [{ goal, of: 'by unary calls', values, unit: 'ms' }], plots: [] }
  },
}
