import { assert } from './assert.js'
import { IdFilter } from './id-filter.js'
import type { Movement } from './movement.js'
import { Cell, type Journal, type RowChange } from './table.js'

/** What of the books stands only on disk, as of the last checkpoint that is durable. Read synchronously. */
export interface StoredHistory {
  movement(id: string): Movement | undefined
  /** The id of the account's movement at the index, from 0. */
  movementId(accountId: string, index: number): string | undefined
}

/** Of a bank that was never checkpointed. */
export const NO_HISTORY: StoredHistory = { movement: () => undefined, movementId: () => undefined }

/**
 * Every movement by id. In memory are only those that have changed since the last checkpoint, and those of the checkpoint under way until
 * it is durable; the others are read back from disk. What is found must not depend on where: a checkpoint changes no result.
 */
export class Movements {
  /** How many there are, refused ones included. */
  readonly count: Cell<number>
  /** Of all their ids. */
  readonly filter = new IdFilter()
  readonly #journal: Journal
  readonly #stored: StoredHistory
  #changed = new Map<string, Movement>()
  /** Of the checkpoint under way: never changed, so that it can be walked late. */
  #flushing: ReadonlyMap<string, Movement> | undefined

  constructor(journal: Journal, stored: StoredHistory) {
    this.count = new Cell(journal, 0)
    this.#journal = journal
    this.#stored = stored
  }

  get(id: string): Movement | undefined {
    const recent = this.#changed.get(id) ?? this.#flushing?.get(id)
    if (recent !== undefined || !this.filter.mayHave(id, this.count.value)) return recent
    return this.#stored.movement(id)
  }

  /** Like get, of an id that was known as `before` when the same command looked earlier: spares a look at the disk. */
  getAgain(id: string, before: Movement | undefined): Movement | undefined {
    return this.#changed.get(id) ?? before
  }

  /** Puts in a movement of an id that is not there. */
  add(movement: Movement): void {
    assert(this.#changed.get(movement.id) === undefined, 'a movement id is used once')
    assert(movement.sequence === this.count.value + 1, 'movements are numbered without a gap')
    this.count.set(movement.sequence)
    this.filter.add(movement.sequence, movement.id)
    this.set(movement)
  }

  /** Puts another state of a movement in the place of the one that stands. */
  set(movement: Movement): void {
    if (this.#journal.isOpen) {
      const previous = this.#changed.get(movement.id)
      this.#journal.record(() => {
        if (previous === undefined) this.#changed.delete(movement.id)
        else this.#changed.set(movement.id, previous)
      })
    }
    this.#changed.set(movement.id, movement)
  }

  /** As Table.takeChanges; onCheckpointed must be called before the next. */
  takeChanges(): Iterable<RowChange<Movement>> {
    assert(this.#flushing === undefined, 'a checkpoint is durable before the next is taken')
    const taken = this.#changed
    this.#changed = new Map()
    this.#flushing = taken
    return rowsOf(taken)
  }

  /** What was taken can be read back from disk. */
  onCheckpointed(): void {
    this.#flushing = undefined
  }
}

function* rowsOf<V>(rows: ReadonlyMap<string, V>): Generator<RowChange<V>> {
  for (const [key, row] of rows) yield { key, row }
}

/** The end of an account's list: the ids from an index on. */
interface Tail {
  readonly first: number
  readonly ids: string[]
}

/** One place of an account's list. */
export interface ListedMovement {
  readonly accountId: string
  readonly index: number
  readonly movementId: string
}

/** The ids of each account's movements, oldest first. How many an account has, its row tells. In memory as `Movements`. */
export class AccountLists {
  readonly #stored: StoredHistory
  #changed = new Map<string, Tail>()
  #flushing: ReadonlyMap<string, Tail> | undefined

  constructor(stored: StoredHistory) {
    this.#stored = stored
  }

  /** `index`: below the account's movementCount. */
  get(accountId: string, index: number): string {
    const id =
      idIn(this.#changed.get(accountId), index) ??
      idIn(this.#flushing?.get(accountId), index) ??
      this.#stored.movementId(accountId, index)
    assert(id !== undefined, 'every movement of an account is found')
    return id
  }

  /** `index`: that of the account's next movement. */
  append(accountId: string, index: number, movementId: string): void {
    const tail = this.#changed.get(accountId)
    if (tail === undefined) {
      this.#changed.set(accountId, { first: index, ids: [movementId] })
      return
    }
    assert(index === tail.first + tail.ids.length, 'the list of an account has no gap')
    tail.ids.push(movementId)
  }

  /** Takes back the last append to the account. */
  removeLast(accountId: string, movementId: string): void {
    const tail = this.#changed.get(accountId)
    assert(tail?.ids.pop() === movementId, 'what is undone was done last')
    if (tail.ids.length === 0) this.#changed.delete(accountId)
  }

  /** As Movements.takeChanges. */
  takeChanges(): Iterable<ListedMovement> {
    assert(this.#flushing === undefined, 'a checkpoint is durable before the next is taken')
    const taken = this.#changed
    this.#changed = new Map()
    this.#flushing = taken
    return placesOf(taken)
  }

  onCheckpointed(): void {
    this.#flushing = undefined
  }
}

function idIn(tail: Tail | undefined, index: number): string | undefined {
  return tail === undefined || index < tail.first ? undefined : tail.ids[index - tail.first]
}

function* placesOf(tails: ReadonlyMap<string, Tail>): Generator<ListedMovement> {
  for (const [accountId, { first, ids }] of tails) {
    for (const [i, movementId] of ids.entries()) yield { accountId, index: first + i, movementId }
  }
}
