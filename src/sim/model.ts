import { nameOfRequest, type Operation, type Query, type SessionRequest } from './operations.js'

/** What became of a command, told in words so that two tellings can be compared. */
export interface Effect {
  /** Where it took effect; of a retry: the first time. */
  readonly slot: number
  readonly outcome: string
}

interface Account {
  balance: number
  readonly overdraftLimit: number
}

/**
 * The bank and the keys once more, as plainly as can be and from the documentation alone, with a table of every request that is never
 * pruned. The real machine must give the same answers.
 */
export class Model {
  readonly #effects = new Map<string, Effect>()
  readonly #keys = new Map<string, string>()
  readonly #accounts = new Map<string, Account>()
  #revision = 0
  #lastClientId = 0

  /** Every opening makes a session, a repeated one another. */
  open(): number {
    return ++this.#lastClientId
  }

  /** Carries a request out, unless it has been already. */
  apply(request: SessionRequest, slot: number): Effect {
    const name = nameOfRequest(request)
    const known = this.#effects.get(name)
    if (known !== undefined) return known
    const effect = { slot, outcome: this.#carryOut(request.operation) }
    this.#effects.set(name, effect)
    return effect
  }

  query(query: Query): string {
    switch (query.kind) {
      case 'get':
        return this.#keys.get(query.key) ?? 'none'
      case 'balance':
        return this.#tellBalance(query.account)
    }
  }

  get keys(): Iterable<string> {
    return this.#keys.keys()
  }

  get accounts(): Iterable<string> {
    return this.#accounts.keys()
  }

  #carryOut(operation: Operation): string {
    switch (operation.kind) {
      case 'put':
        return this.#put(operation.key, operation.value)
      case 'swap':
        return this.#keys.get(operation.key) === operation.expected ? this.#put(operation.key, operation.value) : 'no swap'
      case 'open':
        if (this.#accounts.has(operation.account)) return 'ACCOUNT_EXISTS'
        this.#accounts.set(operation.account, { balance: 0, overdraftLimit: operation.overdraftLimit })
        return 'balance 0'
      case 'deposit':
        return this.#move(undefined, operation.account, operation.amount)
      case 'withdraw':
        return this.#move(operation.account, undefined, operation.amount)
      case 'transfer':
        return this.#move(operation.source, operation.destination, operation.amount)
    }
  }

  #tellBalance(account: string): string {
    const found = this.#accounts.get(account)
    return found === undefined ? 'ACCOUNT_NOT_FOUND' : `balance ${found.balance}`
  }

  #put(key: string, value: string): string {
    this.#keys.set(key, value)
    return `revision ${++this.#revision}`
  }

  #move(from: string | undefined, to: string | undefined, amount: number): string {
    const source = from === undefined ? undefined : this.#accounts.get(from)
    const destination = to === undefined ? undefined : this.#accounts.get(to)
    if ((from !== undefined && source === undefined) || (to !== undefined && destination === undefined)) {
      return 'ACCOUNT_NOT_FOUND'
    }
    if (source !== undefined && source.balance + source.overdraftLimit < amount) return 'INSUFFICIENT_FUNDS'
    if (source !== undefined) source.balance -= amount
    if (destination !== undefined) destination.balance += amount
    return `balance ${(source ?? destination)?.balance}`
  }
}
