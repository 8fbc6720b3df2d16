import type { Plot } from '../lib/plot.js'
import type { Goal, Ratio } from './goal.js'
import type { RivalPool } from './rivals/pool.js'
import type { Measurement } from './types.js'

/** Something that is measured, by one name on the command line and in every report. */
export interface Scenario {
  /** For --only. */
  readonly name: string
  readonly title: string
  /** Empty: it is shown, and not judged. */
  readonly goals: readonly Goal[]
  run(context: Context): Promise<ScenarioResult>
}

/** What a scenario is given. */
export interface Context {
  /** Short turns, few points, little state: all scenarios together within two minutes. */
  readonly isQuick: boolean
  readonly rounds: number
  /** Of a turn's measured time, and of the warm-up before it. */
  readonly seconds: number
  readonly warmupSeconds: number
  /** Starts who is asked for; what is started is stopped by the runner. */
  readonly rivals: RivalPool
  /** One line for people, on stderr. */
  readonly note: (line: string) => void
}

export interface ScenarioResult {
  readonly rows: readonly Row[]
  readonly ratios: readonly Ratio[]
  readonly plots: readonly Plot[]
  /** What is to be known to read the figures. */
  readonly notes?: readonly string[]
}

/** One line of the table. */
export interface Row {
  /** '16 in flight', '1,000 clients', 'workload A'. */
  readonly point: string
  /** 'Synod, SDK'. */
  readonly rival: string
  /** The median of the rounds. */
  readonly measurement: Measurement
}
