import { assert } from './assert.js'
import { FILTER_BYTES_PER_ID, FILTER_IDS_MAX, IdFilter } from './id-filter.js'
import type { Journal } from './journal.js'
import type { Movement } from './movement.js'
import { MOVEMENT_BYTES } from './row-bytes.js'
import { ShardedMap } from './sharded-map.js'
import { Cell, type RowChange } from './table.js'

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
  #changed = new ShardedMap<Movement>()
  /** How many the last checkpoint has. */
  #takenCount = 0
  /** Of the checkpoint under way: never changed, so that it can be walked late. */
  #flushing: ShardedMap<Movement> | undefined

  constructor(journal: Journal, stored: StoredHistory) {
    this.count = new Cell(journal, 0)
    this.#journal = journal
    this.#stored = stored
  }

  /** What the filter takes in memory: two bytes an id. Bounded for good, so that no movement is refused for it. */
  get filterBytes(): number {
    return FILTER_BYTES_PER_ID * Math.min(this.count.value, FILTER_IDS_MAX)
  }

  get(id: string): Movement | undefined {
    // Asked first: most ids are new, and a look into a map that holds very many costs more.
    if (!this.filter.mayHave(id, this.count.value)) return undefined
    return this.#changed.get(id) ?? this.#flushing?.get(id) ?? this.#stored.movement(id)
  }

  /** Like get, of an id that was known as `before` when the same command looked earlier: spares a look at the disk. */
  getAgain(id: string, before: Movement | undefined): Movement | undefined {
    return this.#changed.get(id) ?? before
  }

  /** Puts in a movement of an id that is not there. */
  add(movement: Movement): void {
    assert(movement.sequence === this.count.value + 1, 'movements are numbered without a gap')
    this.count.set(movement.sequence)
    this.filter.add(movement.sequence, movement.id)
    const changedCount = this.#changed.size
    this.set(movement)
    assert(this.#changed.size === changedCount + 1, 'a movement id is used once')
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
    const { id, source, destination } = movement
    this.#journal.meter.wrote(MOVEMENT_BYTES + id.length + source.length + destination.length)
  }

  /** As Table.takeChanges; onCheckpointed must be called before the next. */
  takeChanges(): Iterable<RowChange<Movement>> {
    assert(this.#flushing === undefined, 'a checkpoint is durable before the next is taken')
    const taken = this.#changed
    const before = this.#takenCount
    this.#changed = new ShardedMap()
    this.#flushing = taken
    this.#takenCount = this.count.value
    return rowsOf(taken, before)
  }

  /** So many are on disk. */
  load(count: number): void {
    this.count.set(count)
    this.#takenCount = count
  }

  /** What was taken can be read back from disk. */
  onCheckpointed(): void {
    this.#flushing = undefined
  }
}

function* rowsOf(movements: ShardedMap<Movement>, storedCount: number): Generator<RowChange<Movement>> {
  for (const [key, row] of movements.entries()) yield { key, row, isNew: row.sequence > storedCount }
}

/** One place of an account's list. */
export interface ListedMovement {
  readonly accountId: string
  readonly index: number
  readonly movementId: string
}

/** Where a new movement stands in the lists of its accounts; undefined: it has touched none on that side. */
interface Places {
  readonly source: number | undefined
  readonly destination: number | undefined
}

/**
 * The ids of each account's movements, oldest first. How many an account has, its row tells. In memory as `Movements`: there the movements
 * stand only in the order of the log until somebody asks for an account's.
 */
export class AccountLists {
  readonly #stored: StoredHistory
  #recent = new RecentMovements(1)
  #flushing: { readonly recent: RecentMovements; readonly count: number } | undefined

  constructor(stored: StoredHistory) {
    this.#stored = stored
  }

  /** `index`: below the account's movementCount. `count`: how many movements there are. */
  get(accountId: string, index: number, count: number): string {
    const id =
      this.#recent.find(accountId, index, count) ??
      this.#flushing?.recent.find(accountId, index, this.#flushing.count) ??
      this.#stored.movementId(accountId, index)
    assert(id !== undefined, 'every movement of an account is found')
    return id
  }

  /** The next movement, in the place of one that was rolled back if there was one. */
  add(movement: Movement, places: Places): void {
    this.#recent.add(movement, places)
  }

  /** As Movements.takeChanges, now that there are `count` movements. */
  takeChanges(count: number): Iterable<ListedMovement> {
    assert(this.#flushing === undefined, 'a checkpoint is durable before the next is taken')
    const recent = this.#recent
    this.#recent = new RecentMovements(count + 1)
    this.#flushing = { recent, count }
    return recent.places(count)
  }

  /** So many movements are on disk. */
  load(count: number): void {
    this.#recent = new RecentMovements(count + 1)
  }

  onCheckpointed(): void {
    this.#flushing = undefined
  }
}

/** The end of an account's list: the ids from an index on. */
interface Tail {
  readonly first: number
  readonly ids: string[]
}

/** Movements from a sequence on, and where they stand in their accounts' lists. What was rolled back is written over. */
class RecentMovements {
  readonly #firstSequence: number
  readonly #movements: Movement[] = []
  readonly #sources: (number | undefined)[] = []
  readonly #destinations: (number | undefined)[] = []
  /** By account, of the first so many. */
  #tails = new Map<string, Tail>()
  #tailedCount = 0

  constructor(firstSequence: number) {
    this.#firstSequence = firstSequence
  }

  add(movement: Movement, { source, destination }: Places): void {
    const i = movement.sequence - this.#firstSequence
    assert(i >= 0 && i <= this.#movements.length, 'movements are listed without a gap')
    this.#movements[i] = movement
    this.#sources[i] = source
    this.#destinations[i] = destination
  }

  /** `lastSequence`: those after it have been rolled back. */
  find(accountId: string, index: number, lastSequence: number): string | undefined {
    const count = lastSequence - this.#firstSequence + 1
    if (count < this.#tailedCount) this.#forgetTails()
    for (const place of this.#placesBetween(this.#tailedCount, count)) this.#append(place)
    this.#tailedCount = count
    const tail = this.#tails.get(accountId)
    return tail === undefined || index < tail.first ? undefined : tail.ids[index - tail.first]
  }

  places(lastSequence: number): Iterable<ListedMovement> {
    return this.#placesBetween(0, lastSequence - this.#firstSequence + 1)
  }

  *#placesBetween(from: number, end: number): Generator<ListedMovement> {
    for (let i = from; i < end; i++) {
      const { id, source, destination } = this.#movements[i] as Movement
      const sourceIndex = this.#sources[i]
      const destinationIndex = this.#destinations[i]
      if (sourceIndex !== undefined) yield { accountId: source, index: sourceIndex, movementId: id }
      if (destinationIndex !== undefined) yield { accountId: destination, index: destinationIndex, movementId: id }
    }
  }

  #append({ accountId, index, movementId }: ListedMovement): void {
    const tail = this.#tails.get(accountId)
    if (tail === undefined) {
      this.#tails.set(accountId, { first: index, ids: [movementId] })
      return
    }
    assert(index === tail.first + tail.ids.length, 'the list of an account has no gap')
    tail.ids.push(movementId)
  }

  #forgetTails(): void {
    this.#tails = new Map()
    this.#tailedCount = 0
  }
}
