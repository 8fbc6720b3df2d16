import type { Rival } from '../types.js'
import { type EtcdProgram, EtcdRival } from './etcd.js'
import { SynodRival } from './synod.js'

/** Starts rivals for scenarios. Who is asked for twice is started once; after a scenario the runner stops them all. */
export class RivalPool {
  readonly #etcds: readonly EtcdProgram[]
  readonly #shared = new Map<string, Promise<Rival>>()
  readonly #own: Rival[] = []

  /** `etcds`: those that are on this machine. */
  constructor(etcds: readonly EtcdProgram[]) {
    this.#etcds = etcds
  }

  /** Perhaps used by scenarios before: nothing is said of what it holds. */
  synod(): Promise<SynodRival> {
    return this.#share('synod', () => new SynodRival())
  }

  /** Every etcd that is on this machine; perhaps none. Perhaps used before. */
  etcds(): Promise<EtcdRival[]> {
    return Promise.all(this.#etcds.map((program) => this.#share(program.name, () => new EtcdRival(program))))
  }

  /** One of one's own, empty: for scenarios that kill it or count what it holds. */
  async ownSynod(): Promise<SynodRival> {
    return await this.#startOwn(new SynodRival())
  }

  async ownEtcds(): Promise<EtcdRival[]> {
    return await Promise.all(this.#etcds.map((program) => this.#startOwn(new EtcdRival(program))))
  }

  /** Stops who was started for one scenario alone. */
  async stopOwn(): Promise<void> {
    await Promise.all(this.#own.splice(0).map((rival) => rival.stop()))
  }

  async stopAll(): Promise<void> {
    await this.stopOwn()
    const started = await Promise.allSettled(this.#shared.values())
    this.#shared.clear()
    const running = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
    await Promise.all(running.map((rival) => rival.stop()))
  }

  async #startOwn<R extends Rival>(rival: R): Promise<R> {
    this.#own.push(rival)
    await rival.start()
    return rival
  }

  async #share<R extends Rival>(name: string, make: () => R): Promise<R> {
    const known = this.#shared.get(name)
    if (known !== undefined) return (await known) as R
    const starting = startOrStop(make())
    this.#shared.set(name, starting)
    return await starting
  }
}

async function startOrStop<R extends Rival>(rival: R): Promise<R> {
  try {
    await rival.start()
    return rival
  } catch (error) {
    await rival.stop()
    throw error
  }
}
