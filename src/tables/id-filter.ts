import { assert } from './assert.js'

/** Number of hashes in one entry of a checkpoint. */
const PAGE_IDS = 4_096
/** Number of ids that each level holds: levels are filled one after the other, so memory grows with the ids. */
const LEVEL_IDS = [2 ** 12, 2 ** 15, 2 ** 18, 2 ** 21, 2 ** 24]
/** Past that there is no filter any more. */
export const FILTER_IDS_MAX = LEVEL_IDS.reduce((sum, ids) => sum + ids, 0)
const BITS_PER_ID = 16
export const FILTER_BYTES_PER_ID = BITS_PER_ID / 8
const BLOCK_BITS = 256
const WORDS_PER_BLOCK = 8
/** Odd, one for each word of a block: those of Parquet's split block Bloom filter. */
const SALTS = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31]

/** Hashes of ids, in the order in which they came; all but the last page are full. */
export interface IdPage {
  /** From 0. */
  readonly page: number
  /** Absent when the page is given up. */
  readonly hashes: Uint32Array | undefined
}

/**
 * Tells of most ids that were never used that they were not, without a look at the disk, which costs some microseconds: blocked Bloom
 * filters over 32-bit hashes, at most 37 MiB of them for the first 19 million ids. An id that was used is never denied; so the filter
 * changes no result. What a checkpoint has of it are the hashes, four bytes an id, each written once: bits would be written all over.
 */
export class IdFilter {
  #levels: BloomFilter[] = []
  /** Those that the next checkpoint writes, and the last one, if there is room on it. */
  #pages = new Map<number, Uint32Array>()
  /** Number of ids in the last checkpoint. */
  #takenCount = 0

  /** Adds the `number`-th id, counted from 1. A number comes again when it was rolled back, with another id perhaps. */
  add(number: number, id: string): void {
    const index = number - 1
    if (index >= FILTER_IDS_MAX) return
    const hash = hashOf(id)
    this.#levelOf(index).add(hash)
    const page = Math.floor(index / PAGE_IDS)
    let hashes = this.#pages.get(page)
    if (hashes === undefined) {
      hashes = new Uint32Array(PAGE_IDS)
      this.#pages.set(page, hashes)
    }
    hashes[index % PAGE_IDS] = hash
  }

  /** Returns whether the id may have been added. `count`: the number of ids that have been. */
  mayHave(id: string, count: number): boolean {
    if (count > FILTER_IDS_MAX) return true
    const hash = hashOf(id)
    for (const level of this.#levels) if (level.mayHave(hash)) return true
    return false
  }

  /** The pages that have changed since the last call, now that there are `count` ids. As they are now, however late they are walked. */
  takeChanges(count: number): Iterable<IdPage> {
    const before = this.#takenCount
    if (count > FILTER_IDS_MAX) {
      this.#levels = []
      this.#pages = new Map()
      this.#takenCount = 0
      return givenUp(Math.ceil(before / PAGE_IDS))
    }
    const pages = this.#pages
    const last = Math.floor(count / PAGE_IDS)
    const unfinished = count % PAGE_IDS === 0 ? undefined : pages.get(last)
    this.#pages = new Map(unfinished === undefined ? [] : [[last, unfinished]])
    this.#takenCount = count
    return changedPages(pages, before, count)
  }

  /** Puts back a page of a checkpoint; all pages, in their order. */
  load(page: number, hashes: Uint32Array): void {
    assert(page * PAGE_IDS === this.#takenCount && hashes.length <= PAGE_IDS, 'the hashes of ids are a list without a gap')
    for (const [i, hash] of hashes.entries()) this.#levelOf(this.#takenCount + i).add(hash)
    this.#takenCount += hashes.length
    if (hashes.length === PAGE_IDS) return
    const unfinished = new Uint32Array(PAGE_IDS)
    unfinished.set(hashes)
    this.#pages.set(page, unfinished)
  }

  #levelOf(index: number): BloomFilter {
    let level = 0
    for (let end = 0; level < LEVEL_IDS.length; level++) {
      end += LEVEL_IDS[level] as number
      if (index < end) break
    }
    while (this.#levels.length <= level) this.#levels.push(new BloomFilter(LEVEL_IDS[this.#levels.length] as number))
    return this.#levels[level] as BloomFilter
  }
}

/** Hashes that were added are not added anew: pages beyond `count`, of what was rolled back, are left out. */
function* changedPages(pages: ReadonlyMap<number, Uint32Array>, before: number, count: number): Generator<IdPage> {
  if (count === before) return
  for (let page = Math.floor(before / PAGE_IDS); page * PAGE_IDS < count; page++) {
    const hashes = pages.get(page)
    assert(hashes !== undefined, 'pages are kept until they are written')
    yield { page, hashes: hashes.subarray(0, Math.min(PAGE_IDS, count - page * PAGE_IDS)) }
  }
}

function* givenUp(pageCount: number): Generator<IdPage> {
  for (let page = 0; page < pageCount; page++) yield { page, hashes: undefined }
}

/** A split block Bloom filter: one bit in each word of one block, so that a look costs one place in memory. */
class BloomFilter {
  readonly #words: Uint32Array
  /** The first bits of a hash tell its block. */
  readonly #shift: number

  /** `capacity`: a power of two. */
  constructor(capacity: number) {
    const blocks = (capacity * BITS_PER_ID) / BLOCK_BITS
    this.#words = new Uint32Array(blocks * WORDS_PER_BLOCK)
    this.#shift = 32 - Math.log2(blocks)
  }

  add(hash: number): void {
    const first = (hash >>> this.#shift) * WORDS_PER_BLOCK
    for (let i = 0; i < WORDS_PER_BLOCK; i++) {
      this.#words[first + i] = (this.#words[first + i] as number) | bitOf(hash, i)
    }
  }

  mayHave(hash: number): boolean {
    const first = (hash >>> this.#shift) * WORDS_PER_BLOCK
    for (let i = 0; i < WORDS_PER_BLOCK; i++) {
      if (((this.#words[first + i] as number) & bitOf(hash, i)) === 0) return false
    }
    return true
  }
}

function bitOf(hash: number, word: number): number {
  return 1 << (Math.imul(hash, SALTS[word] as number) >>> 27)
}

/** 32 bits over UTF-16 units. It is on disk: it never changes. */
function hashOf(id: string): number {
  let hash = id.length
  for (let i = 0; i < id.length; i++) {
    hash = Math.imul(hash ^ id.charCodeAt(i), 0x5bd1e995)
    hash ^= hash >>> 15
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
