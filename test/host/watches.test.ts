import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Watches } from '../../src/host/watches/watches.js'

test('watches are looked at once a second, all at the same time, however often the clock ticks', () => {
  const looks: [string, number][] = []
  const watch = (name: string) => ({ tick: (nowMs: number) => void looks.push([name, nowMs]) })
  const watches = new Watches([watch('a'), watch('b')])
  for (let nowMs = 0; nowMs <= 2_500; nowMs += 10) watches.tick(nowMs)
  assert.deepEqual(
    looks,
    [0, 1_000, 2_000].flatMap((nowMs) => [
      ['a', nowMs],
      ['b', nowMs],
    ]),
  )
})
