import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type DescMessage, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import { CliError } from '../../src/cli/failure.js'
import { findMethod } from '../../src/cli/methods.js'
import { parseMessage } from '../../src/cli/proto-json.js'
import { TransferRequest } from '../../src/gen/synod/bank/v1/bank.js'

const TXN = findMethod('kv/Txn').input
const TRANSFER = findMethod('bank/Transfer').input
const LIST = findMethod('kv/List').input
const DELETE = findMethod('kv/Delete').input

function parse(desc: DescMessage, text: string): Message {
  return parseMessage(desc, text, 'the request')
}

describe('JSON of a request', () => {
  const REFUSED: [string, DescMessage, string, RegExp][] = [
    [
      'a name that there is not',
      TXN,
      '{"comapre": []}',
      /^the request: comapre is not a field of synod\.kv\.v1\.TxnRequest \(did you mean "compare"\?\)/,
    ],
    [
      'an unknown name deep inside',
      TXN,
      '{"then": [{"transfer": {"timeot": "3s"}}]}',
      /then\[0\]\.transfer\.timeot is not a field.*"timeout"/,
    ],
    ['a name of every object', DELETE, '{"__proto__": {"key": "a"}}', /__proto__ is not a field/],
    [
      'two operations in one entry',
      TXN,
      '{"then": [{"put": {"key": "a"}, "get": {"key": "a"}}]}',
      /then\[0\]\.get cannot be given together with put/,
    ],
    [
      'two members of a oneof',
      DELETE,
      '{"key": "a", "prefix": ""}',
      /prefix cannot be given together with key: only one of key, prefix/,
    ],
    [
      'one field by both of its names',
      TRANSFER,
      '{"transfer_id": "a", "transferId": "b"}',
      /transferId is given twice, as transfer_id too/,
    ],
    ['a name twice', TRANSFER, '{"amount": 1, "\\u0061mount": 2}', /amount is given twice/],
    ['a name twice deep inside', TXN, '{"then": [{"put": {"key": "a", "key": "b"}}]}', /then\[0\]\.put\.key is given twice/],
    [
      'an enum value that there is not',
      LIST,
      '{"order": "ORDER_DESCENDNG"}',
      /order must be one of .*did you mean "ORDER_DESCENDING"/,
    ],
    ['an enum number that there is not', LIST, '{"consistency": 9}', /consistency must be one of .*, not 9/],
    ['an enum in lower case', LIST, '{"order": "descending"}', /order must be one of/],
    ['a number for text', TRANSFER, '{"transfer_id": 5}', /transfer_id must be a string/],
    ['half a surrogate pair', TRANSFER, '{"transfer_id": "a\\ud800"}', /transfer_id must be well-formed Unicode/],
    [
      'a number that JSON rounds',
      TRANSFER,
      '{"amount": 9007199254740993}',
      /amount is 9007199254740993, which JSON readers round/,
    ],
    [
      'a number that is rounded in a list',
      TXN,
      '{"then": [{}, {"withdraw": {"amount": -9007199254740993}}]}',
      /then\[1\]\.withdraw\.amount is -9007199254740993/,
    ],
    ['a fraction that JSON rounds', TRANSFER, '{"amount": 0.99999999999999999999}', /amount is 0\.9+, which JSON readers round/],
    ['an exponent that JSON rounds', TRANSFER, '{"amount": 1e-400}', /amount is 1e-400, which JSON readers round/],
    ['an amount in octal digits', TRANSFER, '{"amount": "010"}', /amount must be a whole number/],
    ['an amount of 2^63', TRANSFER, '{"amount": "9223372036854775808"}', /amount must be a whole number below 2\^63/],
    ['an amount with a point', TRANSFER, '{"amount": 1.5}', /amount must be a whole number/],
    ['an amount in hexadecimal digits', TRANSFER, '{"amount": "0x10"}', /amount must be a whole number/],
    ['an amount with a blank', TRANSFER, '{"amount": " 5"}', /amount must be a whole number/],
    ['an amount in other digits', TRANSFER, '{"amount": "٥"}', /amount must be a whole number/],
    ['an empty amount', TRANSFER, '{"amount": ""}', /amount must be a whole number/],
    ['a limit below 0', LIST, '{"limit": -1}', /limit must be a whole number from 0 to 4294967295/],
    ['a limit of 2^32', LIST, '{"limit": 4294967296}', /limit must be a whole number from 0 to 4294967295/],
    ['a limit in hexadecimal digits', LIST, '{"limit": "0x10"}', /limit must be a whole number/],
    ['a word for a flag', TRANSFER, '{"pending": "true"}', /pending must be true or false/],
    ['a number for a duration', TRANSFER, '{"timeout": 3}', /timeout must be a duration in seconds, such as "3s"/],
    ['a duration with another unit', TRANSFER, '{"timeout": "3sec"}', /timeout must be a duration/],
    ['a duration beyond all bounds', TRANSFER, '{"timeout": "999999999999s"}', /timeout must be a duration/],
    ['a duration in parts', TRANSFER, '{"timeout": {"seconds": 3}}', /timeout must be a duration/],
    [
      'text for bytes',
      TXN,
      '{"then": [{"put": {"key": "a", "value": "me"}}]}',
      /then\[0\]\.put\.value must be a string in base64/,
    ],
    ['bytes with a blank', TXN, '{"then": [{"put": {"key": "a", "value": "aGVs bG8="}}]}', /value must be a string in base64/],
    ['bytes that are too short', TXN, '{"then": [{"put": {"key": "a", "value": "aGVsb"}}]}', /value must be a string in base64/],
    ['an object for a list', TXN, '{"compare": {}}', /compare must be a list/],
    ['a list for an object', TXN, '{"then": [[]]}', /then\[0\] must be an object/],
    ['nothing in a list', TXN, '{"then": [null]}', /then\[0\] must be an object/],
    ['a list', TXN, '[]', /is not a JSON object/],
    ['text behind it', TXN, '{} x', /is not valid JSON/],
    ['a comma too many', TXN, '{"then": [],}', /is not valid JSON/],
    ['NaN', TRANSFER, '{"amount": NaN}', /is not valid JSON/],
    ['a byte order mark', TXN, '\uFEFF{}', /begins with a byte order mark/],
    ['objects without an end', TXN, `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`, /nested more than 100 deep/],
  ]
  for (const [what, desc, text, message] of REFUSED) {
    it(`refuses ${what}, by its path`, () => {
      assert.throws(
        () => parse(desc, text),
        (error) => {
          assert.ok(error instanceof CliError, String(error))
          assert.match(error.message, message)
          assert.equal(error.exitCode, 2)
          return true
        },
      )
    })
  }

  it('takes every form that protobuf has for JSON', () => {
    const text = `{"transfer_id": "t", "sourceAccountId": "\\u00e4", "destination_account_id": "😀", "amount": "12", "pending": true,
      "timeout": "1.5s"}`
    const request = TransferRequest.decode(toBinary(TRANSFER, parse(TRANSFER, text)))
    assert.deepEqual(
      [
        request.transferId,
        request.sourceAccountId,
        request.destinationAccountId,
        request.amount,
        request.pending,
        request.timeout,
      ],
      ['t', 'ä', '😀', 12n, true, { seconds: 1n, nanos: 500_000_000 }],
    )
    const numbers = ['5', '"5"', '5.0', '5e0', '"9223372036854775807"', '"-9223372036854775808"', 'null']
    const read = numbers.map((amount) => toJson(TRANSFER, parse(TRANSFER, `{"amount": ${amount}}`)))
    assert.deepEqual(
      read.map((json) => (json as { amount?: string }).amount),
      ['5', '5', '5', '5', '9223372036854775807', '-9223372036854775808', undefined],
    )
    const values = ['"+/8="', '"-_8"', '"+/8"', '""']
    const bytes = values.map((value) => toJson(TXN, parse(TXN, `{"then": [{"put": {"value": ${value}}}]}`)))
    assert.deepEqual(
      bytes.slice(0, 3).map((json) => JSON.stringify(json)),
      Array(3).fill('{"then":[{"put":{"value":"+/8="}}]}'),
    )
    for (const order of ['"ORDER_DESCENDING"', '"DESCENDING"', '2']) {
      assert.deepEqual(toJson(LIST, parse(LIST, `{"order": ${order}}`)), { order: 'ORDER_DESCENDING' })
    }
  })
})
