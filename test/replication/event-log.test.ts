import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EventLog } from '../../src/replication/event-log.js'
import { Journal } from '../../src/tables/journal.js'

const ROW = { name: 'row' }

function told(log: EventLog): string[] {
  return log.take().map(({ revision, sub, kind }) => `${revision}.${sub} ${kind}`)
}

test('each command that changes something takes the next revision, and numbers its changes', () => {
  const log = new EventLog()
  log.isKept = true
  assert.equal(log.revision, 1n, 'the empty store is revision 1')
  log.begin()
  log.add('put', undefined, ROW)
  log.add('put', ROW, ROW)
  log.begin() // changes nothing
  assert.equal(log.next, 3n)
  log.begin()
  log.add('delete', ROW, undefined)
  assert.equal(log.revision, 3n)
  assert.deepEqual(told(log), ['2.0 put', '2.1 put', '3.0 delete'])
  log.begin()
  log.add('put', undefined, ROW)
  assert.deepEqual(told(log), ['4.0 put'])
  assert.deepEqual(told(log), [])
})

test('what is rolled back was never an event, and takes no revision', () => {
  const journal = new Journal()
  const log = new EventLog(journal)
  log.isKept = true
  log.begin()
  journal.begin()
  log.add('a', undefined, ROW)
  journal.rollback()
  assert.equal(log.revision, 1n)
  log.add('b', undefined, ROW)
  journal.begin()
  log.add('c', undefined, ROW)
  journal.begin()
  log.add('d', undefined, ROW)
  journal.rollback()
  journal.commit()
  log.add('e', undefined, ROW)
  assert.deepEqual(told(log), ['2.0 b', '2.1 c', '2.2 e'])
})

test('revisions are the same whether events are kept or not, and go on from those of a checkpoint', () => {
  const [heard, unheard] = [new EventLog(), new EventLog()]
  heard.isKept = true
  for (const log of [heard, unheard]) {
    log.load(41n)
    log.begin()
    log.add('a', undefined, ROW)
    log.add('b', undefined, ROW)
    assert.equal(log.revision, 42n)
  }
  assert.deepEqual([told(heard), told(unheard)], [['42.0 a', '42.1 b'], []])
})
