import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChangeList } from '../../src/tables/change-list.js'
import { Journal } from '../../src/tables/journal.js'
import { KEY_BYTES, textBytes } from '../../src/tables/row-bytes.js'
import { OrderedTable, Table } from '../../src/tables/table.js'
import { Random } from '../app/random.js'

interface Row {
  readonly n: number
}

function newTable(): { table: Table<Row>; journal: Journal } {
  const journal = new Journal()
  return { table: new Table<Row>(journal, ({ n }) => n), journal }
}

/** What the changes are, with a row's number or '-' for one that is gone. */
function told(changes: Iterable<{ key: string; row: Row | undefined }>): string[] {
  return Array.from(changes, ({ key, row }) => `${key}${row?.n ?? '-'}`)
}

test('each changed row is told once, as it was when the changes were taken, whatever becomes of it before it is walked', () => {
  const { table } = newTable()
  for (const key of ['a', 'b', 'c', 'd']) table.set(key, { n: 1 })
  const walk = table.takeChanges()[Symbol.iterator]()
  assert.deepEqual(walk.next().value, { key: 'a', row: { n: 1 } })
  table.set('a', { n: 2 })
  table.set('b', { n: 2 })
  table.set('b', { n: 3 })
  table.delete('c')
  table.set('e', { n: 2 })
  assert.deepEqual(told({ [Symbol.iterator]: () => walk }), ['b1', 'c1', 'd1'])
  assert.deepEqual(told(table.takeChanges()).toSorted(), ['a2', 'b3', 'c-', 'e2'])
  assert.deepEqual(told(table.takeChanges()), [])
})

test('a row that is gone, comes back and goes again while changes are walked is told as one row', () => {
  const { table } = newTable()
  table.set('a', { n: 1 })
  assert.deepEqual(told(table.takeChanges()), ['a1'])
  table.delete('a')
  const walk = table.takeChanges()[Symbol.iterator]()
  assert.deepEqual(walk.next().value, { key: 'a', row: undefined })
  table.set('a', { n: 2 })
  table.delete('a')
  assert.equal(walk.next().done, true)
  table.set('a', { n: 3 })
  assert.deepEqual([told(table.takeChanges()), table.size], [['a3'], 1])
})

test('a row that is gone takes no room once that has been told', () => {
  const { table } = newTable()
  table.set('a', { n: 1 })
  table.delete('a')
  assert.deepEqual([told(table.takeChanges()), table.size, [...table.values()]], [['a-'], 0, []])
  table.delete('a')
  assert.deepEqual(told(table.takeChanges()), [], 'nobody knows of it any more')
})

test('what is rolled back is told as it was before', () => {
  const { table, journal } = newTable()
  table.set('a', { n: 1 })
  table.set('b', { n: 1 })
  assert.equal(told(table.takeChanges()).length, 2)
  journal.begin()
  table.set('a', { n: 2 })
  table.delete('b')
  table.set('c', { n: 2 })
  journal.rollback()
  assert.deepEqual([told(table.takeChanges()), table.size], [['a1', 'b1', 'c-'], 2])
})

test('a loaded row that changes is told like any other', () => {
  const { table, journal } = newTable()
  for (const key of ['a', 'b', 'c', 'd']) table.load(key, { n: 1 })
  table.set('a', { n: 2 })
  table.delete('b')
  journal.begin()
  table.set('c', { n: 2 })
  journal.rollback()
  assert.deepEqual([table.size, ['a', 'b', 'c', 'd'].map((key) => table.get(key)?.n)], [3, [2, undefined, 1, 1]])
  assert.deepEqual(
    Array.from(table.values(), ({ n }) => n),
    [2, 1, 1],
  )
  assert.deepEqual(told(table.takeChanges()), ['a2', 'b-', 'c1'])
  assert.deepEqual([table.size, [...table.values()].length], [3, 3])
})

