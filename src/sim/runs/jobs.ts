import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SEED_MAX } from '../plan/plan-file.js'
import type { RunSummary } from './summary.js'

/** Seeds for a job's process, both inclusive. */
export interface JobOrder {
  readonly firstSeed: number
  readonly lastSeed: number
}

interface JobSettings {
  readonly firstSeed: number
  /** Infinity: until goesOn returns false. */
  readonly runCount: number
  /** Number of processes. */
  readonly jobs: number
  readonly onRun: (run: RunSummary) => void
  /** Asked after each run; once it returns false, no further run starts. Default: always. */
  readonly goesOn?: () => boolean
  /** Stops everything at once. */
  readonly signal?: AbortSignal
}

const JOB_PROCESS = fileURLToPath(new URL(`./job-process${extname(import.meta.url)}`, import.meta.url))
const SEEDS_PER_ORDER = 8
/** A run that takes longer than this never ends. */
const RUN_MS_MAX = 120_000

/**
 * Runs the worlds of many seeds, on as many cores as there are jobs. Seeds start in order and end in any order. A seed that kills
 * its process, or never ends, counts as a failure of the simulator.
 */
export async function runSeeds(settings: JobSettings): Promise<void> {
  const pool = new JobPool(settings)
  await pool.run()
}

class JobPool {
  readonly #settings: JobSettings
  readonly #jobs = new Set<Job>()
  #nextSeed: number
  #isOver: boolean

  constructor(settings: JobSettings) {
    this.#settings = settings
    this.#nextSeed = settings.firstSeed
    this.#isOver = settings.signal?.aborted === true
  }

  async run(): Promise<void> {
    const { jobs, signal } = this.#settings
    const stop = (): void => this.#stop()
    signal?.addEventListener('abort', stop)
    try {
      await Promise.all(Array.from({ length: jobs }, () => this.#work()))
    } finally {
      signal?.removeEventListener('abort', stop)
      this.#stop()
    }
  }

  /** Runs one process after the other: each lasts until a seed kills it. */
  async #work(): Promise<void> {
    for (let order = this.#nextOrder(); order !== undefined && !this.#isOver; ) {
      const job = new Job(order, { onRun: (run) => this.#onRun(run), nextOrder: () => this.#nextOrder() })
      this.#jobs.add(job)
      const fatal = await job.ended
      this.#jobs.delete(job)
      if (fatal === undefined || this.#isOver) return
      const { seed, lastSeed, why } = fatal
      this.#onRun({ seed, verdict: 'crashed', sentence: `seed ${seed} ${why}`, faults: {} })
      order = seed < lastSeed ? { firstSeed: seed + 1, lastSeed } : this.#nextOrder()
    }
  }

  #onRun(run: RunSummary): void {
    const { onRun, goesOn } = this.#settings
    if (this.#isOver) return
    onRun(run)
    if (goesOn?.() === false) this.#stop()
  }

  #nextOrder(): JobOrder | undefined {
    const { firstSeed, runCount } = this.#settings
    const lastSeed = Math.min(this.#nextSeed + SEEDS_PER_ORDER - 1, firstSeed + runCount - 1, SEED_MAX)
    if (this.#isOver || this.#nextSeed > lastSeed) return undefined
    const order = { firstSeed: this.#nextSeed, lastSeed }
    this.#nextSeed = lastSeed + 1
    return order
  }

  #stop(): void {
    this.#isOver = true
    for (const job of this.#jobs) job.kill()
  }
}

/** A seed that killed its process, or never ended. */
interface Fatal {
  readonly seed: number
  readonly lastSeed: number
  readonly why: string
}

interface Employer {
  readonly onRun: (run: RunSummary) => void
  readonly nextOrder: () => JobOrder | undefined
}

/** One process, which runs one order after the other. */
class Job {
  /** Resolves when the process is gone: undefined if there was nothing left to do. */
  readonly ended: Promise<Fatal | undefined>
  readonly #child: ChildProcess
  readonly #employer: Employer
  #order: JobOrder | undefined
  /** The seed that runs now. */
  #seed = 0
  #isHanging = false
  #watchdog: NodeJS.Timeout | undefined

  constructor(order: JobOrder, employer: Employer) {
    this.#employer = employer
    // A process group of its own, so that the terminal's Ctrl-C reaches it only through the parent.
    this.#child = fork(JOB_PROCESS, { detached: true })
    this.#child.on('message', (run: RunSummary) => this.#onRun(run))
    this.ended = new Promise((resolve, reject) => {
      this.#child.on('error', reject)
      this.#child.on('exit', (code, signal) => resolve(this.#onExit(signal ?? `exit code ${code}`)))
    })
    this.#carryOut(order)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #carryOut(order: JobOrder): void {
    this.#order = order
    this.#seed = order.firstSeed
    this.#watch()
    // A process that has just died does not receive the order; its end is reported in any case.
    this.#child.send(order, () => undefined)
  }

  #onRun(run: RunSummary): void {
    this.#seed++
    this.#watch()
    this.#employer.onRun(run)
    if (this.#order === undefined || this.#seed <= this.#order.lastSeed) return
    this.#order = undefined
    const next = this.#employer.nextOrder()
    if (next !== undefined) this.#carryOut(next)
    else if (this.#child.connected) this.#child.disconnect()
  }

  #watch(): void {
    clearTimeout(this.#watchdog)
    this.#watchdog = setTimeout(() => {
      this.#isHanging = true
      this.kill()
    }, RUN_MS_MAX)
  }

  #onExit(how: string): Fatal | undefined {
    clearTimeout(this.#watchdog)
    if (this.#order === undefined) return undefined
    const why = this.#isHanging ? `did not end within ${RUN_MS_MAX / 1_000} s` : `ended its process: ${how}`
    return { seed: this.#seed, lastSeed: this.#order.lastSeed, why }
  }
}
