import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Keys } from '../../src/app/kv/keys.js'
import type { Outcome as DeleteOutcome, Request as DeleteRequest } from '../../src/app/operations/delete.js'
import type { Outcome as ListOutcome, Request as ListRequest } from '../../src/app/operations/list.js'
import type { Outcome as PutOutcome, Request as PutRequest } from '../../src/app/operations/put.js'
import { Refusal } from '../../src/app/refusal.js'
import { EventLog } from '../../src/replication/event-log.js'
import { Journal } from '../../src/tables/journal.js'
import { compareUtf8 } from '../../src/tables/utf8.js'
import { bytes, reasonOf } from './fixture.js'

/** Keys of which each change is a command of its own. */
class SoleKeys extends Keys {
  readonly #events: EventLog

  constructor(journal: Journal, events: EventLog) {
    super(journal, events)
    this.#events = events
  }

  override put(request: PutRequest): PutOutcome {
    this.#events.begin()
    return super.put(request)
  }

  override delete(request: DeleteRequest): DeleteOutcome | Refusal {
    this.#events.begin()
    return super.delete(request)
  }
}

function newKeys(): Keys {
  const journal = new Journal()
  return new SoleKeys(journal, new EventLog(journal))
}

function put(keys: Keys, key: string, value = key, returnPrevious = false) {
  return keys.put({ key, value: bytes(value), returnPrevious })
}

function withKeys(...names: string[]): Keys {
  const keys = newKeys()
  for (const name of names) put(keys, name)
  return keys
}

function list(keys: Keys, request: Partial<ListRequest> = {}): ListOutcome {
  const outcome = keys.list({ ...EVERYTHING, ...request })
  assert.ok(!(outcome instanceof Refusal))
  return outcome
}

function listed(keys: Keys, request: Partial<ListRequest> = {}): string[] {
  return list(keys, request).pairs.map((pair) => pair.key)
}

const EVERYTHING: ListRequest = {
  prefix: '',
  start: '',
  end: '',
  limit: 0,
  descending: false,
  keysOnly: false,
  countOnly: false,
  pageToken: '',
}

test('the empty store is revision 1, the first write makes 2, and a key keeps the revisions of its creation and its last change', () => {
  const keys = newKeys()
  assert.deepEqual(keys.get({ key: 'a' }), { pair: undefined, revision: 1n })
  assert.deepEqual(put(keys, 'a', 'one'), { revision: 2n, previous: undefined })
  put(keys, 'b')
  const { previous } = put(keys, 'a', 'two', true)
  assert.deepEqual(previous, { key: 'a', value: bytes('one'), createRevision: 2n, modRevision: 2n, version: 1n })
  const { pair, revision } = keys.get({ key: 'a' })
  assert.deepEqual(pair, { key: 'a', value: bytes('two'), createRevision: 2n, modRevision: 4n, version: 2n })
  assert.equal(revision, 4n)
})

test('a key that was deleted begins again at version 1', () => {
  const keys = withKeys('a')
  const outcome = keys.delete({ target: { $case: 'key', value: 'a' }, returnPrevious: true })
  assert.ok(!(outcome instanceof Refusal))
  assert.deepEqual([outcome.deletedCount, outcome.revision, outcome.previous[0]?.key], [1n, 3n, 'a'])
  put(keys, 'a')
  const { pair } = keys.get({ key: 'a' })
  assert.deepEqual([pair?.createRevision, pair?.modRevision, pair?.version], [4n, 4n, 1n])
})

test('deleting nothing is no write', () => {
  const keys = withKeys('a')
  for (const target of [{ $case: 'key', value: 'b' } as const, { $case: 'prefix', value: 'ab' } as const]) {
    const outcome = keys.delete({ target, returnPrevious: false })
    assert.deepEqual(outcome, { deletedCount: 0n, revision: 2n, previous: [] })
  }
})

test('deleting a prefix is one revision and takes exactly the keys that start with it', () => {
  const keys = withKeys('a', 'ab', 'abc', 'ac', 'b')
  const outcome = keys.delete({ target: { $case: 'prefix', value: 'ab' }, returnPrevious: true })
  assert.ok(!(outcome instanceof Refusal))
  assert.deepEqual([outcome.deletedCount, outcome.revision], [2n, 7n])
  assert.deepEqual(listed(keys), ['a', 'ac', 'b'])
  keys.delete({ target: { $case: 'prefix', value: '' }, returnPrevious: false })
  assert.deepEqual(listed(keys), [])
})

test('a delete that would answer more than 1,000 pairs or 3 MiB is refused and deletes nothing', () => {
  const many = withKeys(...Array.from({ length: 1_001 }, (_, i) => `k${i}`))
  assert.equal(reasonOf(many.delete({ target: { $case: 'prefix', value: 'k' }, returnPrevious: true })), 'RESPONSE_TOO_LARGE')
  assert.equal(many.pairs.size, 1_001)
  assert.equal(reasonOf(many.delete({ target: { $case: 'prefix', value: 'k' }, returnPrevious: false })), 'OK')
  const large = newKeys()
  for (const key of ['a', 'b', 'c']) large.put({ key, value: new Uint8Array(1024 * 1024), returnPrevious: false })
  assert.equal(reasonOf(large.delete({ target: { $case: 'prefix', value: '' }, returnPrevious: true })), 'RESPONSE_TOO_LARGE')
})

