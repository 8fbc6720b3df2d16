import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SafeObserver } from '../../src/observer/observer.js'

test('an observer that fails, at once or later, fails for itself', async () => {
  let asked = 0
  const failing = () => {
    asked++
    throw new Error('of the observer')
  }
  const later = (() => {
    asked++
    return Promise.reject(new Error('of the observer, later'))
  }) as unknown as () => void
  const rejections: unknown[] = []
  const onRejection = (error: unknown): void => void rejections.push(error)
  process.on('unhandledRejection', onRejection)
  for (const method of [failing, later]) {
    const observer = new SafeObserver({ count: method, gauge: method, duration: method, event: method })
    observer.event('halted', { error: new Error('of the node') })
  }
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', onRejection)
  assert.deepEqual([asked, rejections], [2, []])
})
