import { type Command, InvalidArgumentError, Option } from 'commander'
import { wholeNumber } from './cli-options.js'
import { usageError } from './failure.js'

/** Flags as commander gives them. */
export interface SimFlags {
  readonly seed?: number
  readonly plan?: string
  readonly runs?: number
  readonly for?: number
  readonly first?: number
  readonly jobs?: number
  readonly keepGoing?: true
  /** Undefined when neither --shrink nor --no-shrink is given. */
  readonly shrink?: boolean
  readonly verbose?: true
  readonly savePlan?: string
  readonly trace?: string
  readonly history?: string
  readonly json?: true
}

const SEED_MAX = 2 ** 32 - 1
export const FIRST_SEED = 1
/** Number of runs without --runs and --for. */
export const RUNS = 100
const RUNS_MAX = 1_000_000_000
const JOBS_MAX = 256

const HELP = `
A simulation is a cluster with its network, disks, clocks, clients and faults, all drawn from a seed. First come the faults, and every
answer must be correct; then a majority is healed, and every request must be answered.

Exit codes:
  0    no violation
  1    a violation
  2    wrong usage, an impossible plan, or a file that cannot be read or written
  3    the simulator itself failed
  130  interrupted, for example by Ctrl-C, before anything failed

Examples:
  $ synod sim --seed 42 --verbose
  $ synod sim --runs 10000 --jobs 2
  $ synod sim --for 10m --first 1000000 --keep-going
  $ synod sim --seed 42 --save-plan world.json && synod sim --plan world.json --trace world.html
  $ synod sim`

/** Flags that are only for one simulation, or only for many. */
const FOR_ONE = ['trace', 'history', 'verbose'] as const
const FOR_MANY = ['runs', 'for', 'first', 'jobs', 'keepGoing'] as const

export function addSimFlags(command: Command): Command {
  return command
    .addOption(new Option('--seed <number>', 'one simulation: the one that this seed draws').argParser(wholeNumber(0, SEED_MAX)))
    .addOption(
      new Option('--plan <file>', 'one simulation: the one of this plan, written by --save-plan or by hand').conflicts('seed'),
    )
    .addOption(
      new Option('--runs <count>', `many simulations, a seed each (default: ${RUNS})`)
        .argParser(wholeNumber(1, RUNS_MAX))
        .conflicts(['seed', 'plan']),
    )
    .addOption(
      new Option('--for <duration>', 'as many simulations as fit into this time: 30s, 10m, 2h')
        .argParser(duration)
        .conflicts(['seed', 'plan', 'runs']),
    )
    .addOption(
      new Option('--first <seed>', `the first of many seeds (default: ${FIRST_SEED})`).argParser(wholeNumber(0, SEED_MAX)),
    )
    .addOption(
      new Option('--jobs <count>', 'processes that share the seeds (default: the number of cores)').argParser(
        wholeNumber(1, JOBS_MAX),
      ),
    )
    .option('--keep-going', 'do not stop at the first violation')
    .option('--shrink', 'look for a small plan that fails alike (default with many worlds)')
    .option('--no-shrink', 'do not')
    .option('--verbose', 'one world: print every event')
    .option('--save-plan <file>', 'one world: write its plan; a shrunk one goes here, too')
    .option('--trace <file>', 'one world: write a page that shows it, to open in a browser')
    .option('--history <file>', 'one world: write what its clients asked and were told, as JSON lines')
    .option('--json', 'print one JSON value')
    .addHelpText('after', HELP)
}

/** Checks the flags. @throws CliError for flags that do not go together */
export function checkTogether(flags: SimFlags): void {
  const isOne = flags.seed !== undefined || flags.plan !== undefined
  for (const name of isOne ? FOR_MANY : FOR_ONE) {
    if (flags[name] === undefined) continue
    throw usageError(
      isOne
        ? `${spell(name)} goes with many worlds, not with --seed or --plan`
        : `${spell(name)} needs one world: --seed or --plan`,
    )
  }
  const { first = FIRST_SEED, runs = RUNS } = flags
  if (flags.for === undefined && first + runs - 1 > SEED_MAX) {
    throw usageError(`--runs must be at most ${SEED_MAX - first + 1} with --first ${first}, as the largest seed is ${SEED_MAX}`)
  }
  if (flags.savePlan !== undefined && !isOne && flags.shrink === false) {
    throw usageError('--save-plan needs one world, --seed or --plan, or else a failure that is shrunk, which --no-shrink forbids')
  }
  if (flags.verbose && flags.json) throw usageError('--verbose prints lines for people; --json is one value for programs')
}

function spell(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000 } as const

/** Parses `30s`, `10m` or `2h` into ms, for commander. */
function duration(text: string): number {
  const [, number = '', unit = ''] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  if (Number(number) > 0) return Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS]
  throw new InvalidArgumentError('It must be a whole number of at least 1 with its unit, as 30s, 10m or 2h.')
}
