import { assert } from '../tables/assert.js'
import { FILTER_BYTES_PER_ID, FILTER_IDS_MAX, IdFilter, type IdPage } from '../tables/id-filter.js'
import { textBytes, USED_ID_BYTES } from '../tables/row-bytes.js'
import { ShardedMap } from '../tables/sharded-map.js'
import type { RowChange } from '../tables/table.js'

/** An id that was used once. */
export interface UsedId {
  /** Where the request with the id was carried out, or refused. */
  readonly slot: number
}

/** Reads back what the last durable checkpoint has. */
export type StoredUsedId = (id: string) => UsedId | undefined

/**
 * Every request_id that was ever used, for good: the answer to it is not kept for ever, but a late retry must not be carried out as if it
 * were new. In memory are only those that have come since the last checkpoint, and those of the checkpoint under way until it is durable;
 * the others are on disk, as movements are (see Movements), behind a filter.
 */
export class UsedIds {
  readonly #stored: StoredUsedId
  readonly #filter = new IdFilter()
  #count = 0
  #writtenBytes = 0
  #recent = new ShardedMap<UsedId>()
  /** The ids of the checkpoint under way: never changed, so that they can be walked late. */
  #flushing: ShardedMap<UsedId> | undefined

  constructor(stored: StoredUsedId) {
    this.#stored = stored
  }

  get count(): number {
    return this.#count
  }

  /** Memory that they take for good, in bytes: two an id, bounded. */
  get bytes(): number {
    return FILTER_BYTES_PER_ID * Math.min(this.#count, FILTER_IDS_MAX)
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#writtenBytes
  }

  get(id: string): UsedId | undefined {
    if (!this.#filter.mayHave(id, this.#count)) return undefined
    return this.#recent.get(id) ?? this.#flushing?.get(id) ?? this.#stored(id)
  }

  /** Adds an id that was not used before. */
  add(id: string, used: UsedId): void {
    this.#count++
    this.#filter.add(this.#count, id)
    this.#recent.set(id, used)
    this.#writtenBytes += USED_ID_BYTES + textBytes(id)
  }

  /** Those that have come since the last call; onCheckpointed must be called before the next. */
  takeChanges(): { readonly ids: Iterable<RowChange<UsedId>>; readonly pages: Iterable<IdPage> } {
    assert(this.#flushing === undefined, 'a checkpoint is durable before the next is taken')
    const taken = this.#recent
    this.#recent = new ShardedMap()
    this.#flushing = taken
    return { ids: rowsOf(taken), pages: this.#filter.takeChanges(this.#count) }
  }

  /** Tells that the entries taken last are durable, and can be read back from disk. */
  onCheckpointed(): void {
    this.#flushing = undefined
  }

  /** Sets the number of ids that are on disk. */
  load(count: number): void {
    this.#count = count
  }

  /** As IdFilter.load. */
  loadPage(page: number, hashes: Uint32Array): void {
    this.#filter.load(page, hashes)
  }
}

function* rowsOf(ids: ShardedMap<UsedId>): Generator<RowChange<UsedId>> {
  for (const [key, row] of ids.entries()) yield { key, row, isNew: true }
}
