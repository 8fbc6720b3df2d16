import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FirstAnswers } from '../../src/app/first-answers.js'
import { Deadlines } from '../../src/tables/deadlines.js'
import { bytes } from './fixture.js'

const DAY_MS = 24 * 60 * 60 * 1000

class Fixture {
  readonly deadlines = new Deadlines(['firstAnswer'])
  readonly answers = new FirstAnswers(this.deadlines)

  keep(id: string, timeMs: number, answer = bytes(id)): void {
    this.answers.keep(id, { digest: id, answer }, timeMs)
  }

  expire(nowMs: number): void {
    for (let due = this.deadlines.takeDue(nowMs); due !== undefined; due = this.deadlines.takeDue(nowMs)) {
      this.answers.forget(due.id)
    }
  }

  /** Digests of the answers to these ids. */
  digests(...ids: string[]): (string | undefined)[] {
    return ids.map((id) => this.answers.get(id)?.digest)
  }
}

test('an answer is kept for a day of log time', () => {
  const fixture = new Fixture()
  fixture.keep('a', 5)
  fixture.keep('b', 6)
  fixture.expire(DAY_MS + 4)
  assert.deepEqual(fixture.digests('a', 'b'), ['a', 'b'])
  fixture.expire(DAY_MS + 5)
  assert.deepEqual(fixture.digests('a', 'b'), [undefined, 'b'])
})

test('at most 100,000 are kept: the oldest go first', () => {
  const fixture = new Fixture()
  for (let i = 0; i < 100_003; i++) fixture.keep(`id${i}`, i)
  assert.deepEqual(fixture.digests('id2', 'id3'), [undefined, 'id3'])
  assert.equal(fixture.deadlines.size, 100_000)
})

test('at most 64 MiB are kept; a new answer never gives way to those of the same time', () => {
  const fixture = new Fixture()
  const large = new Uint8Array(1024 * 1024)
  for (let i = 64; i >= 0; i--) fixture.keep(`id${i + 10}`, 0, large)
  assert.deepEqual(fixture.digests('id10', 'id11', 'id12'), ['id10', undefined, 'id12'])
})

test('changes tell what came and what went, and a restored table forgets in the same order', () => {
  const fixture = new Fixture()
  fixture.keep('z', 1)
  fixture.keep('a', 1)
  fixture.keep('m', 2)
  const rows = Array.from(fixture.answers.takeChanges(), ({ key, row }) => ({ key, row: row ?? assert.fail() }))
  const deadlines = Array.from(fixture.deadlines.takeChanges(), ({ key, row }) => ({ key, atMs: row?.atMs ?? assert.fail() }))
  assert.deepEqual([...fixture.answers.takeChanges()], [])
  const copy = new Fixture()
  for (const { key, row } of rows) copy.answers.load(key, row)
  for (const { key, atMs } of deadlines) copy.deadlines.load(key, atMs)
  for (const each of [fixture, copy]) {
    each.keep('n', 3)
    each.expire(DAY_MS + 1)
    const changes = Array.from(each.answers.takeChanges(), ({ key, row }) => [key, row?.digest])
    assert.deepEqual(changes, [
      ['n', 'n'],
      ['a', undefined],
      ['z', undefined],
    ])
    each.expire(DAY_MS + 2)
    assert.deepEqual(each.digests('m', 'n'), [undefined, 'n'])
  }
})

test('no more are kept than there is memory for', () => {
  const { answers, deadlines } = new Fixture()
  answers.memoryBytesMax = 10_000
  for (let i = 0; i < 100; i++) answers.keep(`id${i}`, { digest: `id${i}`, answer: bytes('x') }, i)
  const memoryBytes = answers.bytes + deadlines.bytes
  assert.ok(memoryBytes > 9_000 && memoryBytes <= 10_100, `${memoryBytes}`)
  assert.deepEqual([answers.get('id50'), answers.get('id99')?.digest], [undefined, 'id99'])
})
