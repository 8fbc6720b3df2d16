import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Scheduler } from '../../src/sim/cluster/scheduler.js'
import { Random } from '../../src/sim/random.js'

test('a seed gives the same numbers everywhere and always', () => {
  const random = new Random(42)
  assert.deepEqual(
    Array.from({ length: 4 }, () => random.int(0, 999_999)),
    [456_255, 564_175, 574_377, 964_942],
  )
})

test('draws have the documented distributions', () => {
  const random = new Random(7)
  const draws = Array.from({ length: 20_000 }, () => random.exponential(10))
  const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
  assert.ok(Math.abs(mean - 10) < 0.3, `mean ${mean}`)
  const beyond = draws.filter((draw) => draw > 30).length / draws.length
  assert.ok(Math.abs(beyond - Math.exp(-3)) < 0.01, `${beyond} beyond three means`)
  const dice = new Map<number, number>()
  for (let i = 0; i < 6_000; i++) {
    const die = random.int(1, 6)
    dice.set(die, (dice.get(die) ?? 0) + 1)
  }
  assert.deepEqual(
    [...dice.keys()].toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5, 6],
  )
  for (const count of dice.values()) assert.ok(count > 850 && count < 1_150, `${count}`)
  assert.deepEqual(
    random.shuffle([1, 2, 3, 4]).toSorted((a, b) => a - b),
    [1, 2, 3, 4],
  )
})

test('a fork does not shift what its parent draws next', () => {
  const one = new Random(1)
  const other = new Random(1)
  const fork = one.fork()
  other.fork()
  for (let i = 0; i < 10; i++) fork.next()
  assert.equal(one.next(), other.next())
})

test('events happen in the order of their times, and at one time in the order in which they were scheduled', () => {
  const random = new Random(3)
  const scheduler = new Scheduler()
  const happened: { atMs: number; i: number }[] = []
  for (let i = 0; i < 500; i++) {
    const atMs = random.int(0, 40)
    scheduler.after(atMs, () => happened.push({ atMs, i }))
  }
  while (scheduler.step(30));
  assert.equal(scheduler.nowMs, 30)
  assert.ok(happened.every(({ atMs }) => atMs <= 30))
  while (scheduler.step(100));
  assert.equal(happened.length, 500)
  assert.deepEqual(
    happened,
    happened.toSorted((a, b) => a.atMs - b.atMs || a.i - b.i),
  )
})
