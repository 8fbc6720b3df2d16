import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import { PutRequest, TxnRequest } from '../../src/gen/synod/kv/v1/kv.js'
import { MemberError } from '../../src/host/api.js'
import { CallError, invalidArgument, toServiceError } from '../../src/server/call-error.js'
import { decodeStrictly } from '../../src/server/strict-decode.js'
import { told } from './client.js'

/** What a client's transport counts against its bound: the message percent-encoded, the details in base64. */
function trailerBytes(error: ReturnType<typeof toServiceError>): number {
  const [details] = error.metadata.get('grpc-status-details-bin')
  assert(details instanceof Buffer)
  return encodeURI(error.details).length + details.toString('base64').length
}

describe('errors on the wire', () => {
  it('carry reason, domain, node and slot', () => {
    const error = new CallError({ reason: 'INSUFFICIENT_FUNDS', message: 'too low', slot: 17 })
    assert.deepEqual(told(toServiceError(error, 3)), {
      code: status.FAILED_PRECONDITION,
      message: 'too low',
      reason: 'INSUFFICIENT_FUNDS',
      domain: 'synod',
      metadata: { node_id: '3', slot: '17' },
      fields: [],
    })
  })

  it('name every field at fault', () => {
    const error = invalidArgument([
      { field: 'key', description: 'must not be empty' },
      { field: 'value', description: 'must be at most 1048576 bytes' },
    ])
    const { code, reason, message, fields } = told(toServiceError(error, 1))
    assert.deepEqual({ code, reason, fields }, { code: 3, reason: 'INVALID_ARGUMENT', fields: ['key', 'value'] })
    assert.equal(message, 'key: must not be empty (and 1 more)')
  })

  it('stay below 8 KiB however much is wrong, and say how much was left out', () => {
    const violations = Array.from({ length: 8_190 }, (_, i) => ({
      field: `transfers[${i}].amount`,
      description: 'ü'.repeat(400),
    }))
    const error = toServiceError(invalidArgument(violations), 1)
    assert(trailerBytes(error) < 8_192, `${trailerBytes(error)} bytes`)
    const { fields, metadata } = told(error)
    assert(fields.length > 3)
    assert.equal(Number(metadata['field_violations_omitted']) + fields.length, 8_190)
  })

  it('are cut between characters: a message that ends in half of one could not be encoded', () => {
    for (const padding of ['', 'a', 'aa', 'aaa']) {
      const error = toServiceError(new MemberError('NO_QUORUM', padding + '😀'.repeat(1_000)), 1)
      assert.match(error.details, /^a*(😀)+…$/u)
      assert(trailerBytes(error) < 8_192)
    }
  })

  it('tell nothing of what nobody foresaw', () => {
    const { code, reason, message } = told(toServiceError(new TypeError('secret of the house'), 1))
    assert.deepEqual({ code, reason }, { code: status.INTERNAL, reason: 'INTERNAL' })
    assert.doesNotMatch(message, /secret/)
  })
})

/** Puts a byte that is no UTF-8 in the place of each `~`. */
function spoil(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from(bytes, (byte) => (byte === 0x7e ? 0xff : byte))
}

function fieldsRefused(decode: () => unknown): string[] {
  try {
    decode()
  } catch (error) {
    assert(error instanceof CallError)
    return error.violations.map(({ field }) => field)
  }
  return []
}

describe('decoding what clients send', () => {
  it('takes well-formed text, U+FFFD included', () => {
    const request = { key: 'ключ \uFFFD', value: new Uint8Array([0xff]), returnPrevious: false, requestId: '' }
    assert.equal(decodeStrictly(PutRequest, PutRequest.encode(request).finish()).key, 'ключ \uFFFD')
  })

  it('refuses text that is not UTF-8, by the path of its field', () => {
    const put = { key: 'a~b', value: new Uint8Array(), returnPrevious: false, requestId: '~' }
    const txn = TxnRequest.fromPartial({ else: [{ operation: { $case: 'put', value: put } }] })
    assert.deepEqual(
      fieldsRefused(() => decodeStrictly(PutRequest, spoil(PutRequest.encode(put).finish()))),
      ['key', 'request_id'],
    )
    assert.deepEqual(
      fieldsRefused(() => decodeStrictly(TxnRequest, spoil(TxnRequest.encode(txn).finish()))),
      ['else[0].put.key', 'else[0].put.request_id'],
    )
  })

  it('refuses bytes that are no message', () => {
    assert.throws(() => decodeStrictly(PutRequest, new Uint8Array([0x0a, 0x05, 0x61])), /not a well-formed protobuf message/)
  })
})
