import { assert } from '../../tables/assert.js'
import type { Journal } from '../../tables/journal.js'
import type { Position } from '../../tables/sorted-keys.js'
import type { OrderedTable } from '../../tables/table.js'
import type { KeyValuePair } from './pair.js'

const CHUNK_KEYS_MAX = 512

/** A range that was deleted in one revision, as it stands in a checkpoint. */
export interface CutRange {
  /** Empty: every key. */
  readonly prefix: string
  /** Pairs of the range that were last written before this are what was deleted. */
  readonly revision: bigint
}

interface PendingRange extends CutRange {
  /** Ascending. Some may have come again meanwhile. */
  readonly chunks: string[][]
  /** Where clearing goes on. */
  chunk: number
  index: number
}

/**
 * Ranges of very many keys that are deleted. To everybody they are gone at once; their pairs are cleared in the slots that follow, a
 * bounded number in each, in the order of the deletions and of the keys: by the log alone, whenever a node was restarted.
 */
export class CutRanges {
  readonly #pairs: OrderedTable<KeyValuePair>
  readonly #journal: Journal
  readonly #pending: PendingRange[] = []

  constructor(pairs: OrderedTable<KeyValuePair>, journal: Journal) {
    this.#pairs = pairs
    this.#journal = journal
  }

  /** True while there is something to clear. */
  get isPending(): boolean {
    return this.#pending.length > 0
  }

  /** Those that are not cleared, for a checkpoint. */
  get records(): readonly CutRange[] {
    return this.#pending.map(({ prefix, revision }) => ({ prefix, revision }))
  }

  /** Deletes what stands between two places, those of the prefix, in `revision`. No pair there is of that revision. */
  add({ prefix, revision }: CutRange, from: Position, to: Position): void {
    this.#pending.push({ prefix, revision, chunks: this.#pairs.cut(from, to), chunk: 0, index: 0 })
    if (this.#journal.isOpen) this.#journal.record(() => this.#pending.pop())
  }

  /** Clears at most `countMax` pairs. */
  clear(countMax: number): void {
    let left = countMax
    while (left > 0) {
      const [range] = this.#pending
      if (range === undefined) return
      left -= this.#clearSome(range, left)
      if (range.chunk === range.chunks.length) this.#pending.shift()
    }
  }

  /** Puts back those of a checkpoint; their pairs come afterwards, through loadPair. */
  load(records: readonly CutRange[]): void {
    assert(this.#pairs.size === 0, 'what is deleted is known before the pairs come')
    for (const record of records) this.#pending.push({ ...record, chunks: [], chunk: 0, index: 0 })
  }

  /** Puts back a pair of a checkpoint, in the order of their keys: into the range that it was deleted with, or else among the others. */
  loadPair(key: string, pair: KeyValuePair): void {
    const range = this.#pending.find(({ prefix, revision }) => pair.modRevision < revision && key.startsWith(prefix))
    if (range === undefined) return this.#pairs.load(key, pair)
    this.#pairs.loadCut(key, pair)
    const last = range.chunks.at(-1)
    if (last === undefined || last.length === CHUNK_KEYS_MAX) range.chunks.push([key])
    else last.push(key)
  }

  /** Gives how many it has cleared. */
  #clearSome(range: PendingRange, countMax: number): number {
    const { chunks, revision } = range
    const isMeant = (pair: KeyValuePair): boolean => pair.modRevision < revision
    let count = 0
    for (; range.chunk < chunks.length; range.chunk++, range.index = 0) {
      const keys = chunks[range.chunk] ?? []
      for (; range.index < keys.length; range.index++) {
        if (count === countMax) return count
        if (this.#pairs.clear(keys[range.index] ?? '', isMeant)) count++
      }
      chunks[range.chunk] = []
    }
    return count
  }
}
