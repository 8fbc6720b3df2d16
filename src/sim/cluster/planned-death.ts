import type { SimulatedDisk } from './simulated-disk.js'
import type { SimulatedNodeSettings } from './simulated-node-settings.js'
import type { SimulatedRuntime } from './simulated-runtime.js'

interface Victim {
  readonly disk: Pick<SimulatedDisk, 'isWriting'>
  readonly runtime: Pick<SimulatedRuntime, 'isOver'>
  /** Called when the process is to be killed. */
  readonly onDeath: () => void
}

/** The death that a fault has planned for a process: after some steps, or in the middle of a write. */
export class PlannedDeath {
  readonly #settings: SimulatedNodeSettings
  readonly #victim: Victim
  #stepsToLive = Number.POSITIVE_INFINITY
  #isInWrite = false

  constructor(settings: SimulatedNodeSettings, victim: Victim) {
    this.#settings = settings
    this.#victim = victim
  }

  /** Plans the death between two steps, after this number of steps. */
  afterSteps(steps: number): void {
    this.#stepsToLive = steps
  }

  /** Plans the death in the middle of the next write. */
  inWrite(): void {
    this.#isInWrite = true
  }

  /** Cancels the planned death. */
  cancel(): void {
    this.#stepsToLive = Number.POSITIVE_INFINITY
    this.#isInWrite = false
  }

  /** Passes a step, at which the process may be killed. */
  passStep(): void {
    if (this.#victim.runtime.isOver || --this.#stepsToLive > 0) return
    this.#settings.totals.count('crashMidStep')
    this.#victim.onDeath()
  }

  /** Kills the process during its write, if so planned, late enough for messages that left too early to arrive. */
  onWriting(): void {
    if (!this.#isInWrite) return
    const { scheduler, random, disk, totals } = this.#settings
    scheduler.after(random.next() * disk.syncMsMean, () => {
      if (this.#victim.runtime.isOver || !this.#isInWrite || !this.#victim.disk.isWriting) return
      totals.count('crashInWrite')
      this.#victim.onDeath()
    })
  }
}
