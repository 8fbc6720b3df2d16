import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { SEED_MAX } from './plan-file.js'
import type { RunSummary } from './summary.js'

/** Seeds for a job's process, both inclusive. */
export interface JobOrder {
  readonly firstSeed: number
  readonly lastSeed: number
}

export interface JobSettings {
  readonly firstSeed: number
  /** Infinity: until goesOn says no. */
  readonly runCount: number
  /** So many processes share the seeds out. */
  readonly jobs: number
  readonly onRun: (run: RunSummary) => void
  /** Asked before each run is counted. Once it says no, all ends as it is. Default: always. */
  readonly goesOn?: () => boolean
  /** Ends everything at once, as it is. */
  readonly signal?: AbortSignal
}

const JOB_PROCESS = fileURLToPath(new URL(`./job-process${extname(import.meta.url)}`, import.meta.url))
const SEEDS_PER_ORDER = 8
/** A run that takes so long will not end. */
const RUN_MS_MAX = 120_000

/** Lives through the worlds of many seeds, on as many cores as there are jobs. Seeds are taken in order; they end in any. */
export async function runSeeds(settings: JobSettings): Promise<void> {
  const pool = new JobPool(settings)
  await pool.run()
}

class JobPool {
  readonly #settings: JobSettings
  readonly #children = new Set<ChildProcess>()
  #nextSeed: number
  #isOver = false

  constructor(settings: JobSettings) {
    this.#settings = settings
    this.#nextSeed = settings.firstSeed
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
    let order = this.#nextOrder()
    while (order !== undefined) order = await this.#employ(order)
  }

  /** Has a process of its own carry out orders. Resolves when it has ended, with what of its last order is left to do. */
  #employ(first: JobOrder): Promise<JobOrder | undefined> {
    // A process group of its own, so that the terminal's Ctrl-C reaches it only through us.
    const child = fork(JOB_PROCESS, { detached: true })
    this.#children.add(child)
    let order: JobOrder | undefined = first
    let seed = first.firstSeed
    let isHanging = false
    const kill = (): void => {
      isHanging = true
      child.kill('SIGKILL')
    }
    let watchdog = setTimeout(kill, RUN_MS_MAX)
    const send = (next: JobOrder): void => {
      order = next
      seed = next.firstSeed
      child.send(next)
    }
    child.on('message', (run: RunSummary) => {
      clearTimeout(watchdog)
      watchdog = setTimeout(kill, RUN_MS_MAX)
      seed++
      this.#onRun(run)
      if (order === undefined || seed <= order.lastSeed) return
      order = this.#nextOrder()
      if (order === undefined) child.disconnect()
      else send(order)
    })
    send(first)
    return new Promise((resolve, reject) => {
      child.on('error', reject)
      child.on('exit', (code, signal) => {
        clearTimeout(watchdog)
        this.#children.delete(child)
        if (order === undefined || this.#isOver) return resolve(undefined)
        const why = isHanging
          ? `did not end within ${RUN_MS_MAX / 1_000} s`
          : `ended its process: ${signal ?? `exit code ${code}`}`
        this.#onRun({ seed, verdict: 'crashed', sentence: `seed ${seed} ${why}`, faults: {} })
        resolve(seed < order.lastSeed ? { ...order, firstSeed: seed + 1 } : this.#nextOrder())
      })
    })
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
    if (this.#isOver || this.#settings.signal?.aborted === true || this.#nextSeed > lastSeed) return undefined
    const order = { firstSeed: this.#nextSeed, lastSeed }
    this.#nextSeed = lastSeed + 1
    return order
  }

  #stop(): void {
    this.#isOver = true
    for (const child of this.#children) child.kill('SIGKILL')
  }
}
