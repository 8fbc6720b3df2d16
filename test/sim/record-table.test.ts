import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RecordTable } from '../../src/sim/cluster/record-table.js'
import type { Records } from '../../src/sim/cluster/simulated-database.js'

function tableOf(entries: Readonly<Record<string, string>>): RecordTable {
  const table = new RecordTable()
  for (const [key, text] of Object.entries(entries)) table.set(key, Buffer.from(text))
  return table
}

const textsOf = (records: Records, range = { gte: Buffer.from(''), lt: Buffer.from('z') }): string[] =>
  records.range(range).map(([key, record]) => `${key.toString()}=${record.toString()}`)

test('records are in the order of their keys, and a range is cut at its ends', () => {
  const table = tableOf({ c: '3', a: '1', d: '4', b: '2' })
  assert.deepEqual(textsOf(table), ['a=1', 'b=2', 'c=3', 'd=4'])
  const [b, d] = [Buffer.from('b'), Buffer.from('d')]
  assert.deepEqual(textsOf(table, { gte: b, lt: d }), ['b=2', 'c=3'])
  assert.deepEqual(textsOf(table, { gte: d, lt: b }), [])
  table.set('b', undefined)
  assert.deepEqual(textsOf(table), ['a=1', 'c=3', 'd=4'])
})

test('a frozen view does not change until it is released', () => {
  const table = tableOf({ a: '1', b: '2' })
  const first = table.freeze()
  table.set('a', undefined)
  table.set('c', Buffer.from('3'))
  const second = table.freeze()
  table.set('c', Buffer.from('4'))
  table.set('b', Buffer.from('5'))
  table.set('b', Buffer.from('6'))
  assert.deepEqual(textsOf(first), ['a=1', 'b=2'])
  assert.deepEqual(textsOf(second), ['b=2', 'c=3'])
  assert.deepEqual(textsOf(table), ['b=6', 'c=4'])
  assert.deepEqual([first.get('a')?.toString(), first.get('c'), second.get('b')?.toString()], ['1', undefined, '2'])
  first.release()
  table.set('c', undefined)
  assert.equal(second.get('c')?.toString(), '3')
})

test('a flipped bit is visible in every view', () => {
  const table = tableOf({ a: '1' })
  const frozen = table.freeze()
  table.damage('a', Buffer.from('x'))
  assert.equal(frozen.get('a')?.toString(), 'x')
})
