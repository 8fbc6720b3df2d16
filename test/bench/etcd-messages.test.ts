import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { decodeTxn, encodeReads, encodeTxn } from '../../scripts/bench/clients/etcd-messages.js'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

describe("etcd's messages", () => {
  it('reads of a transaction are ranges of one key each', () => {
    // success { request_range { key: "a" } }, twice
    assert.equal(hex(encodeReads(['a', 'b'])), '12050a030a016112050a030a0162')
  })

  it('a transaction compares mod revisions, then puts, or else reads', () => {
    const txn = {
      unchanged: [{ key: 'a', modRevision: 5 }],
      put: [{ key: 'a', value: Uint8Array.of(7) }],
      otherwiseRead: ['a'],
    }
    // compare { target: MOD, key: "a", mod_revision: 5 }, success { request_put }, failure { request_range }
    assert.equal(hex(encodeTxn(txn)), '0a0710021a01613005120812060a01611201071a050a030a0161')
  })

  it('an answer has whether it succeeded, and what was read', () => {
    const pair = new BinaryWriter()
      .uint32(10)
      .string('a')
      .uint32(16)
      .int64(2)
      .uint32(24)
      .int64(9)
      .uint32(42)
      .bytes(Uint8Array.of(7))
    const range = new BinaryWriter().uint32(10).bytes(Uint8Array.of()).uint32(18).bytes(pair.finish()).uint32(32).int64(1)
    const operation = new BinaryWriter().uint32(10).bytes(range.finish())
    const put = new BinaryWriter().uint32(18).bytes(Uint8Array.of())
    const response = new BinaryWriter()
      .uint32(10)
      .bytes(Uint8Array.of())
      .uint32(16)
      .bool(true)
      .uint32(26)
      .bytes(operation.finish())
      .uint32(26)
      .bytes(put.finish())
    const { succeeded, versions } = decodeTxn(response.finish())
    assert.equal(succeeded, true)
    assert.deepEqual(versions, [{ key: 'a', modRevision: 9, value: Uint8Array.of(7) }])
  })

  it('a refused transaction says so by leaving it out', () => {
    assert.deepEqual(decodeTxn(new Uint8Array()), { succeeded: false, versions: [] })
  })
})
