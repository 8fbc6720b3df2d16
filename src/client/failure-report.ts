import { REASONS } from '../api/reasons.js'
import type { SessionPort } from './session-port.js'
import type { SynodError } from './synod-error.js'

/** Collects the failures of a session since a node served it last, for the message of a call that ends without an answer. */
export class FailureReport {
  readonly #port: SessionPort
  /** Findings since the last welcome, by endpoint: what is there in the place of a node; empty until the probe ends. */
  readonly #troubles = new Map<string, string>()
  readonly #closing = new AbortController()
  #last: SynodError | undefined

  constructor(port: SessionPort) {
    this.#port = port
  }

  /** The last failure, if no node has answered since. */
  get last(): SynodError | undefined {
    return this.#last
  }

  /** True if the last failure is the connection's, and not the answer of a node. */
  get isOfConnection(): boolean {
    return this.#last !== undefined && isTrouble(this.#last)
  }

  note(failure: SynodError): void {
    this.#last = failure
  }

  /** Finds out what is at an endpoint that sent no welcome. */
  async probe(endpoint: string): Promise<void> {
    if (!this.isOfConnection || this.#troubles.has(endpoint)) return
    this.#troubles.set(endpoint, '')
    const trouble = await this.#port.findTrouble(endpoint, this.#closing.signal)
    if (trouble === undefined) this.#troubles.delete(endpoint)
    else this.#troubles.set(endpoint, trouble)
  }

  onWelcome(): void {
    this.#troubles.clear()
    if (this.isOfConnection) this.#last = undefined
  }

  onAnswer(): void {
    this.#last = undefined
  }

  close(): void {
    this.#closing.abort()
  }

  /**
   * Tells why no node can be reached, by endpoint; undefined when a node has said itself what is wrong.
   * @param waiting describes the endpoint whose welcome is awaited; undefined if none is
   */
  tellTrouble(waiting: string | undefined): string | undefined {
    if (!this.isOfConnection && (this.#last !== undefined || waiting === undefined)) return undefined
    const told = [...this.#troubles]
      .filter(([, trouble]) => trouble !== '')
      .map(([endpoint, trouble]) => `${endpoint}: ${trouble}`)
    if (told.length === 0) told.push(this.#last?.message ?? `${waiting}`)
    return `no node can be reached; ${told.join('; ')}`
  }
}

function isTrouble({ reason }: SynodError): boolean {
  return !Object.hasOwn(REASONS, reason)
}
