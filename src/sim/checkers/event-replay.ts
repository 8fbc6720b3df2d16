import type { AccountRow, Movement } from '../../app/bank/movement.js'
import type { BooksEvent } from '../../app/events.js'
import type { KeyValuePair } from '../../app/kv/pair.js'
import { bytesOf } from '../../encoding/keep.js'
import { check } from './violation.js'

/** Balance and held amount of an account. */
interface Funds {
  balance: bigint
  held: bigint
}

/** The keys and accounts that follow from the events alone, without any node's state. Events of other machines are ignored. */
export class EventReplay {
  readonly #pairs = new Map<string, KeyValuePair>()
  readonly #movements = new Map<string, Movement>()
  readonly #funds = new Map<string, Funds>()

  /** Applies an event. @throws Violation if its row before is not the one that the earlier events have left */
  apply(event: BooksEvent): void {
    switch (event.kind) {
      case 'put':
        this.#checkBefore(event, this.#pairs.get(event.after.key), samePair)
        this.#pairs.set(event.after.key, event.after)
        return
      case 'delete':
        this.#checkBefore(event, this.#pairs.get(event.before.key), samePair)
        this.#pairs.delete(event.before.key)
        return
      case 'deletePrefix':
        for (const key of this.#pairs.keys()) if (key.startsWith(event.before.prefix)) this.#pairs.delete(key)
        return
      case 'accountOpened':
        this.#open(event.after)
        return
      case 'movementMade':
        this.#checkBefore(event, this.#movements.get(event.after.id), sameMovement)
        this.#movements.set(event.after.id, event.after)
        this.#enter(event.after)
        return
      case 'movementEnded':
        this.#checkBefore(event, this.#movements.get(event.after.id), sameMovement)
        this.#movements.set(event.after.id, event.after)
        this.#change(event.after.source, { held: -event.before.pendingAmount })
        if (event.after.status === 'posted') this.#enter(event.after)
        return
    }
  }

  /** Every value, by its key. */
  pairs(): Map<string, string> {
    return new Map(Array.from(this.#pairs, ([key, pair]) => [key, tellPair(pair)]))
  }

  /** Every account, by its id. */
  accounts(): Map<string, string> {
    return new Map(Array.from(this.#funds, ([id, { balance, held }]) => [id, `${balance} ${held}`]))
  }

  #open({ accountId }: AccountRow): void {
    check(!this.#funds.has(accountId), () => `the events open account ${accountId} twice`)
    this.#funds.set(accountId, { balance: 0n, held: 0n })
  }

  #enter({ source, destination, amount, status }: Movement): void {
    if (status === 'pending') return this.#change(source, { held: amount })
    this.#change(source, { balance: -amount })
    this.#change(destination, { balance: amount })
  }

  #change(accountId: string, { balance = 0n, held = 0n }: Partial<Funds>): void {
    if (accountId === '') return
    const funds = this.#funds.get(accountId)
    check(funds !== undefined, () => `the events move money of account ${accountId}, which they have not opened`)
    funds.balance += balance
    funds.held += held
  }

  #checkBefore<Row extends object>(
    { revision, sub, kind, before }: BooksEvent,
    known: Row | undefined,
    isSame: (a: Row, b: Row) => boolean,
  ): void {
    const isRight = known === undefined || before === undefined ? known === before : isSame(known, before as Row)
    check(isRight, () => `event ${revision}.${sub}, ${kind}, does not go on from the row that the events before it have left`)
  }
}

function tellPair(pair: Pick<KeyValuePair, 'value'> & Record<'createRevision' | 'modRevision' | 'version', bigint>): string {
  const value = Buffer.from(bytesOf(pair.value)).toString()
  return `${value} ${pair.createRevision} ${pair.modRevision} ${pair.version}`
}

function samePair(a: KeyValuePair, b: KeyValuePair): boolean {
  return a.key === b.key && tellPair(a) === tellPair(b)
}

function sameMovement(a: Movement, b: Movement): boolean {
  return a.id === b.id && a.status === b.status && a.amount === b.amount && a.sequence === b.sequence
}
