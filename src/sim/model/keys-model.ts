import type { PairView, PlainOutcome } from '../clients/plain-outcomes.js'
import type { Delete, List, Put, TxnCondition } from '../clients/simulated-operations.js'
import { ModelTable, type UndoLog } from './model-table.js'
import type { Revisions } from './revisions.js'

/** The key-value store as kv.proto describes it. */
export class KeysModel {
  readonly #pairs: ModelTable<PairView>
  readonly #revisions: Revisions

  constructor(log: UndoLog, revisions: Revisions) {
    this.#pairs = new ModelTable('key', log)
    this.#revisions = revisions
  }

  put({ key, value }: Put): PlainOutcome {
    const previous = this.#pairs.get(key) ?? null
    const revision = this.#revisions.change()
    this.#pairs.set(key, {
      key,
      value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
    })
    return { kind: 'put', revision, previous }
  }

  /** Deletes pairs. Deleting none makes no revision. */
  delete({ target }: Delete): PlainOutcome {
    const pairs = this.#pairs.sorted().filter(({ key }) => ('key' in target ? key === target.key : key.startsWith(target.prefix)))
    if (pairs.length > 0) this.#revisions.change()
    for (const { key } of pairs) this.#pairs.delete(key)
    return { kind: 'delete', deleted: pairs.length, revision: this.#revisions.current, pairs }
  }

  valueOf(key: string): string | undefined {
    return this.#pairs.get(key)?.value
  }

  get(key: string): PlainOutcome {
    return { kind: 'get', pair: this.#pairs.get(key) ?? null, revision: this.#revisions.current }
  }

  list(query: List): PlainOutcome {
    const inRange = this.#pairs.sorted().filter(({ key }) => isInRange(key, query))
    if (query.isDescending) inRange.reverse()
    const listed = query.countOnly ? [] : inRange.slice(0, query.limit === 0 ? inRange.length : query.limit)
    return {
      kind: 'list',
      pairs: query.keysOnly ? listed.map((pair) => ({ ...pair, value: '' })) : listed,
      count: inRange.length,
      hasMore: !query.countOnly && listed.length < inRange.length,
      revision: this.#revisions.current,
    }
  }

  /** Evaluates a condition. A missing key has version 0; compared by value it satisfies only notEqual. */
  holds({ key, operator, target }: TxnCondition): boolean {
    const pair = this.#pairs.get(key)
    if ('version' in target) return satisfies(operator, (pair?.version ?? 0) - target.version)
    return pair === undefined ? operator === 'notEqual' : satisfies(operator, compareUtf8(pair.value, target.value))
  }
}

function isInRange(key: string, { prefix, start, end }: List): boolean {
  return key.startsWith(prefix) && compareUtf8(key, start) >= 0 && (end === '' || compareUtf8(key, end) < 0)
}

function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function satisfies(operator: TxnCondition['operator'], difference: number): boolean {
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
