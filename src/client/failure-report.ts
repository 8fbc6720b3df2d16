import { REASONS } from '../api/reasons.js'
import type { SynodError } from './errors.js'
import type { SessionPort } from './session-port.js'

/** What has stood in a session's way since it was served last: for the message that a call may end with. */
export class FailureReport {
  readonly #port: SessionPort
  /** By endpoint, what was found there in the place of a node; empty until that is known. Since the last welcome. */
  readonly #troubles = new Map<string, string>()
  readonly #closing = new AbortController()
  #last: SynodError | undefined

  constructor(port: SessionPort) {
    this.#port = port
  }

  /** The last failure since a node answered. */
  get last(): SynodError | undefined {
    return this.#last
  }

  /** A failure of the connection, and not what a node has answered. */
  get isOfConnection(): boolean {
    return this.#last !== undefined && isTrouble(this.#last)
  }

  note(failure: SynodError): void {
    this.#last = failure
  }

  /** No welcome came from there: finds out who is met. */
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
