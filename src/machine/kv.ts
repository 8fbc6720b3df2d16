import type { Journal } from './journal.js'
import { compareKept, type KeptBytes } from './kept-bytes.js'
import { makePageToken, readPageToken, wrongPageToken } from './page-token.js'
import { Refusal } from './refusal.js'
import { keptBytes, PAIR_BYTES } from './row-bytes.js'
import type { Position } from './sorted-keys.js'
import { Cell, OrderedTable } from './table.js'
import { compareUtf8, utf8Length } from './utf8.js'

/** One key as it stands. */
export interface KeyValuePair {
  readonly key: string
  readonly value: KeptBytes
  readonly createRevision: bigint
  readonly modRevision: bigint
  readonly version: bigint
}

export interface PutRequest {
  readonly key: string
  /** Kept as it is: must not be a view of a bigger buffer. */
  readonly value: KeptBytes
  readonly returnPrevious: boolean
}

export interface PutOutcome {
  readonly revision: bigint
  readonly previous: KeyValuePair | undefined
}

export interface GetRequest {
  readonly key: string
}

export interface GetOutcome {
  readonly pair: KeyValuePair | undefined
  readonly revision: bigint
}

export interface DeleteRequest {
  readonly target: { readonly $case: 'key' | 'prefix'; readonly value: string }
  readonly returnPrevious: boolean
}

export interface DeleteOutcome {
  readonly deletedCount: bigint
  readonly revision: bigint
  readonly previous: readonly KeyValuePair[]
}

export interface ListRequest {
  /** Not together with start or end. */
  readonly prefix: string
  readonly start: string
  /** Exclusive; empty: to the end. */
  readonly end: string
  /** 0: as many as a page holds. */
  readonly limit: number
  readonly descending: boolean
  readonly keysOnly: boolean
  readonly countOnly: boolean
  readonly pageToken: string
}

export interface ListOutcome {
  readonly pairs: readonly KeyValuePair[]
  readonly count: bigint
  readonly nextPageToken: string
  readonly revision: bigint
}

/** One condition of a transaction. */
export interface Compare {
  readonly key: string
  readonly operator: 'equal' | 'notEqual' | 'less' | 'greater'
  readonly target:
    | { readonly $case: 'value'; readonly value: Uint8Array }
    | { readonly $case: 'version' | 'createRevision' | 'modRevision'; readonly value: bigint }
}

/** How many pairs one answer holds at most. */
const PAIRS_MAX = 1_000
/** How large the pairs of one answer are together at most, in bytes of keys and values. gRPC's default limit is 4 MiB. */
export const ANSWER_BYTES_MAX = 3 * 1024 * 1024

/** The key-value store. Revisions are as in etcd, but count from 0: the first write makes revision 1. */
export class Keys {
  readonly pairs: OrderedTable<KeyValuePair>
  readonly revision: Cell<bigint>

  constructor(journal: Journal) {
    this.pairs = new OrderedTable(journal, ({ value }) => PAIR_BYTES + keptBytes(value))
    this.revision = new Cell(journal, 0n)
  }

  /** The revision that a command's writes make, all of them together. */
  get nextRevision(): bigint {
    return this.revision.value + 1n
  }

  put(request: PutRequest, revision = this.nextRevision): PutOutcome {
    const previous = this.pairs.get(request.key)
    this.revision.set(revision)
    this.pairs.set(request.key, {
      key: request.key,
      value: request.value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0n) + 1n,
    })
    return { revision, previous: request.returnPrevious ? previous : undefined }
  }

  get(request: GetRequest): GetOutcome {
    return { pair: this.pairs.get(request.key), revision: this.revision.value }
  }

  /** Deleting nothing is no write. Refused when more is asked back than an answer holds. */
  delete(request: DeleteRequest, revision = this.nextRevision): DeleteOutcome | Refusal {
    const pairs = this.#targets(request)
    if (request.returnPrevious && (pairs.length > PAIRS_MAX || pairsBytes(pairs) > ANSWER_BYTES_MAX)) {
      return Refusal.of('RESPONSE_TOO_LARGE', {
        bytes_max: String(ANSWER_BYTES_MAX),
        keys: String(pairs.length),
        keys_max: String(PAIRS_MAX),
      })
    }
    if (pairs.length > 0) this.revision.set(revision)
    for (const { key } of pairs) this.pairs.delete(key)
    return {
      deletedCount: BigInt(pairs.length),
      revision: this.revision.value,
      previous: request.returnPrevious ? pairs : [],
    }
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
      revision: this.revision.value,
    }
  }

  /** A key that does not exist has version and revisions 0; compared by value it satisfies only notEqual. */
  holds(compare: Compare): boolean {
    const pair = this.pairs.get(compare.key)
    const { target, operator } = compare
    if (target.$case !== 'value') return satisfies(operator, Number((pair?.[target.$case] ?? 0n) - target.value))
    return pair === undefined ? operator === 'notEqual' : satisfies(operator, compareKept(pair.value, target.value))
  }

  #targets(request: DeleteRequest): KeyValuePair[] {
    const { target } = request
    if (target.$case === 'key') {
      const pair = this.pairs.get(target.value)
      return pair === undefined ? [] : [pair]
    }
    const range = rangeOf({ prefix: target.value, start: '', end: '' })
    const { keys } = this.pairs
    const pairs = Array.from(keys.ascending(keys.position(range.isBeforeStart), keys.position(range.isBeforeEnd)), (key) =>
      this.pairs.get(key),
    )
    return pairs.filter((pair) => pair !== undefined)
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

function rangeOf({ prefix, start, end }: { prefix: string; start: string; end: string }): {
  isBeforeStart: (key: string) => boolean
  isBeforeEnd: (key: string) => boolean
} {
  // Keys with a prefix stand together: no byte string sorts between two that start with it without starting with it, too.
  if (prefix !== '') {
    const isBeforeStart = (key: string): boolean => compareUtf8(key, prefix) < 0
    return { isBeforeStart, isBeforeEnd: (key) => key.startsWith(prefix) || isBeforeStart(key) }
  }
  return {
    isBeforeStart: (key) => compareUtf8(key, start) < 0,
    isBeforeEnd: (key) => end === '' || compareUtf8(key, end) < 0,
  }
}

/** How much room a pair takes in an answer, in bytes; a little more than it really does. */
export function pairBytes(pair: KeyValuePair): number {
  return utf8Length(pair.key) + pair.value.length + 48
}

export function pairsBytes(pairs: readonly KeyValuePair[]): number {
  let bytes = 0
  for (const pair of pairs) bytes += pairBytes(pair)
  return bytes
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
