import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INT64_MAX } from '../../src/app/bank/movement.js'
import { accountCodec, pairCodec } from '../../src/app/rows/rows.js'
import { bytesOf } from '../../src/encoding/keep.js'
import { AccountRecord, PairRecord } from '../../src/gen/synod/state/v1/state.js'

const INT64_MIN = -(2n ** 63n)
const EDGES = [
  0n,
  1n,
  -1n,
  127n,
  128n,
  1_023n,
  1_024n,
  -1_024n,
  2n ** 31n,
  -(2n ** 32n),
  2n ** 52n,
  2n ** 53n - 1n,
  2n ** 53n,
  -(2n ** 53n) - 1n,
]
const SIGNED = [...EDGES, INT64_MAX, INT64_MIN, INT64_MIN + 1n]

test('rows that are decoded by hand are what the generated decoders make of them', () => {
  for (const balance of SIGNED) {
    for (const held of [0n, 5n, 1_024n, 2n ** 53n, INT64_MAX]) {
      const record = { asset: 'EUR', balance, held, overdraftLimit: held, openedMs: 1_700_000_000_123, movementCount: 2 ** 40 }
      const { openedAtMs, accountId, lastPlace, ...row } = accountCodec.decode(AccountRecord.encode(record).finish(), 'id')
      assert.deepEqual({ ...row, openedMs: openedAtMs }, record)
      assert.deepEqual([accountId, lastPlace], ['id', 0])
    }
  }
  for (const revision of [1n, 300n, 2n ** 53n, INT64_MAX]) {
    const record = { value: Buffer.from('väl'), createRevision: 1n, modRevision: revision, version: revision }
    const { key, ...row } = pairCodec.decode(PairRecord.encode(record).finish(), 'k')
    assert.deepEqual([key, { ...row, value: Buffer.from(bytesOf(row.value)) }], ['k', record])
  }
})

test('a negative int64, ten bytes long, is read whole', () => {
  const record = { asset: '', balance: 0n, held: -3n, overdraftLimit: INT64_MIN, openedMs: 0, movementCount: 0 }
  const row = accountCodec.decode(AccountRecord.encode(record).finish(), 'a')
  assert.deepEqual([row.held, row.overdraftLimit], [-3n, INT64_MIN])
})

test('texts are what they were, long, short or not ASCII, however often they come', () => {
  for (const asset of ['EUR', 'USD', 'EUR', '', 'é', 'ab', 'a', '\0', '\0\0', '€€', 'a currency with a long name', 'EUR\0']) {
    const record = { asset, balance: 0n, held: 0n, overdraftLimit: 0n, openedMs: 0, movementCount: 0 }
    assert.equal(accountCodec.decode(AccountRecord.encode(record).finish(), 'a').asset, asset)
  }
})

test('a value is a copy: the page that it came in may go, whatever its bytes and however many', () => {
  for (const length of [0, 1, 1_024, 1_025, 5_000]) {
    const written = Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 256))
    const page = Buffer.from(PairRecord.encode({ value: written, createRevision: 1n, modRevision: 1n, version: 1n }).finish())
    const { value } = pairCodec.decode(page, 'k')
    page.fill(0)
    assert.equal(value.length, length)
    assert.deepEqual(Buffer.from(bytesOf(value)), written)
    if (typeof value !== 'string') assert.equal(value.buffer.byteLength, length, 'nothing else is kept with it')
  }
})

test('fields of a newer version are passed over, and what is cut off is noticed', () => {
  const bytes = AccountRecord.encode({
    asset: 'EUR',
    balance: 7n,
    held: 0n,
    overdraftLimit: 0n,
    openedMs: 9,
    movementCount: 1,
  }).finish()
  // Field 15 as a varint, field 16 as bytes.
  const newer = Uint8Array.of(15 << 3, 200, 1, 0x82, 0x01, 2, 1, 1, ...bytes)
  assert.deepEqual(accountCodec.decode(newer, 'a'), accountCodec.decode(bytes, 'a'))
  for (const length of [1, 3]) assert.throws(() => accountCodec.decode(bytes.subarray(0, length), 'a'), /in the middle/)
  assert.throws(() => accountCodec.decode(Uint8Array.of(0x0d, 0, 0, 0, 0), 'a'), /unknown wire type/)
})
