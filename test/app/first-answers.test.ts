import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FirstAnswers } from '../../src/app/first-answers.js'
import { bytes } from './fixture.js'

const DAY_MS = 24 * 60 * 60 * 1000

function keep(answers: FirstAnswers, id: string, timeMs: number, answer = bytes(id)): void {
  answers.keep(id, { digest: id, timeMs, answer })
}

test('an answer is kept for a day of log time', () => {
  const answers = new FirstAnswers()
  keep(answers, 'a', 5)
  keep(answers, 'b', 6)
  answers.expire(DAY_MS + 4, 10)
  assert.notEqual(answers.get('a'), undefined)
  answers.expire(DAY_MS + 5, 10)
  assert.deepEqual([answers.get('a'), answers.get('b')?.digest], [undefined, 'b'])
})

test('at most 100,000 are kept: the oldest go first', () => {
  const answers = new FirstAnswers()
  for (let i = 0; i < 100_003; i++) keep(answers, `id${i}`, i)
  assert.deepEqual([answers.get('id2'), answers.get('id3')?.digest], [undefined, 'id3'])
})

test('at most 64 MiB are kept', () => {
  const answers = new FirstAnswers()
  const large = new Uint8Array(1024 * 1024)
  for (let i = 0; i < 65; i++) keep(answers, `id${i}`, 0, large)
  assert.deepEqual([answers.get('id0'), answers.get('id1')?.digest], [undefined, 'id1'])
})

test('changes tell what came and what went, and a restored table forgets in the same order', () => {
  const answers = new FirstAnswers()
  for (const [id, timeMs] of [
    ['z', 1],
    ['a', 1],
    ['m', 2],
  ] as const)
    keep(answers, id, timeMs)
  const rows = Array.from(answers.takeChanges(), ({ key, row }) => ({ key, row: row ?? assert.fail() }))
  assert.deepEqual([...answers.takeChanges()], [])
  const copy = new FirstAnswers()
  for (const { key, row } of rows.toSorted((a, b) => (a.key < b.key ? -1 : 1))) copy.load(key, row)
  copy.finishLoading()
  for (const table of [answers, copy]) {
    keep(table, 'n', 3)
    table.expire(DAY_MS + 1, 10)
    const changes = Array.from(table.takeChanges(), ({ key, row }) => [key, row?.sequence])
    assert.deepEqual(changes, [
      ['n', 4],
      ['z', undefined],
      ['a', undefined],
    ])
    table.expire(DAY_MS + 2, 10)
    assert.deepEqual([table.get('m'), table.get('n')?.digest], [undefined, 'n'])
  }
})

test('no more are kept than there is memory for', () => {
  const answers = new FirstAnswers()
  answers.memoryBytesMax = 10_000
  for (let i = 0; i < 100; i++) keep(answers, `id${i}`, i)
  assert.ok(answers.bytes > 9_000 && answers.bytes <= 10_000, `${answers.bytes}`)
  assert.deepEqual([answers.get('id50'), answers.get('id99')?.digest], [undefined, 'id99'])
})
