import { setImmediate } from 'node:timers/promises'

/** Long work done in short turns: the event loop, and the node's heartbeats with it, goes on in between. */
const TURN_MS_MAX = 4

export class Turns {
  #startedMs = performance.now()

  /** Whether it is time to let others have a turn. */
  get isUp(): boolean {
    return performance.now() - this.#startedMs >= TURN_MS_MAX
  }

  async giveWay(): Promise<void> {
    await setImmediate()
    this.#startedMs = performance.now()
  }
}
