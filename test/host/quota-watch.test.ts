import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pino } from 'pino'
import { Alarms } from '../../src/host/alarms.js'
import { capacityOf, oldSpaceMibFor } from '../../src/host/start/capacity.js'
import { QuotaWatch } from '../../src/host/watches/quota-watch.js'

const MIB = 2 ** 20

function watch(capacityBytes = 0) {
  const lines: string[] = []
  const logger = pino({ level: 'warn' }, { write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg) })
  const alarms = new Alarms({ runtime: { wallMs: () => 0 }, logger })
  const sessions = { stateBytes: 0, quotaBytes: 0 }
  const quotaWatch = new QuotaWatch({ sessions, capacityBytes, alarms, logger })
  let nowMs = 0
  const look = (stateBytes: number, quotaBytes: number, laterMs = 1_000): string[] => {
    Object.assign(sessions, { stateBytes, quotaBytes })
    nowMs += laterMs
    quotaWatch.tick(nowMs)
    return alarms.list.map(({ code }) => code)
  }
  return { look, alarms, lines }
}

test('from four fifths of the quota on there is an alarm, until there is room again', () => {
  const { look, alarms, lines } = watch()
  assert.deepEqual(look(79 * MIB, 100 * MIB), [])
  assert.deepEqual(look(80 * MIB, 100 * MIB), ['QUOTA'])
  assert.match(alarms.list[0]?.message ?? '', /80\.0 MiB, 80 % of its quota of 100\.0 MiB.*QUOTA_EXCEEDED.*raise the quota/)
  assert.deepEqual(alarms.list[0]?.remedies, [{ code: 'RAISE_QUOTA' }])
  assert.deepEqual(look(100 * MIB, 100 * MIB), ['QUOTA'])
  assert.match(alarms.list[0]?.message ?? '', /100 %/)
  assert.deepEqual(look(100 * MIB, 200 * MIB), [])
  assert.deepEqual(look(500 * MIB, 0), [], 'without a quota there is none to come near to')
  assert.equal(lines.filter((line) => line.includes('quota')).length, 2, 'the alarm, and a line')
})

test('the log says once a minute that the quota is near', () => {
  const { look, lines } = watch()
  for (let second = 0; second < 150; second++) look(second < 100 ? 90 : 101, 100)
  assert.deepEqual(
    lines.filter((line) => line.startsWith('the state is')),
    ['the state is near its quota', 'the state is near its quota', 'the state is past its quota'],
  )
})

test('a node with less memory than the quota says so, and what to do', () => {
  const { look, alarms } = watch(24 * MIB)
  assert.deepEqual(look(0, 24 * MIB), [])
  assert.deepEqual(look(0, 100 * MIB), ['HEAP_TOO_SMALL'])
  assert.match(alarms.list[0]?.message ?? '', /--max-old-space-size=232, or lower the quota to 25165824 bytes/)
  assert.deepEqual(alarms.list[0]?.remedies, [{ code: 'LOWER_QUOTA', quotaBytes: 24 * MIB }])
  assert.deepEqual(look(0, 20 * MIB), [])
})

test('the heap that is recommended for a state has the capacity for it', () => {
  for (const mib of [4, 24, 100, 1_000, 30_000]) {
    const limitBytes = (oldSpaceMibFor(mib * MIB) + 48) * MIB
    assert.ok(capacityOf(limitBytes) >= mib * MIB && capacityOf(limitBytes) < (mib + 1) * MIB, `${mib} MiB`)
  }
  assert.equal(capacityOf(10 * MIB), 4 * MIB, 'however small')
})
