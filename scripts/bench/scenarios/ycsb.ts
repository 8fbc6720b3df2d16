import type { Ratio } from '../goal.js'
import { takeTurn } from '../measure.js'
import type { Row, Scenario } from '../scenario.js'
import type { KeyRival } from '../types.js'
import { loadYcsb, YCSB_MIXES, ycsbOperation } from '../workloads/ycsb.js'
import { compare, type MeasuredGoal } from './compare.js'

const IN_FLIGHT = 256
const LOADS_IN_FLIGHT = 64
const SEED = 1
const MIXES_QUICK = ['A']

const goals: readonly MeasuredGoal[] = [{ figure: 'throughput', against: 'etcd', bound: { atLeast: 1 } }]

export const ycsb: Scenario = {
  name: 'ycsb',
  title: 'YCSB A, B, C and F: records of 1,000 B, scrambled Zipfian; Synod through the SDK',
  goals,
  async run(context) {
    const records = context.isQuick ? 1_000 : 10_000
    const rivals = [await context.rivals.synod(), ...(await context.rivals.etcds())]
    for (const rival of rivals) await load(rival, records)
    const rows: Row[] = []
    const ratios: Ratio[] = []
    for (const mix of context.isQuick ? YCSB_MIXES.filter(({ name }) => MIXES_QUICK.includes(name)) : YCSB_MIXES) {
      const result = await compare(context, {
        title: `YCSB ${mix.name}`,
        goals,
        inFlight: [IN_FLIGHT],
        contestants: rivals.map((rival) => ({
          name: rival.title,
          turn: (shape) =>
            takeTurn(context, {
              client: rival.keyClient('sdk'),
              operationOf: (client) => ycsbOperation(client, mix, records, SEED),
              processes: rival.processes,
              shape,
            }),
        })),
      })
      rows.push(...result.rows.map((row) => ({ ...row, point: `${mix.name}: ${mix.title}, ${row.point}` })))
      ratios.push(...result.ratios.map((ratio) => ({ ...ratio, of: `${mix.name}, ${ratio.of}` })))
    }
    return {
      rows,
      ratios,
      plots: [],
      notes: [`${records} records; a read-modify-write is a get and then a put, and one operation.`],
    }
  },
}

async function load(rival: KeyRival, records: number): Promise<void> {
  const client = rival.keyClient('sdk')
  await loadYcsb(client, records, LOADS_IN_FLIGHT)
  client.close()
}
