import { compareUtf8 } from './utf8.js'

/** A place between keys: before the index-th key of the chunk. */
export interface Position {
  readonly chunk: number
  readonly index: number
}

const CHUNK_KEYS_MAX = 512
const CHUNK_KEYS_MERGE = 128

/**
 * A set of strings in UTF-8 byte order: sorted chunks of at most 512 keys, none of them empty. Finding costs a binary search over
 * chunks and one within; counting a range costs one addition per chunk in it.
 */
export class SortedKeys {
  #chunks: string[][] = []

  /** Adds a key that is not there yet. */
  insert(key: string): void {
    const last = this.#chunks.at(-1)
    if (last === undefined || compareUtf8(last.at(-1) ?? '', key) < 0) {
      // Keys that come in order, as those of a checkpoint do, are not searched for, and fill their chunks.
      if (last === undefined || last.length === CHUNK_KEYS_MAX) this.#chunks.push([key])
      else last.push(key)
      return
    }
    const { chunk, index } = this.position((other) => compareUtf8(other, key) < 0)
    this.#chunks[chunk]?.splice(index, 0, key)
    this.#maybeSplit(chunk)
  }

  /** Takes a key out that is there. */
  remove(key: string): void {
    const { chunk, index } = this.position((other) => compareUtf8(other, key) < 0)
    const keys = this.#chunks[chunk]
    if (keys?.[index] !== key) return
    keys.splice(index, 1)
    if (keys.length === 0) this.#chunks.splice(chunk, 1)
    else this.#maybeMerge(chunk)
  }

  has(key: string): boolean {
    const { chunk, index } = this.position((other) => compareUtf8(other, key) < 0)
    return this.#chunks[chunk]?.[index] === key
  }

  /** Takes out all keys between two places: in O(chunks), however many there are. Gives them in order, for attach to put back. */
  cut(from: Position, to: Position): string[][] {
    if (this.count(from, to) === 0) return []
    if (from.chunk === to.chunk) {
      const taken = this.#chunks[from.chunk]?.splice(from.index, to.index - from.index) ?? []
      this.#dropIfEmpty(from.chunk)
      return [taken]
    }
    const head = this.#chunks[from.chunk]?.splice(from.index) ?? []
    const tail = this.#chunks[to.chunk]?.splice(0, to.index) ?? []
    const between = this.#chunks.splice(from.chunk + 1, to.chunk - from.chunk - 1)
    this.#dropIfEmpty(from.chunk + 1)
    this.#dropIfEmpty(from.chunk)
    return [head, ...between, tail].filter((chunk) => chunk.length > 0)
  }

  /** Puts keys back that were cut out, when no key stands between the first and the last of them. */
  attach(taken: readonly string[][]): void {
    const first = taken[0]?.[0]
    if (first === undefined) return
    const { chunk, index } = this.position((other) => compareUtf8(other, first) < 0)
    const after = this.#chunks.slice(chunk)
    const rest = index === 0 ? [] : (after[0]?.splice(index) ?? [])
    const before = this.#chunks.slice(0, index === 0 ? chunk : chunk + 1)
    const behind = index === 0 ? after : after.slice(1)
    this.#chunks = [...before, ...taken, ...(rest.length > 0 ? [rest] : []), ...behind]
  }

  /** The first place whose key does not satisfy `isBefore`, which must hold for a first part of the keys and for no other. */
  position(isBefore: (key: string) => boolean): Position {
    const chunk = partitionPoint(this.#chunks.length, (i) => isBefore(this.#chunks[i]?.at(-1) ?? ''))
    const keys = this.#chunks[chunk]
    if (keys === undefined) return { chunk, index: 0 }
    return { chunk, index: partitionPoint(keys.length, (i) => isBefore(keys[i] ?? '')) }
  }

  /** Number of keys between two places; 0 if `to` does not come after `from`. */
  count(from: Position, to: Position): number {
    if (from.chunk > to.chunk) return 0
    let keys = to.index - from.index
    for (let i = from.chunk; i < to.chunk; i++) keys += this.#chunks[i]?.length ?? 0
    return Math.max(0, keys)
  }

  /** The keys between two places. The set must not change meanwhile. */
  *ascending(from: Position, to: Position): Generator<string> {
    for (let chunk = from.chunk; chunk <= to.chunk && chunk < this.#chunks.length; chunk++) {
      const keys = this.#chunks[chunk] ?? []
      const end = chunk === to.chunk ? to.index : keys.length
      for (let i = chunk === from.chunk ? from.index : 0; i < end; i++) yield keys[i] ?? ''
    }
  }

  /** The keys between two places, last first. The set must not change meanwhile. */
  *descending(from: Position, to: Position): Generator<string> {
    for (let chunk = Math.min(to.chunk, this.#chunks.length - 1); chunk >= from.chunk; chunk--) {
      const keys = this.#chunks[chunk] ?? []
      const start = chunk === from.chunk ? from.index : 0
      for (let i = (chunk === to.chunk ? to.index : keys.length) - 1; i >= start; i--) yield keys[i] ?? ''
    }
  }

  #dropIfEmpty(chunk: number): void {
    if (this.#chunks[chunk]?.length === 0) this.#chunks.splice(chunk, 1)
  }

  #maybeSplit(chunk: number): void {
    const keys = this.#chunks[chunk]
    if (keys === undefined || keys.length <= CHUNK_KEYS_MAX) return
    this.#chunks.splice(chunk + 1, 0, keys.splice(CHUNK_KEYS_MAX >> 1))
  }

  #maybeMerge(chunk: number): void {
    const keys = this.#chunks[chunk]
    const next = this.#chunks[chunk + 1]
    if (keys === undefined || next === undefined || keys.length + next.length > CHUNK_KEYS_MERGE) return
    keys.push(...next)
    this.#chunks.splice(chunk + 1, 1)
  }
}

/** The first index from 0 to length for which `isBefore` is false. */
function partitionPoint(length: number, isBefore: (index: number) => boolean): number {
  let low = 0
  let high = length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}
