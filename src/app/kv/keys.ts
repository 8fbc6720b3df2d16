import type { EventLog } from '../../replication/event-log.js'
import type { Journal } from '../../tables/journal.js'
import { compareKept, type KeptBytes } from '../../tables/kept-bytes.js'
import { rangeOf } from '../../tables/key-range.js'
import { keptBytes, PAIR_BYTES } from '../../tables/row-bytes.js'
import type { Position } from '../../tables/sorted-keys.js'
import { OrderedTable } from '../../tables/table.js'
import { compareUtf8 } from '../../tables/utf8.js'
import { DELETED_EACH_MAX, type DeletedPrefix } from '../events.js'
import { makePageToken, readPageToken, wrongPageToken } from '../page-token.js'
import { Refusal } from '../refusal.js'
import { CutRanges } from './cut-ranges.js'
import { ANSWER_BYTES_MAX, type KeyValuePair, pairBytes, pairsBytes } from './pair.js'

/** One condition of a transaction. */
export interface Compare {
  readonly key: string
  readonly operator: 'equal' | 'notEqual' | 'less' | 'greater'
  readonly target:
    | { readonly $case: 'value'; readonly value: Uint8Array }
    | { readonly $case: 'version' | 'createRevision' | 'modRevision'; readonly value: bigint }
}

/** One page of a prefix or of a range. */
export interface ListRequest {
  /** Not together with start or end. */
  readonly prefix: string
  readonly start: string
  /** Exclusive; empty: to the last key. */
  readonly end: string
  /** At most 1,000; 0: as many as a page holds. */
  readonly limit: number
  readonly descending: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
  readonly pageToken: string
}

export interface ListOutcome {
  readonly pairs: readonly KeyValuePair[]
  /** Number of keys in the whole prefix or range. */
  readonly count: bigint
  /** Empty on the last page. */
  readonly nextPageToken: string
  readonly revision: bigint
}

/** A key, or every key with a prefix; with the empty prefix: every key. */
export interface DeleteRequest {
  readonly target: { readonly $case: 'key' | 'prefix'; readonly value: string }
  readonly returnPrevious: boolean
}

export interface DeleteOutcome {
  readonly deletedCount: bigint
  /** The store's: deleting nothing is no write. */
  readonly revision: bigint
  /** The pairs that were deleted, if they were asked for. */
  readonly previous: readonly KeyValuePair[]
}

export interface PutRequest {
  readonly key: string
  /** At most 1 MiB. Kept as it is: must not be a view of a bigger buffer. */
  readonly value: KeptBytes
  readonly returnPrevious: boolean
}

export interface PutOutcome {
  readonly revision: bigint
  /** The pair that was written over, if it was asked for. */
  readonly previous: KeyValuePair | undefined
}

export interface GetOutcome {
  /** Undefined when there is no such key. */
  readonly pair: KeyValuePair | undefined
  /** The store's. */
  readonly revision: bigint
}

/** Largest number of pairs in one answer. */
const PAIRS_MAX = 1_000
/** A prefix of more keys than this is cut out. */
const DELETED_AT_ONCE_MAX = 64
/** The key-value store. Revisions are as in etcd: the empty store is revision 1. They are the bank's, too. */
export class Keys {
  readonly pairs: OrderedTable<KeyValuePair>
  readonly #events: EventLog
  /** Deleted, and not cleared yet. */
  readonly cuts: CutRanges
  /** Keys that were put in #putRevision, so far: of one command. */
  #put: string[] = []
  #putRevision = 0n

  constructor(journal: Journal, events: EventLog) {
    this.#events = events
    this.pairs = new OrderedTable(journal, ({ value }) => PAIR_BYTES + keptBytes(value))
    this.cuts = new CutRanges(this.pairs, journal)
  }

