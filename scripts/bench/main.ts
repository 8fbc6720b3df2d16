// npm run bench
import { parseArgs } from 'node:util'
import { note, print } from '../../src/cli/output.js'
import { build } from '../lib/build.js'
import { verdictOf } from './goal.js'
import { formatResult } from './report/text.js'
import { findEtcds } from './rivals/etcd-programs.js'
import { RivalPool } from './rivals/pool.js'
import type { Context } from './scenario.js'
import { SCENARIOS } from './scenarios/index.js'

const { values: flags } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
  },
})

async function run(): Promise<void> {
  build()
  const rivals = new RivalPool(findEtcds())
  const seconds = Number(flags.seconds ?? (flags.quick ? 1 : 4))
  const context: Context = {
    isQuick: flags.quick,
    rounds: Number(flags.rounds ?? (flags.quick ? 1 : 3)),
    seconds,
    warmupSeconds: seconds / 4,
    rivals,
    note,
  }
  const wanted = flags.only?.split(',')
  let reached = 0
  let missed = 0
  try {
    for (const scenario of SCENARIOS.filter(({ name }) => wanted?.includes(name) ?? true)) {
      const result = await scenario.run(context)
      print(formatResult(scenario.title, result))
      for (const verdict of result.ratios.map(verdictOf)) {
        if (verdict === 'PASS') reached++
        else if (verdict === 'FAIL') missed++
      }
      await rivals.stopOwn()
    }
  } finally {
    await rivals.stopAll()
  }
  print(`\n${reached} reached, ${missed} missed`)
}

if (flags.list) for (const { name, title } of SCENARIOS) print(`${name}  ${title}`)
else await run()
