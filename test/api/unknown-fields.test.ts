import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findUnknownField } from '../../src/api/unknown-fields.js'
import { objectionToBytes, objectionToUnknown } from '../../src/api/validate.js'
import { Violations } from '../../src/api/violations.js'
import { BinaryWriter } from '../../src/encoding/protobuf.js'
import { Command, ConnectRequest } from '../../src/gen/synod/session/v1/session.js'
import { Random } from '../app/random.js'
import { INITIAL_COMMAND, randomCommand } from '../app/random-commands.js'

const COMMAND = 'synod.session.v1.Command'
const NUMBER = 15_000

/** A field that no version has, before or after the fields of a message. */
const UNKNOWN = new BinaryWriter()
  .uint32(NUMBER * 8 + 2)
  .string('new')
  .finish()

/** A length-delimited field. */
function field(number: number, ...parts: Uint8Array[]): Uint8Array {
  return new BinaryWriter()
    .uint32(number * 8 + 2)
    .bytes(Buffer.concat(parts))
    .finish()
}

function encoded(operation: object): Uint8Array {
  return Command.encode(Command.fromPartial({ operation } as Command)).finish()
}

test('every command of ours is made of fields that are known', () => {
  const random = new Random(3)
  for (let i = 0; i < 500; i++) {
    const bytes = Command.encode(i === 0 ? INITIAL_COMMAND : randomCommand(random)).finish()
    assert.equal(findUnknownField(COMMAND, bytes), undefined)
  }
})

test('a field that is not known is found at every depth, and told with its path', () => {
  const put = encoded({ $case: 'put', value: { key: 'k', value: Buffer.from('v') } })
  const inner = put.subarray(2)
  assert.equal(findUnknownField(COMMAND, Buffer.concat([put, UNKNOWN])), '15000')
  assert.equal(findUnknownField(COMMAND, field(1, inner, UNKNOWN)), 'put.15000')
  assert.equal(findUnknownField(COMMAND, field(1, UNKNOWN, inner)), 'put.15000')
  // Txn: `then` is its second field, a step's put the first of its own.
  const step = field(2, field(1, inner))
  const newStep = field(2, field(1, inner, UNKNOWN))
  assert.equal(findUnknownField(COMMAND, field(3, step, newStep)), 'txn.then[1].put.15000')
  // A batch's transfers, and a transfer's timeout.
  assert.equal(
    findUnknownField(COMMAND, field(10, field(1), field(1, field(6, UNKNOWN)))),
    'transfer_batch.transfers[1].timeout.15000',
  )
  // An operation that this version does not know is one, too.
  assert.equal(findUnknownField(COMMAND, field(NUMBER, inner)), '15000')
})

test('a field in another wire type than its own is not known: a decoder passes over it', () => {
  // A value as a varint; pending of a transfer as eight bytes; the key as four.
  assert.equal(findUnknownField(COMMAND, field(1, Buffer.of(0x10, 7))), 'put.value')
  assert.equal(findUnknownField(COMMAND, field(7, Buffer.of(0x29, 1, 0, 0, 0, 0, 0, 0, 0))), 'transfer.pending')
  assert.equal(findUnknownField(COMMAND, field(1, Buffer.of(0x0d, 1, 0, 0, 0))), 'put.key')
})

test('bytes behind a tag that is none are not passed over: the message is malformed, or its field not known', () => {
  const put = encoded({ $case: 'put', value: { key: 'k', value: Buffer.from('v') } }).subarray(2)
  for (const tag of [0x00, 0x04, 0x0c]) {
    const objection = objectionToUnknown('synod.kv.v1.PutRequest', Buffer.concat([put, Buffer.of(tag, 0x18, 1)]), 1)
    assert.ok(objection !== undefined, `tag ${tag}`)
  }
})

test('a field of a later level is refused below it, and left out where the log is read', () => {
  const door = new Violations({ level: 1 })
  door.enter('then', 2)
  assert.equal(door.has('lease_id', 2), false)
  assert.deepEqual([door.objection?.reason, door.objection?.violations[0]?.field], ['LEVEL_TOO_LOW', 'then[2].lease_id'])
  const later = new Violations({ level: 2 })
  assert.deepEqual([later.has('lease_id', 2), later.objection], [true, undefined])
})

test('a value that looks like fields is none', () => {
  const value = Buffer.concat([UNKNOWN, UNKNOWN])
  assert.equal(findUnknownField(COMMAND, encoded({ $case: 'put', value: { key: 'k', value } })), undefined)
  const frame = ConnectRequest.fromPartial({
    frame: { $case: 'requests', value: { requests: [{ requestNumber: 1, body: { $case: 'command', value } }] } },
  })
  assert.equal(findUnknownField('synod.session.v1.ConnectRequest', ConnectRequest.encode(frame).finish()), undefined)
})

test('a command with one is refused with LEVEL_TOO_LOW before it is proposed: it would be carried out as if it were not there', () => {
  const put = encoded({ $case: 'put', value: { key: 'k', value: Buffer.from('v') } })
  assert.equal(objectionToBytes(put, 1), undefined)
  const objection = objectionToBytes(field(1, put.subarray(2), UNKNOWN), 1)
  assert.equal(objection?.reason, 'LEVEL_TOO_LOW')
  assert.equal(objection?.violations[0]?.field, 'put.15000')
})

test('bytes that are no message end with an error, not without end', () => {
  for (const bytes of [field(1).subarray(0, 1), Buffer.of(0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f), Buffer.of(0x0a, 2, 0x0a)]) {
    assert.throws(() => findUnknownField(COMMAND, bytes))
  }
})
