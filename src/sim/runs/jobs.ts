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
  /** Infinity: until goesOn says no. */
  readonly runCount: number
  /** So many processes share the seeds out. */
  readonly jobs: number
  readonly onRun: (run: RunSummary) => void
  /** Asked after each run. Once it says no, all ends as it is. Default: always. */
  readonly goesOn?: () => boolean
  /** Ends everything at once, as it is. */
  readonly signal?: AbortSignal
}

const JOB_PROCESS = fileURLToPath(new URL(`./job-process${extname(import.meta.url)}`, import.meta.url))
const SEEDS_PER_ORDER = 8
/** A run that takes so long will not end. */
const RUN_MS_MAX = 120_000

/**
 * Lives through the worlds of many seeds, on as many cores as there are jobs. Seeds are taken in order; they end in any. One that ends
 * its process, or does not end, counts as a failure of the simulator.
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

  /** One process after the other, should one not survive its seed. */
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

/** The seed that a process did not survive. */
interface Fatal {
  readonly seed: number
  readonly lastSeed: number
  readonly why: string
}

interface Employer {
  readonly onRun: (run: RunSummary) => void
  readonly nextOrder: () => JobOrder | undefined
}

/** One process, which carries out one order after the other. */
class Job {
  /** Resolves when the process is gone: undefined if there was nothing left to do. */
  readonly ended: Promise<Fatal | undefined>
  readonly #child: ChildProcess
  readonly #employer: Employer
  #order: JobOrder | undefined
  /** What it is at now. */
  #seed = 0
  #isHanging = false
  #watchdog: NodeJS.Timeout | undefined

  constructor(order: JobOrder, employer: Employer) {
    this.#employer = employer
    // A process group of its own, so that the terminal's Ctrl-C reaches it only through us.
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
    // A process that has just died does not hear of it; its end is told in any case.
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
