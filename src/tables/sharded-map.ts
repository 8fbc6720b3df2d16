/** A shard is made when its first entry comes. */
const SHARD_COUNT = 256
/** Largest number of entries of a JavaScript Map. */
const SHARD_ENTRIES_MAX = 2 ** 24

/**
 * A map of strings that holds as many entries as there is memory. A Map throws at 2^24 entries; and whenever it has doubled it copies
 * all of them, which stops the process for longer than a leader may be silent. Here each of many Maps copies its own few. What does not
 * fit into the shard that a key's hash names (somebody may choose keys of one hash) goes into the next of that shard's row.
 */
export class ShardedMap<V> {
  readonly #shardCount: number
  readonly #entriesMax: number
  /** Row after row: shard i + shardCount holds what does not fit into shard i. */
  readonly #shards: (Map<string, V> | undefined)[]
  #size = 0

  /** `shardCount`: a power of two. Both are smaller in tests only. */
  constructor({ shardCount = SHARD_COUNT, entriesMax = SHARD_ENTRIES_MAX } = {}) {
    this.#shardCount = shardCount
    this.#entriesMax = entriesMax
    this.#shards = Array.from({ length: shardCount }, () => undefined)
  }

  get size(): number {
    return this.#size
  }

  get(key: string): V | undefined {
    for (let i = this.#first(key); ; i += this.#shardCount) {
      const shard = this.#shards[i]
      if (shard === undefined) return undefined
      const value = shard.get(key)
      if (value !== undefined) return value
    }
  }

  /** `value` is not undefined. */
  set(key: string, value: V): void {
    let free = -1
    for (let i = this.#first(key); ; i += this.#shardCount) {
      const shard = this.#shards[i]
      if (shard === undefined) {
        this.#add(free === -1 ? i : free, key, value)
        return
      }
      if (shard.has(key)) {
        shard.set(key, value)
        return
      }
      if (free === -1 && shard.size < this.#entriesMax) free = i
    }
  }

  delete(key: string): void {
    for (let i = this.#first(key); ; i += this.#shardCount) {
      const shard = this.#shards[i]
      if (shard === undefined) return
      if (!shard.delete(key)) continue
      this.#size--
      return
    }
  }

  /** In no order that may be relied upon. */
  *values(): Generator<V> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.values()
  }

  *entries(): Generator<[string, V]> {
    for (const shard of this.#shards) if (shard !== undefined) yield* shard.entries()
  }

  #add(at: number, key: string, value: V): void {
    while (this.#shards.length <= at) this.#shards.push(undefined)
    let shard = this.#shards[at]
    if (shard === undefined) {
      shard = new Map()
      this.#shards[at] = shard
    }
    shard.set(key, value)
    this.#size++
  }

  #first(key: string): number {
    let hash = key.length
    for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
    return (hash ^ (hash >>> 15)) & (this.#shardCount - 1)
  }
}
