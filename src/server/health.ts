import type { Server } from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import { CLIENT_SERVICES } from './reflection.js'

/** How often the member is looked at. */
const INTERVAL_MS = 100

/** grpc.health.v1.Health: every service, and the server as a whole (''), serves while this node has a majority behind it. */
export class Health {
  readonly #implementation = new HealthImplementation()
  readonly #hasQuorum: () => boolean
  readonly #timer: NodeJS.Timeout
  #isServing: boolean | undefined

  constructor(hasQuorum: () => boolean) {
    this.#hasQuorum = hasQuorum
    this.#set(hasQuorum())
    this.#timer = setInterval(() => this.#set(this.#hasQuorum()), INTERVAL_MS)
    this.#timer.unref()
  }

  addToServer(server: Server): void {
    this.#implementation.addToServer(server)
  }

  /** NOT_SERVING from now on. */
  drain(): void {
    clearInterval(this.#timer)
    this.#set(false)
  }

  #set(isServing: boolean): void {
    if (isServing === this.#isServing) return
    this.#isServing = isServing
    for (const service of ['', ...CLIENT_SERVICES]) {
      this.#implementation.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING')
    }
  }
}
