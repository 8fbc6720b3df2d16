import { puts } from '../key-operations.js'
import { closedLoop } from '../load.js'
import type { KeyRival, Rival } from '../types.js'
import { EchoRival } from './echo.js'
import { type EtcdProgram, EtcdRival } from './etcd.js'
import { SynodRival } from './synod.js'

const WARMUP_IN_FLIGHT = 64
const WARMUP_SECONDS = 1

interface PoolOptions {
  /** Those that are on this machine. */
  readonly etcds: readonly EtcdProgram[]
  /** Where the nodes of Synod are to write CPU profiles. */
  readonly profileDirectory?: string | undefined
}

/** Starts rivals for scenarios. Who is asked for twice is started once. */
export class RivalPool {
  readonly #etcds: readonly EtcdProgram[]
  readonly #profileDirectory: string | undefined
  readonly #shared = new Map<string, Promise<KeyRival>>()
  readonly #own: Rival[] = []

  constructor({ etcds, profileDirectory }: PoolOptions) {
    this.#etcds = etcds
    this.#profileDirectory = profileDirectory
  }

  /** Perhaps used by scenarios before: nothing is said of what it holds. */
  synod(): Promise<SynodRival> {
    return this.#share('synod', () => new SynodRival(this.#profileDirectory))
  }

  /** Every etcd that is on this machine; perhaps none. Perhaps used before. */
  etcds(): Promise<EtcdRival[]> {
    return Promise.all(this.#etcds.map((program) => this.#share(program.name, () => new EtcdRival(program))))
  }

  echo(): Promise<EchoRival> {
    return this.#share('echo', () => new EchoRival())
  }

  /** One of one's own, empty: for scenarios that kill it or count what it holds. */
  async ownSynod(): Promise<SynodRival> {
    return await this.#startOwn(new SynodRival(this.#profileDirectory))
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

  async #share<R extends KeyRival>(name: string, make: () => R): Promise<R> {
    const known = this.#shared.get(name)
    if (known !== undefined) return (await known) as R
    const starting = startWarm(make())
    this.#shared.set(name, starting)
    return await starting
  }
}

/** Starts it, and has it do something: a process that has just begun is not what is to be measured. */
async function startWarm<R extends KeyRival>(rival: R): Promise<R> {
  try {
    await rival.start()
    const client = rival.keyClient('unary')
    await closedLoop(puts(client), { inFlight: WARMUP_IN_FLIGHT, seconds: WARMUP_SECONDS, warmupSeconds: 0 })
    client.close()
    return rival
  } catch (error) {
    await rival.stop()
    throw error
  }
}
