import type { Call, CallSink } from './call.js'
import { Session, type SessionSettings } from './session.js'
import type { SessionWorld } from './session-port.js'

/**
 * A client's session, which begins with its first command, and before that a stream without one for its reads: these then cost no slot,
 * and those that one node answers need no majority.
 */
export class ClientSessions implements CallSink {
  readonly #settings: SessionSettings
  readonly #world: SessionWorld
  readonly #session: Session
  #reads: Session | undefined

  constructor(settings: SessionSettings, world: SessionWorld) {
    this.#settings = settings
    this.#world = world
    this.#session = new Session(settings, world)
  }

  submit(call: Call): void {
    if (call.isQuery && !this.#session.isNamed && !this.#session.isClosed) {
      this.#reads ??= new Session(this.#settings, this.#world, { readsOnly: true })
      return this.#reads.submit(call)
    }
    if (this.#reads?.isIdle && this.#session.isNamed) {
      this.#reads.close()
      this.#reads = undefined
    }
    this.#session.submit(call)
  }

  /** Closes both, as Session.close does. */
  close(): void {
    this.#session.close()
    this.#reads?.close()
  }
}
