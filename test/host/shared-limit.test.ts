import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SharedLimit } from '../../src/host/requests/shared-limit.js'
import { TurnGauge } from '../../src/host/watches/turn-gauge.js'

function fill(limit: SharedLimit<string>, client: string): number {
  let count = 0
  for (; limit.hasRoom(client); count++) limit.add(client)
  return count
}

test('one client alone gets half, and others always find room', () => {
  const limit = new SharedLimit<string>(100)
  assert.equal(fill(limit, 'greedy'), 50)
  assert.equal(fill(limit, 'second'), 25)
  assert.equal(limit.hasRoom('third'), true)
  assert.equal(limit.hasRoom('greedy'), false)
  limit.remove('greedy', 50)
  assert.equal(limit.count, 25)
  assert.equal(fill(limit, 'second'), 25, 'what is free again is shared anew')
})

test('clients whose work comes and goes end with about equal shares, and leave as much for the next one', () => {
  const limit = new SharedLimit<number>(2_048)
  const counts = Array.from({ length: 31 }, () => 0)
  for (let round = 0; round < 1_000; round++) {
    for (const [client, count] of counts.entries()) {
      if (limit.hasRoom(client)) {
        limit.add(client)
        counts[client] = count + 1
      } else if (count > 0) {
        limit.remove(client)
        counts[client] = count - 1
      }
    }
  }
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 4, counts.join(' '))
  let late = 0
  for (; limit.hasRoom(99); late++) limit.add(99)
  assert.ok(late > 25, `${late}`)
})

test('of two places one client gets one', () => {
  const limit = new SharedLimit<string>(2)
  assert.deepEqual([fill(limit, 'a'), fill(limit, 'b'), fill(limit, 'a')], [1, 1, 0])
})

test('with less to be shared there is less for each, and one at least', () => {
  const limit = new SharedLimit<string>(100)
  for (let i = 0; i < 4; i++) limit.add('a')
  assert.deepEqual([limit.hasRoom('a', 0.1), limit.hasRoom('a', 0.08), limit.hasRoom('b', 0.05)], [true, false, true])
  assert.equal(new SharedLimit<string>(100).hasRoom('a', 0), true)
})

test('a node takes less while turns of its event loop take long, and as much as before when they do no more', () => {
  const gauge = new TurnGauge()
  let nowMs = 0
  const turn = (ms: number) => gauge.look((nowMs += ms))
  turn(10)
  assert.equal(gauge.share, 1)
  turn(500)
  assert.equal(gauge.share, 0.2)
  for (let i = 0; i < 5; i++) turn(300)
  assert.ok(gauge.share > 0.2 && gauge.share < 0.34)
  for (let i = 0; i < 20; i++) turn(10)
  assert.equal(gauge.share, 1)
})