test('a second walk does not begin before the first has ended', () => {
  const { table } = newTable()
  table.set('a', { n: 1 })
  table.takeChanges()
  assert.throws(() => table.takeChanges(), /one walk/)
})

test('a state is looked at once for each walk, and kept aside only for records that are still to be walked', () => {
  const looks: number[] = []
  const list = new ChangeList((record: { changedIn: number; kept: number | undefined; n: number }) => {
    looks.push(record.n)
    return record.n
  })
  const records = [10, 20].map((n) => ({ changedIn: 0, kept: undefined, n }))
  const change = (i: number): void => {
    const record = records[i] ?? assert.fail()
    list.onChange(record)
    record.n++
  }
  change(0)
  change(1)
  const walk = list.take()
  assert.equal(walk.next().value?.state, 11)
  // The first has been walked: nothing is kept of it. The second has not.
  change(0)
  change(1)
  change(1)
  assert.deepEqual(
    Array.from(walk, ({ state }) => state),
    [21],
  )
  assert.deepEqual(looks, [11, 21])
})

test('an ordered table that is loaded in order is in order, and stays so', () => {
  const random = new Random(11)
  const table = new OrderedTable<Row>(new Journal(), () => 0)
  const keys = Array.from({ length: 3_000 }, (_, i) => `k${String(i).padStart(5, '0')}`)
  for (const key of keys) table.load(key, { n: 1 })
  assert.deepEqual(told(table.takeChanges()), [])
  const expected = new Set(keys)
  for (let i = 0; i < 5_000; i++) {
    const key = `k${String(random.below(6_000)).padStart(5, '0')}`
    if (random.chance(0.5)) {
      table.set(key, { n: i })
      expected.add(key)
    } else {
      table.delete(key)
      expected.delete(key)
    }
  }
  const order = table.keys
  const all = [
    ...order.ascending(
      order.position(() => false),
      order.position(() => true),
    ),
  ]
  assert.deepEqual(all, [...expected].toSorted())
})

test('bytes are counted by the rows that there are, however they came and went', () => {
  const random = new Random(5)
  const { table, journal } = newTable()
  const rows = new Map<string, number>()
  const counted = (): number => Array.from(rows, ([key, n]) => KEY_BYTES + textBytes(key) + n).reduce((a, b) => a + b, 0)
  for (let i = 0; i < 2_000; i++) {
    const isGroup = random.below(4) === 0
    const isTakenBack = isGroup && random.below(2) === 0
    const before = new Map(rows)
    if (isGroup) journal.begin()
    for (let j = 0; j < 3; j++) {
      const key = `${random.below(2) === 0 ? 'key' : 'κλειδί'}${random.below(20)}`
      const n = random.below(100)
      if (random.below(3) === 0) {
        table.delete(key)
        rows.delete(key)
      } else {
        table.set(key, { n })
        rows.set(key, n)
      }
    }
    if (isTakenBack) {
      journal.rollback()
      rows.clear()
      for (const [key, n] of before) rows.set(key, n)
    } else if (isGroup) journal.commit()
    if (random.below(10) === 0) told(table.takeChanges())
    assert.equal(journal.meter.bytes, counted())
  }
  const loaded = newTable()
  for (const [key, n] of rows) loaded.table.load(key, { n })
  assert.equal(loaded.journal.meter.bytes, counted())
})

test('a group within a group is taken back with it, or alone', () => {
  const { table, journal } = newTable()
  const rows = (): string[] => ['a', 'b', 'c'].map((key) => `${key}${table.get(key)?.n ?? '-'}`)
  journal.begin()
  table.set('a', { n: 1 })
  journal.begin()
  table.set('b', { n: 1 })
  journal.rollback()
  journal.begin()
  table.set('c', { n: 1 })
  journal.commit()
  assert.deepEqual(rows(), ['a1', 'b-', 'c1'])
  journal.rollback()
  assert.deepEqual([rows(), journal.isOpen, journal.meter.bytes], [['a-', 'b-', 'c-'], false, 0])
})
