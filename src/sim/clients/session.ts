/** What a client that has a session remembers of it. It outlives the client's process: a client that comes back goes on with it. */
export class ClientSession {
  /** 0: there is none yet, or no more. */
  clientId = 0
  #lastRequestNumber = 0
  /** Ascending: numbers are given in order. */
  readonly #unacknowledged = new Set<number>()

  get isOpen(): boolean {
    return this.clientId !== 0
  }

  /** Every result below is known to the client. */
  get firstUnacknowledged(): number {
    for (const number of this.#unacknowledged) return number
    return this.#lastRequestNumber + 1
  }

  begin(clientId: number): void {
    this.clientId = clientId
    this.#lastRequestNumber = 0
    this.#unacknowledged.clear()
  }

  /** It is of no use any more. */
  end(): void {
    this.clientId = 0
  }

  nextRequestNumber(): number {
    this.#unacknowledged.add(++this.#lastRequestNumber)
    return this.#lastRequestNumber
  }

  acknowledge(clientId: number, requestNumber: number): void {
    if (clientId === this.clientId) this.#unacknowledged.delete(requestNumber)
  }
}
