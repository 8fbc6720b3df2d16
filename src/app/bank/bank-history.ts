import { assert } from '../../tables/assert.js'
import { FILTER_BYTES_PER_ID, FILTER_IDS_MAX, IdFilter } from '../../tables/id-filter.js'
import type { Journal } from '../../tables/journal.js'
import { MOVEMENT_BYTES } from '../../tables/row-bytes.js'
import { ShardedMap } from '../../tables/sharded-map.js'
import { Cell, type RowChange } from '../../tables/table.js'
import type { AccountRow, MovedAccounts, Movement } from './movement.js'

/** The part of the books that stands on disk only, as of the last durable checkpoint. Read synchronously. */
export interface StoredHistory {
  movement(id: string): Movement | undefined
  /** The id of the account's movement at the index, from 0. */
  movementId(accountId: string, index: number): string | undefined
}

/** The history of a bank that was never checkpointed. */
export const NO_HISTORY: StoredHistory = { movement: () => undefined, movementId: () => undefined }

/**
 * Every movement by id. In memory are only those that have changed since the last checkpoint, and those of the checkpoint under way until
 * it is durable; the others are read back from disk. What is found must not depend on where: a checkpoint changes no result.
 */
export class Movements {
  /** Number of movements, refused ones included. */
  readonly count: Cell<number>
  /** Filter over all their ids. */
  readonly filter = new IdFilter()
  readonly #journal: Journal
  readonly #stored: StoredHistory
  #changed = new ShardedMap<Movement>()
  /** Number of movements in the last checkpoint. */
  #takenCount = 0
  /** The movements of the checkpoint under way: never changed, so that they can be walked late. */
  #flushing: ShardedMap<Movement> | undefined

  constructor(journal: Journal, stored: StoredHistory) {
    this.count = new Cell(journal, 0)
    this.#journal = journal
    this.#stored = stored
  }

  /** Memory of the filter: two bytes an id. It is bounded for good, so that no movement is refused for it. */
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

  /** Sets the number of movements that are on disk. */
  load(count: number): void {
    this.count.set(count)
    this.#takenCount = count
  }

  /** Tells that the movements taken last are durable, and can be read back from disk. */
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

/**
 * The ids of each account's movements, oldest first. How many an account has, its row tells, and which place in memory is its last. From
 * there places are linked back, each to the one before and to one further away (Myers, "An applicative random-access stack", 1983): any is
 * found in O(log n), nothing is built when somebody first asks, and what is rolled back is simply not reached any more. In memory as long
 * as the movements of `Movements` are.
 */
export class AccountLists {
  readonly #stored: StoredHistory
  #recent = new Span(1)
  #flushing: Span | undefined

  constructor(stored: StoredHistory) {
    this.#stored = stored
  }

  /** `index`: from 0, below the account's movementCount. */
  get(account: AccountRow, index: number): string {
    const id = this.#find(account.lastPlace, index) ?? this.#stored.movementId(account.accountId, index)
    assert(id !== undefined, 'every movement of an account is found')
    return id
  }

  /** The next movement, in the place of one that was rolled back if there was one. `touched`: its accounts as they were before it. */
  add(movement: Movement, { source, destination }: MovedAccounts): void {
    const { sequence } = movement
    this.#recent.add(movement)
    this.#put(placeOf(sequence, 'source'), source)
    this.#put(placeOf(sequence, 'destination'), destination)
  }

  /** As Movements.takeChanges, now that there are `count` movements. */
  takeChanges(count: number): Iterable<ListedMovement> {
    assert(this.#flushing === undefined, 'a checkpoint is durable before the next is taken')
    const taken = this.#recent
    this.#recent = new Span(count + 1)
    this.#flushing = taken
    return taken.listed(count)
  }

  /** Sets the number of movements that are on disk. */
  load(count: number): void {
    this.#recent = new Span(count + 1)
  }

  onCheckpointed(): void {
    this.#flushing = undefined
  }

  #put(place: number, account: AccountRow | undefined): void {
    if (account === undefined) return this.#recent.put(place, { index: NOWHERE, previous: 0, jump: 0 })
    const previous = account.lastPlace
    this.#recent.put(place, { index: account.movementCount, previous, jump: this.#jumpOver(previous) })
  }

