import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { withWords } from '../../src/api/words.js'
import type { BinaryWriter } from '../../src/encoding/protobuf.js'
import * as bank from '../../src/gen/synod/bank/v1/bank.js'
import * as kv from '../../src/gen/synod/kv/v1/kv.js'
import { Result } from '../../src/gen/synod/session/v1/session.js'
import { CallError } from '../../src/server/call-error.js'
import { HeaderEncoder, OUTCOME_FIELDS, responseIn } from '../../src/server/response-bytes.js'

type OutcomeCase = keyof typeof OUTCOME_FIELDS
type ResponseCase = Exclude<OutcomeCase, 'refusal'>

interface Codec {
  fromPartial(message: object): object
  encode(message: never): BinaryWriter
}

/** The types of the responses; a new operation need not be among them. */
const RESPONSES: Readonly<Partial<Record<ResponseCase, Codec>>> = {
  put: kv.PutResponse,
  get: kv.GetResponse,
  delete: kv.DeleteResponse,
  list: kv.ListResponse,
  txn: kv.TxnResponse,
  openAccount: bank.OpenAccountResponse,
  deposit: bank.DepositResponse,
  withdraw: bank.WithdrawResponse,
  transfer: bank.TransferResponse,
  postTransfer: bank.PostTransferResponse,
  voidTransfer: bank.VoidTransferResponse,
  transferBatch: bank.TransferBatchResponse,
  getBalance: bank.GetBalanceResponse,
  getTransfer: bank.GetTransferResponse,
  listMovements: bank.ListMovementsResponse,
  listAccounts: bank.ListAccountsResponse,
  registerAuthority: bank.RegisterAuthorityResponse,
  revokeAuthority: bank.RevokeAuthorityResponse,
}

const slot = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 }), fc.maxSafeNat())
const int64 = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const text = fc.string({ maxLength: 200 })
const revision = int64
const pair = fc.record({ key: text, value: fc.uint8Array({ maxLength: 2_000 }), modRevision: revision })
const movement = fc.record({ movementId: text, amount: int64, slot })
const account = fc.record({ accountId: text, balance: int64 })
const accounts = { movement: fc.option(movement, { nil: undefined }), source: fc.option(account, { nil: undefined }) }
const carriedOut = fc.record({ movement })
const refusedOne = fc.record({
  code: fc.constant(9),
  reason: fc.constant('INSUFFICIENT_FUNDS'),
  parameters: fc.constant({ amount: '7' }),
})

/** Fields with the names that they have in the responses; those that a response lacks do not come into it. */
const fields = fc.oneof(
  fc.constant({}),
  fc.record({ revision, previous: fc.oneof(pair, fc.array(pair, { maxLength: 3 })), succeeded: fc.boolean() }),
  fc.record({ pair, pairs: fc.array(pair, { maxLength: 20 }), count: int64, nextPageToken: text }),
  fc.record({ ...accounts, account, accounts: fc.array(account, { maxLength: 20 }) }),
  fc.record({ movements: fc.array(movement, { maxLength: 20 }) }),
)

function codecOf(name: ResponseCase): Codec {
  const codec = RESPONSES[name]
  assert.ok(codec !== undefined, name)
  return codec
}

/** The message that the generated code makes of what fits its type. */
function messageOf(name: ResponseCase, given: Readonly<Record<string, unknown>>): object {
  const type = codecOf(name)
  const empty = type.fromPartial({})
  const isList = (key: string): boolean => Array.isArray(empty[key as never])
  const fitting = Object.entries(given).filter(([key, value]) => key in empty && Array.isArray(value) === isList(key))
  return type.fromPartial(Object.fromEntries(fitting))
}

function resultOf($case: OutcomeCase, value: object, slot: number): Uint8Array {
  return Result.encode({ slot, outcome: { $case, value } as Result['outcome'] }).finish()
}

const headers = new HeaderEncoder('3b0f0c5e-3f6a-4c8e-9d55-0d6c1f7a2b10', 65_535)

function take(bytes: Uint8Array): Uint8Array {
  return responseIn(bytes, 'put', { answeredAt: 9, headers })
}

/** As the generated code encodes the response with its header. */
function encoded(name: ResponseCase, value: object, slot: number): Buffer {
  const header = { clusterId: '3b0f0c5e-3f6a-4c8e-9d55-0d6c1f7a2b10', nodeId: 65_535, slot }
  return Buffer.from(
    codecOf(name)
      .encode({ ...value, header } as never)
      .finish(),
  )
}

describe('a response made from the bytes of a result', () => {
  for (const name of Object.keys(RESPONSES) as ResponseCase[]) {
    it(`is what the generated code makes of it: ${name}`, () => {
      fc.assert(
        fc.property(fields, slot, slot, (given, ownSlot, answeredAt) => {
          const value = messageOf(name, given)
          const bytes = responseIn(resultOf(name, value, ownSlot), name, { answeredAt, headers })
          assert.deepEqual(Buffer.from(bytes), encoded(name, value, ownSlot || answeredAt))
        }),
        { numRuns: 50 },
      )
    })
  }

  it('has words for each transfer of a batch that was refused, wherever it stands', () => {
    const batches = fc.array(fc.oneof(carriedOut, refusedOne), { maxLength: 6 })
    fc.assert(
      fc.property(batches, slot, (results, answeredAt) => {
        const value = bank.TransferBatchResponse.fromPartial({ results })
        const bytes = responseIn(resultOf('transferBatch', value, 0), 'transferBatch', { answeredAt, headers })
        const response = bank.TransferBatchResponse.decode(bytes)
        assert.deepEqual(
          response.results.map(({ reason, message }) => [reason, message !== '']),
          results.map((one) => ('reason' in one ? ['INSUFFICIENT_FUNDS', true] : ['', false])),
        )
        const worded = withWords({ slot: 0, outcome: { $case: 'transferBatch', value } })
        assert(worded.outcome?.$case === 'transferBatch')
        assert.deepEqual(Buffer.from(bytes), encoded('transferBatch', worded.outcome.value, answeredAt))
      }),
    )
  })

  it('is an error for a refusal, with words and the slot', () => {
    const refusal = { reason: 'ACCOUNT_NOT_FOUND', message: '', fieldViolations: [], parameters: { account_id: 'eve' } }
    for (const [ownSlot, answeredAt] of [
      [0, 8],
      [7, 8],
    ] as const) {
      assert.throws(
        () => responseIn(resultOf('refusal', refusal, ownSlot), 'getBalance', { answeredAt, headers }),
        (error) => error instanceof CallError && error.slot === (ownSlot || answeredAt) && error.message.includes('"eve"'),
      )
    }
  })

  it('is no other than was asked for, and made from nothing but a result', () => {
    const put = resultOf('put', kv.PutResponse.fromPartial({ revision: 300n }), 9)
    take(put)
    assert.throws(() => responseIn(put, 'get', { answeredAt: 9, headers }), /own kind/)
    for (let length = 0; length < put.length; length++) assert.throws(() => take(put.subarray(0, length)), `${length} bytes`)
    assert.throws(() => take(Buffer.concat([put, put])), /one outcome/)
  })
})
