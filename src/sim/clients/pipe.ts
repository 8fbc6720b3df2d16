import type { Scheduler } from '../cluster/scheduler.js'
import type { Random } from '../random.js'

interface Settings {
  readonly random: Random
  readonly scheduler: Scheduler
  readonly delayMsMean: number
}

/** Frames on their way before the sender has to wait. */
const ROOM = 4

/** One direction of a stream: what goes in comes out in the same order, after a while; or, once it is silent, not at all. */
export class Pipe {
  readonly #settings: Settings
  #lastArrivalMs = 0
  #underWayCount = 0
  isSilent = false

  constructor(settings: Settings) {
    this.#settings = settings
  }

  get hasRoom(): boolean {
    return this.#underWayCount < ROOM
  }

  /** `arrive` is told whether the sender had to wait for room until now. */
  send(arrive: (madeRoom: boolean) => void): void {
    const { random, scheduler, delayMsMean } = this.#settings
    this.#underWayCount++
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, scheduler.nowMs + random.exponential(delayMsMean))
    scheduler.after(this.#lastArrivalMs - scheduler.nowMs, () => {
      if (this.isSilent) return
      const wasFull = !this.hasRoom
      this.#underWayCount--
      arrive(wasFull && this.hasRoom)
    })
  }
}
