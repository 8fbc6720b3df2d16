import type { SessionName } from '../../replication/session-table.js'

/** What a client that has a session remembers of it. It outlives the client's process: a client that comes back goes on with it. */
export class ClientSession {
  #name: SessionName | undefined
  #lastRequestNumber = 0
  /** Ascending: numbers are given in order. */
  readonly #unacknowledged = new Set<number>()

  /** Undefined: there is none yet, or no more. */
  get name(): SessionName | undefined {
    return this.#name
  }

  /** Every result below is known to the client. */
  get firstUnacknowledged(): number {
    for (const number of this.#unacknowledged) return number
    return this.#lastRequestNumber + 1
  }

  begin(name: SessionName): void {
    this.#name = name
    this.#lastRequestNumber = 0
    this.#unacknowledged.clear()
  }

  /** It is of no use any more. */
  end(): void {
    this.#name = undefined
  }

  nextRequestNumber(): number {
    this.#unacknowledged.add(++this.#lastRequestNumber)
    return this.#lastRequestNumber
  }

  acknowledge(name: SessionName | undefined, requestNumber: number): void {
    if (name === this.#name) this.#unacknowledged.delete(requestNumber)
  }
}