  /** Where the one after `previous` has its jump: beyond two equal jumps, or else to `previous`. */
  #jumpOver(previous: number): number {
    const span = this.#spanOf(previous)
    if (span === undefined) return 0
    const jump = this.#jumpOf(previous, span)
    const jumpSpan = this.#spanOf(jump) ?? span
    const further = this.#jumpOf(jump, jumpSpan)
    const middle = jumpSpan.index(jump)
    const isEqual = span.index(previous) - middle === middle - (this.#spanOf(further) ?? span).index(further)
    return isEqual ? further : previous
  }

  /** The first place in memory jumps to itself. */
  #jumpOf(place: number, span: Span): number {
    const jump = span.jump(place)
    return this.#spanOf(jump) === undefined ? place : jump
  }

  #find(last: number, index: number): string | undefined {
    let place = last
    for (;;) {
      const span = this.#spanOf(place)
      if (span === undefined) return undefined
      if (span.index(place) === index) return span.movementId(place)
      const jump = span.jump(place)
      const jumpSpan = this.#spanOf(jump)
      place = jumpSpan !== undefined && jumpSpan.index(jump) >= index ? jump : span.previous(place)
    }
  }

  /** Undefined for a place that is on disk, and for none. */
  #spanOf(place: number): Span | undefined {
    if (this.#recent.has(place)) return this.#recent
    return this.#flushing?.has(place) === true ? this.#flushing : undefined
  }
}

type Side = 'source' | 'destination'

/** Names a place: a movement's in the list of one of its accounts. From 2 on; 0 is none. */
export function placeOf(sequence: number, side: Side): number {
  return 2 * sequence + (side === 'source' ? 0 : 1)
}

/** The index of a place in no list: the movement has no account on that side, or has not touched it. */
const NOWHERE = -1
const FIELDS = 3

/** The movements from a sequence on, with their places. What was rolled back is written over. */
class Span {
  readonly #first: number
  readonly #movements: Movement[] = []
  /** Three numbers a place: its index in the account's list, the place before, and the target of its jump. */
  readonly #places: number[] = []

  constructor(firstSequence: number) {
    this.#first = firstSequence
  }

  has(place: number): boolean {
    return place >= 2 * this.#first && this.#at(place) < this.#places.length
  }

  add(movement: Movement): void {
    const i = movement.sequence - this.#first
    assert(i >= 0 && i <= this.#movements.length, 'movements are listed without a gap')
    this.#movements[i] = movement
  }

  put(place: number, { index, previous, jump }: { index: number; previous: number; jump: number }): void {
    const at = this.#at(place)
    this.#places[at] = index
    this.#places[at + 1] = previous
    this.#places[at + 2] = jump
  }

  index(place: number): number {
    return this.#places[this.#at(place)] as number
  }

  previous(place: number): number {
    return this.#places[this.#at(place) + 1] as number
  }

  jump(place: number): number {
    return this.#places[this.#at(place) + 2] as number
  }

  movementId(place: number): string {
    return (this.#movements[Math.floor(place / 2) - this.#first] as Movement).id
  }

  /** Those up to a sequence; the ones after it have been rolled back. */
  *listed(lastSequence: number): Generator<ListedMovement> {
    for (let sequence = this.#first; sequence <= lastSequence; sequence++) {
      const { id, source, destination } = this.#movements[sequence - this.#first] as Movement
      const sourceIndex = this.index(placeOf(sequence, 'source'))
      const destinationIndex = this.index(placeOf(sequence, 'destination'))
      if (sourceIndex !== NOWHERE) yield { accountId: source, index: sourceIndex, movementId: id }
      if (destinationIndex !== NOWHERE) yield { accountId: destination, index: destinationIndex, movementId: id }
    }
  }

  #at(place: number): number {
    return FIELDS * (place - 2 * this.#first)
  }
}
