import type { Scheduler } from '../cluster/scheduler.js'
import type { Random } from '../random.js'
import type { ClientHabits } from './habits.js'

interface Settings {
  readonly habits: ClientHabits
  readonly random: Random
  readonly scheduler: Scheduler
  readonly count: (trouble: 'loss') => void
}

/** The network between one client and the nodes, for messages outside of streams: they are delayed, or lost. */
export class ClientNetwork {
  readonly #settings: Settings
  /** Number of the client's deaths: answers to a dead process are lost. */
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

  /** Wraps a callback: the answer travels, too, and is lost if the process has died meanwhile. */
  back<T>(hear: (outcome: T) => void): (outcome: T) => void {
    const deathCount = this.#deathCount
    return (outcome) =>
      this.travel(() => {
        if (this.#deathCount === deathCount) hear(outcome)
      })
  }

  /** Ends all losses. */
  heal(): void {
    this.#isHealed = true
  }

  onDeath(): void {
    this.#deathCount++
  }
}
