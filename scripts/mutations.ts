// How soon the simulator notices deliberate bugs: for each the number of seeds until a promise breaks, in several disjoint ranges.
import process from 'node:process'
import { parseArgs } from 'node:util'
import type { SeedResult } from '../src/sim/runs/run-seed.js'
import { firstToNotice, loadMutant, type Mutant } from '../test/sim/mutant.js'
import { MUTATIONS } from '../test/sim/mutations.js'

const USAGE = `Measures how many seeds the simulator needs to notice each deliberate bug.
  npm run mutations -- [--trials 9] [--seeds 10000] [--only name] [--outside 1000]
    --trials   so many ranges of seeds for each bug
    --seeds    so many seeds in each range
    --only     only bugs whose name contains this
    --outside  so many seeds in each range for what is visible from outside alone; 0: not measured`

const { values } = parseArgs({
  options: {
    trials: { type: 'string', default: '9' },
    seeds: { type: 'string', default: '10000' },
    only: { type: 'string', default: '' },
    outside: { type: 'string', default: '1000' },
    help: { type: 'boolean', default: false },
  },
})

/** One range of seeds. */
interface Trial {
  /** The first seed that noticed is the so many-th; undefined when none did. */
  readonly seeds: number | undefined
  readonly noticedBy: string
}

if (values.help) console.log(USAGE)
else await measureAll()

async function measureAll(): Promise<void> {
  const trials = number('trials')
  const seeds = number('seeds')
  const outsideSeeds = number('outside')
  console.log('| bug | layer | median seeds | worst | noticed by | from outside |')
  console.log('| --- | --- | ---: | ---: | --- | --- |')
  for (const [layer, mutations] of Object.entries(MUTATIONS)) {
    for (const mutation of mutations.filter(({ name }) => name.includes(values.only))) {
      const mutant = await loadMutant(mutation)
      const inside = await measure(mutant, { trials, seeds, looksInside: true })
      const outside = await measure(mutant, { trials, seeds: outsideSeeds, looksInside: false })
      mutant.dispose()
      console.log(row([mutation.name, layer, ...tell(inside, seeds), tellOutside(outside, outsideSeeds)]))
      if (inside.some((trial) => trial.seeds === undefined)) process.exitCode = 1
    }
  }
}

interface Effort {
  readonly trials: number
  readonly seeds: number
  readonly looksInside: boolean
}

async function measure(mutant: Mutant, { trials, seeds, looksInside }: Effort): Promise<Trial[]> {
  const measured: Trial[] = []
  for (let trial = 0; trial < trials; trial++)
    measured.push(await tryRange(mutant, { first: 1 + trial * seeds, seeds, looksInside }))
  return measured
}

async function tryRange(
  mutant: Mutant,
  { first, seeds, looksInside }: { readonly first: number; readonly seeds: number; readonly looksInside: boolean },
): Promise<Trial> {
  const range = Array.from({ length: seeds }, (_, i) => first + i)
  const noticed = await firstToNotice(mutant, range, { looksInside })
  return { seeds: noticed?.worldCount, noticedBy: noticed === undefined ? 'nobody' : whoNoticed(noticed.result) }
}

/** The checker, by the file that it stands in; or the node itself, by one of its assertions. */
function whoNoticed({ error }: SeedResult): string {
  if (error?.cause !== undefined) return 'the node itself'
  const files = [...(error?.stack ?? '').matchAll(/src\/sim\/([a-z-]+)\.ts/g)].map(([, file]) => file)
  return files.find((file) => file !== 'broken-promise') ?? 'unknown'
}

function tell(trials: readonly Trial[], seeds: number): string[] {
  const counts = trials.map((trial) => trial.seeds ?? Number.POSITIVE_INFINITY).toSorted((a, b) => a - b)
  const tellCount = (count = 0): string => (Number.isFinite(count) ? String(count) : `over ${seeds}`)
  return [tellCount(counts[Math.floor(counts.length / 2)]), tellCount(counts.at(-1)), ...tellNoticedBy(trials)]
}

/** Who noticed, most often first. */
function tellNoticedBy(trials: readonly Trial[]): string[] {
  const counts = new Map<string, number>()
  for (const { noticedBy } of trials) counts.set(noticedBy, (counts.get(noticedBy) ?? 0) + 1)
  const sorted = [...counts].toSorted(([, a], [, b]) => b - a)
  return [sorted.map(([who, count]) => `${who} ${count}`).join(', ')]
}

function tellOutside(trials: readonly Trial[], seeds: number): string {
  const noticed = trials.filter((trial) => trial.seeds !== undefined)
  return seeds === 0 ? '' : `${noticed.length} of ${trials.length}, median ${tell(trials, seeds)[0]}`
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function number(flag: 'trials' | 'seeds' | 'outside'): number {
  const value = Number(values[flag])
  if (Number.isSafeInteger(value) && value >= (flag === 'outside' ? 0 : 1)) return value
  console.error(`--${flag} must be a whole number from ${flag === 'outside' ? 0 : 1}, not ${values[flag]}`)
  process.exit(2)
}