  put(request: PutRequest): PutOutcome {
    const revision = this.#events.next
    const previous = this.pairs.get(request.key)
    this.#notePut(request.key, revision)
    const pair: KeyValuePair = {
      key: request.key,
      value: request.value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0n) + 1n,
    }
    this.pairs.set(request.key, pair)
    this.#events.add('put', previous, pair, roughBytes(previous) + roughBytes(pair))
    return { revision, previous: request.returnPrevious ? previous : undefined }
  }

  get(request: { readonly key: string }): GetOutcome {
    return { pair: this.pairs.get(request.key), revision: this.#events.revision }
  }

  /** Deleting nothing is no write. Refused when more is asked back than an answer holds. */
  delete(request: DeleteRequest): DeleteOutcome | Refusal {
    const { target, returnPrevious } = request
    if (target.$case === 'prefix') return this.#deletePrefix(target.value, returnPrevious)
    const pair = this.pairs.get(target.value)
    if (pair !== undefined) {
      this.pairs.delete(target.value)
      this.#events.add('delete', pair, undefined, roughBytes(pair))
    }
    const previous = returnPrevious && pair !== undefined ? [pair] : []
    return { deletedCount: pair === undefined ? 0n : 1n, revision: this.#events.revision, previous }
  }

  /** One page of a prefix or a range, and how many keys the whole of it holds. */
  list(request: ListRequest): ListOutcome | Refusal {
    const { keys } = this.pairs
    const range = rangeOf(request)
    const from = keys.position(range.isBeforeStart)
    const to = keys.position(range.isBeforeEnd)
    const query = JSON.stringify([request.prefix, request.start, request.end, request.descending])
    const endedAt = request.pageToken === '' ? undefined : readPageToken(query, request.pageToken)
    if (request.pageToken !== '' && (endedAt === undefined || range.isBeforeStart(endedAt) || !range.isBeforeEnd(endedAt))) {
      return wrongPageToken()
    }
    const page = request.countOnly ? { pairs: [], isLast: true } : this.#page(request, { from, to, endedAt })
    return {
      pairs: page.pairs,
      count: BigInt(keys.count(from, to)),
      nextPageToken: page.isLast ? '' : makePageToken(query, page.pairs.at(-1)?.key ?? ''),
      revision: this.#events.revision,
    }
  }

  /** A key that does not exist has version and revisions 0; compared by value it satisfies only notEqual. */
  holds(compare: Compare): boolean {
    const pair = this.pairs.get(compare.key)
    const { target, operator } = compare
    if (target.$case !== 'value') return satisfies(operator, Number((pair?.[target.$case] ?? 0n) - target.value))
    return pair === undefined ? operator === 'notEqual' : satisfies(operator, compareKept(pair.value, target.value))
  }

  /** Few keys are deleted at once; many are cut out, and cleared in the slots that follow. */
  #deletePrefix(prefix: string, returnPrevious: boolean): DeleteOutcome | Refusal {
    const revision = this.#events.next
    const range = rangeOf({ prefix })
    const { keys } = this.pairs
    let from = keys.position(range.isBeforeStart)
    let to = keys.position(range.isBeforeEnd)
    const count = keys.count(from, to)
    const previous = returnPrevious && count <= PAIRS_MAX ? this.#pairsBetween(from, to) : []
    if (returnPrevious && (count > PAIRS_MAX || pairsBytes(previous) > ANSWER_BYTES_MAX)) return tooManyPrevious(count)
    if (count > 0) this.#noteDeleted({ prefix, count }, from, to)
    if (count <= DELETED_AT_ONCE_MAX) for (const key of Array.from(keys.ascending(from, to))) this.pairs.delete(key)
    else {
      // By its revision one that this very command has put could not be told from one that it puts again.
      for (const key of this.#putRevision === revision ? this.#put : []) {
        const isInRange = !range.isBeforeStart(key) && range.isBeforeEnd(key)
        if (isInRange && this.pairs.get(key)?.modRevision === revision) this.pairs.delete(key)
      }
      from = keys.position(range.isBeforeStart)
      to = keys.position(range.isBeforeEnd)
      this.cuts.add({ prefix, revision }, from, to)
    }
    return { deletedCount: BigInt(count), revision: this.#events.revision, previous }
  }

  /** Events of everything between two places, which is about to be deleted. */
  #noteDeleted(deleted: DeletedPrefix, from: Position, to: Position): void {
    if (!this.#events.isKept || deleted.count > DELETED_EACH_MAX) return this.#events.add('deletePrefix', deleted, undefined)
    for (const pair of this.#pairsBetween(from, to)) this.#events.add('delete', pair, undefined, roughBytes(pair))
  }

  #pairsBetween(from: Position, to: Position): KeyValuePair[] {
    return Array.from(this.pairs.keys.ascending(from, to), (key) => this.pairs.get(key)).filter((pair) => pair !== undefined)
  }

  #notePut(key: string, revision: bigint): void {
    if (revision !== this.#putRevision) {
      this.#putRevision = revision
      this.#put = []
    }
    this.#put.push(key)
  }

  #page(
    request: ListRequest,
    range: { from: Position; to: Position; endedAt: string | undefined },
  ): { pairs: KeyValuePair[]; isLast: boolean } {
    const { keys } = this.pairs
    const { endedAt } = range
    let walk: Generator<string>
    if (request.descending) {
      const to = endedAt === undefined ? range.to : keys.position((key) => compareUtf8(key, endedAt) < 0)
      walk = keys.descending(range.from, to)
    } else {
      const from = endedAt === undefined ? range.from : keys.position((key) => compareUtf8(key, endedAt) <= 0)
      walk = keys.ascending(from, range.to)
    }
    const limit = request.limit === 0 ? PAIRS_MAX : Math.min(request.limit, PAIRS_MAX)
    const pairs: KeyValuePair[] = []
    let bytes = 0
    for (const key of walk) {
      const stored = this.pairs.get(key)
      if (stored === undefined) continue
      const pair = request.keysOnly ? { ...stored, value: '' } : stored
      bytes += pairBytes(pair)
      if (pairs.length === limit || (pairs.length > 0 && bytes > ANSWER_BYTES_MAX)) return { pairs, isLast: false }
      pairs.push(pair)
    }
    return { pairs, isLast: true }
  }
}

function tooManyPrevious(count: number): Refusal {
  return Refusal.of('RESPONSE_TOO_LARGE', {
    bytes_max: String(ANSWER_BYTES_MAX),
    keys: String(count),
    keys_max: String(PAIRS_MAX),
  })
}

/** Memory of a pair, about. */
function roughBytes(pair: KeyValuePair | undefined): number {
  return pair === undefined ? 0 : PAIR_BYTES + pair.key.length + pair.value.length
}

function satisfies(operator: Compare['operator'], difference: number): boolean {
  switch (operator) {
    case 'equal':
      return difference === 0
    case 'notEqual':
      return difference !== 0
    case 'less':
      return difference < 0
    case 'greater':
      return difference > 0
  }
}
