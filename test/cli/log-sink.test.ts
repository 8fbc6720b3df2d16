import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { LogSink } from '../../src/cli/log-sink.js'
import { safeLogger } from '../../src/host/safe-logger.js'

/** A place that takes `room` bytes, and then fails with a code. */
class Place {
  room = Number.POSITIVE_INFINITY
  code = 'ENOSPC'
  text = ''

  readonly write = (bytes: Uint8Array): number => {
    if (this.room === 0) throw Object.assign(new Error(this.code), { code: this.code })
    const taken = bytes.subarray(0, this.room)
    this.room -= taken.length
    this.text += Buffer.from(taken).toString()
    return taken.length
  }
}

test('a log that cannot be written loses lines, never throws, and says how many when it can be written again', () => {
  for (const code of ['ENOSPC', 'EIO', 'EPIPE', 'EAGAIN', 'EBADF']) {
    const place = new Place()
    place.code = code
    const sink = new LogSink(place.write)
    const logger = pino({}, sink)
    logger.info('first')
    place.room = 0
    logger.info('lost')
    logger.error(new Error('lost, too'))
    assert.equal(sink.lostCount, 2)
    place.room = Number.POSITIVE_INFINITY
    logger.info('again')
    const lines = place.text.trimEnd().split('\n').map((line) => JSON.parse(line) as { msg: string }) // biome-ignore format: one line
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ['first', `2 lines of this log were lost: it could not be written (${code})`, 'again'],
    )
    assert.equal(sink.lostCount, 0)
  }
})

test('a line of which a part was written is finished first', () => {
  const place = new Place()
  const sink = new LogSink(place.write)
  place.room = 3
  sink.write('abcdef\n')
  sink.write('lost\n')
  assert.equal(place.text, 'abc')
  place.room = Number.POSITIVE_INFINITY
  sink.write('next\n')
  assert.match(place.text, /^abcdef\n\{.*1 lines of this log were lost.*\}\nnext\n$/)
})

test('a logger whose destination throws does not stop who logs, its children neither', () => {
  const broken = pino(
    {},
    {
      write: () => {
        throw new Error('ENOSPC')
      },
    },
  )
  assert.throws(() => broken.info('no'))
  const logger = safeLogger(broken)
  logger.info('a line')
  logger.child({ nodeId: 1 }).error({ err: new Error('why') }, 'another')
  assert.equal(logger.level, 'info')
})
