import type { Scheduler } from '../cluster/scheduler.js'
import type { Random } from '../random.js'
import type { ClientHabits } from './habits.js'

interface Settings {
  readonly habits: ClientHabits
  readonly random: Random
  readonly scheduler: Scheduler
  readonly count: (trouble: 'loss') => void
}

/** The way between one client and the nodes: what goes over it takes its time, or is lost. */
export class Way {
  readonly #settings: Settings
  /** How often the client has died: what is said to a process that is dead is lost. */
  #deathCount = 0
  #isHealed = false

  constructor(settings: Settings) {
    this.#settings = settings
  }

  travel(arrive: () => void): void {
    const { random, scheduler, habits, count } = this.#settings
    if (!this.#isHealed && random.chance(habits.lossRate)) return count('loss')
    scheduler.after(random.exponential(habits.delayMsMean), arrive)
  }

  /** What the client hears of an answer: it travels, too, and a process that has died meanwhile hears nothing. */
  back<T>(hear: (outcome: T) => void): (outcome: T) => void {
    const deathCount = this.#deathCount
    return (outcome) =>
      this.travel(() => {
        if (this.#deathCount === deathCount) hear(outcome)
      })
  }

  /** Nothing is lost any more. */
  heal(): void {
    this.#isHealed = true
  }

  onDeath(): void {
    this.#deathCount++
  }
}