test('keys are listed in the order of their UTF-8 bytes: U+FF5E before an astral character', () => {
  const names = ['z', 'é', '～', '\uffff', '😀', '𐀀', 'a']
  const keys = withKeys(...names)
  const inOrder = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
  assert.deepEqual(listed(keys), inOrder)
  assert.deepEqual(listed(keys, { descending: true }), inOrder.toReversed())
  assert.deepEqual(listed(keys, { start: '～', end: '😀' }), ['～', '\uffff', '𐀀'])
})

test('ranges take their start in and leave their end out; an empty end means to the end', () => {
  const keys = withKeys('a', 'b', 'c', 'd')
  assert.deepEqual(listed(keys, { start: 'b', end: 'd' }), ['b', 'c'])
  assert.deepEqual(listed(keys, { start: 'bb' }), ['c', 'd'])
  assert.deepEqual(listed(keys, { end: 'c' }), ['a', 'b'])
  assert.deepEqual([listed(keys, { start: 'd', end: 'b' }), list(keys, { start: 'd', end: 'b' }).count], [[], 0n])
})

test('keys only leaves the values out, count only the pairs; both count the whole range', () => {
  const keys = withKeys('a', 'ab', 'ac', 'b')
  const { pairs, count } = list(keys, { prefix: 'a', keysOnly: true, limit: 1 })
  assert.deepEqual([pairs[0]?.key, pairs[0]?.value.length, pairs[0]?.version, count], ['a', 0, 1n, 3n])
  assert.deepEqual(list(keys, { prefix: 'a', countOnly: true }), { pairs: [], count: 3n, nextPageToken: '', revision: 5n })
})

test('pages join to the whole, in both orders, whatever is written and deleted behind them', () => {
  const names = Array.from({ length: 53 }, (_, i) => `k${i}`)
  for (const descending of [false, true]) {
    const keys = withKeys('j', ...names, 'l')
    const seen: string[] = []
    let pageToken = ''
    do {
      const page = list(keys, { prefix: 'k', limit: 7, descending, pageToken })
      seen.push(...page.pairs.map((pair) => pair.key))
      pageToken = page.nextPageToken
      keys.delete({ target: { $case: 'key', value: seen.at(-1) ?? '' }, returnPrevious: false })
    } while (pageToken !== '')
    assert.deepEqual(seen, descending ? names.toSorted(compareUtf8).toReversed() : names.toSorted(compareUtf8))
  }
})

test('the last page has no token, also when it is full', () => {
  const keys = withKeys('a', 'b')
  assert.equal(list(keys, { limit: 2 }).nextPageToken, '')
  assert.notEqual(list(keys, { limit: 1 }).nextPageToken, '')
})

test('a page ends at about 3 MiB, but never before its first pair', () => {
  const keys = newKeys()
  for (const key of ['a', 'b', 'c', 'd']) keys.put({ key, value: new Uint8Array(1024 * 1024), returnPrevious: false })
  const first = list(keys)
  assert.deepEqual([first.pairs.length, first.count], [2, 4n])
  assert.deepEqual(listed(keys, { pageToken: first.nextPageToken }), ['c', 'd'])
})

test('a page token of another query, or a made-up one, is an invalid argument', () => {
  const keys = withKeys('a', 'b', 'c')
  const { nextPageToken } = list(keys, { limit: 1 })
  const wrong = [
    { prefix: 'a', pageToken: nextPageToken },
    { descending: true, pageToken: nextPageToken },
    { end: 'c', pageToken: nextPageToken },
    { pageToken: 'x' },
    { pageToken: '00000000a' },
  ]
  for (const request of wrong) {
    const outcome = keys.list({ ...EVERYTHING, ...request })
    assert.ok(outcome instanceof Refusal)
    assert.deepEqual([outcome.reason, outcome.fields[0]], ['INVALID_ARGUMENT', 'page_token'])
  }
  assert.deepEqual(listed(keys, { limit: 2, keysOnly: true, pageToken: nextPageToken }), ['b', 'c'])
})

test('a condition compares version, revisions and value; a missing key has zeros, and no value', () => {
  const keys = withKeys('a', 'b')
  put(keys, 'b', 'bb')
  const holds = (key: string, operator: 'equal' | 'notEqual' | 'less' | 'greater', target: string | bigint, what = 'version') =>
    keys.holds({
      key,
      operator,
      target:
        typeof target === 'string'
          ? { $case: 'value', value: bytes(target) }
          : { $case: what as 'version' | 'createRevision' | 'modRevision', value: target },
    })
  const operators = ['equal', 'notEqual', 'less', 'greater'] as const
  const all = (key: string, target: string | bigint, what?: string) =>
    operators.map((operator) => holds(key, operator, target, what))
  const [equal, less, greater] = [
    [true, false, false, false],
    [false, true, true, false],
    [false, true, false, true],
  ]
  assert.deepEqual(all('b', 2n), equal)
  assert.deepEqual(all('b', 3n), less)
  assert.deepEqual(all('b', 3n, 'createRevision'), equal)
  assert.deepEqual(all('b', 3n, 'modRevision'), greater)
  assert.deepEqual(all('b', 'bb'), equal)
  assert.deepEqual(all('b', 'bba'), less)
  assert.deepEqual(all('b', 'b'), greater)
  assert.deepEqual(all('b', 'c'), less)
  assert.deepEqual(all('none', 0n), equal)
  assert.deepEqual(all('none', 0n, 'createRevision'), equal)
  assert.deepEqual(all('none', ''), [false, true, false, false])
})
