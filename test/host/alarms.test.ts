import assert from 'node:assert/strict'
import { it } from 'node:test'
import pino from 'pino'
import { Alarms } from '../../src/host/alarms.js'

it('keeps one alarm of each code, from when it began, and logs only its beginning and its end', () => {
  let nowMs = 1_000
  const logged: string[] = []
  const logger = pino({ base: null, timestamp: false }, { write: (line: string) => void logged.push(line) })
  const alarms = new Alarms({ runtime: { wallMs: () => nowMs }, logger })

  alarms.raise('QUOTA', 'the state fills 80 % of its quota')
  nowMs = 2_000
  alarms.raise('DATA_DAMAGED', 'a row cannot be read')
  alarms.raise('QUOTA', 'the state fills 81 % of its quota', [{ code: 'RAISE_QUOTA' }])
  assert.deepEqual(alarms.list, [
    { code: 'QUOTA', message: 'the state fills 81 % of its quota', remedies: [{ code: 'RAISE_QUOTA' }], sinceMs: 1_000 },
    { code: 'DATA_DAMAGED', message: 'a row cannot be read', remedies: [], sinceMs: 2_000 },
  ])
  alarms.clear('QUOTA')
  alarms.clear('QUOTA')
  assert.deepEqual(
    alarms.list.map(({ code }) => code),
    ['DATA_DAMAGED'],
  )
  assert.equal(logged.length, 3)
})
