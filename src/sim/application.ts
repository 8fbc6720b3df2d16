import { crc32 } from 'node:zlib'
import { Consistency } from '../gen/synod/common/v1/common.js'
import { CompareOperator, type PutRequest } from '../gen/synod/kv/v1/kv.js'
import { Result, Command as WireCommand, Query as WireQuery } from '../gen/synod/session/v1/session.js'
import { brokenBankInvariants } from '../machine/invariants.js'
import { Sessions } from '../machine/sessions.js'
import type { Crypto } from '../machine/signing.js'
import { depositMessage } from '../machine/signing.js'
import { BankAndKeys } from '../wire/bank-and-keys.js'
import { decodeEnvelope } from '../wire/envelope.js'
import { sessionCodec } from '../wire/state.js'
import { nameOfRequest, type Operation, type Query } from './operations.js'

const ASSET = 'EUR'
export const AUTHORITY = 'mint'
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Signatures that cost nothing: a run makes thousands, and ed25519 is tested elsewhere. */
const simulatedCrypto: Crypto = {
  verify: (publicKey, message, signature) => decoder.decode(signature) === sign(publicKey, message),
  digest: (bytes) => crc32(bytes).toString(16),
}
const PUBLIC_KEY = new Uint8Array(32).fill(7)

/** What an authority of a simulated cluster puts under a deposit. */
export function signDeposit(deposit: Parameters<typeof depositMessage>[0]): Uint8Array {
  return encoder.encode(sign(PUBLIC_KEY, depositMessage(deposit)))
}

function sign(publicKey: Uint8Array, message: Uint8Array): string {
  return crc32(message, crc32(publicKey)).toString(16).padEnd(64, '.')
}

/** What stands above the log, the same as in production but for the cryptography. */
export class Application {
  readonly machine = new BankAndKeys(simulatedCrypto)
  readonly sessions: Sessions

  constructor() {
    this.sessions = new Sessions(this.machine, sessionCodec)
  }

  query(query: Query): string {
    return tellResult(this.machine.read(toWireQuery(query)))
  }

  /** What is wrong with the state right now, one sentence each. */
  brokenInvariants(): string[] {
    return brokenBankInvariants(this.machine.typed.bank.ledger)
  }
}

/** The cluster's initial state: who may sign deposits. */
export const INITIAL_COMMANDS: readonly Uint8Array[] = [
  WireCommand.encode({
    operation: {
      $case: 'registerAuthority',
      value: { authorityId: AUTHORITY, publicKey: PUBLIC_KEY, signerId: '', signature: new Uint8Array(0) },
    },
  }).finish(),
]

export function encodeOperation(operation: Operation): Uint8Array {
  return WireCommand.encode({ operation: toWireOperation(operation) }).finish()
}

export function encodeQuery(query: Query): Uint8Array {
  return WireQuery.encode(toWireQuery(query)).finish()
}

/** The name of the command that these bytes of the log hold; undefined when they hold none. See nameOf. */
export function nameInLog(bytes: Uint8Array): string | undefined {
  const envelope = decodeEnvelope(bytes)
  if (envelope?.kind === 'open') return envelope.nonce
  return envelope && nameOfRequest(envelope.command)
}

/** A result in the words of the model. */
export function tellEncodedResult(bytes: Uint8Array): string {
  return tellResult(Result.decode(bytes))
}

function tellResult({ outcome }: Result): string {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- answers to what operations.ts does not ask stand together
  switch (outcome?.$case) {
    case 'refusal':
      return outcome.value.reason
    case 'put':
      return `revision ${outcome.value.revision}`
    case 'txn':
      return outcome.value.succeeded ? `revision ${outcome.value.revision}` : 'no swap'
    case 'get':
      return outcome.value.pair === undefined ? 'none' : decoder.decode(outcome.value.pair.value)
    case 'openAccount':
    case 'deposit':
    case 'withdraw':
    case 'getBalance':
      return `balance ${outcome.value.account?.balance}`
    case 'transfer':
      return `balance ${outcome.value.source?.balance}`
    default:
      return `an answer to something else: ${outcome?.$case}`
  }
}

function toWireOperation(operation: Operation): WireCommand['operation'] {
  switch (operation.kind) {
    case 'put':
      return { $case: 'put', value: put(operation) }
    case 'swap': {
      const { key, expected } = operation
      const target = { $case: 'value' as const, value: encoder.encode(expected) }
      const compare = [{ key, operator: CompareOperator.EQUAL, target }]
      // oxlint-disable-next-line unicorn/no-thenable -- the proto's name; a transaction is never awaited
      const value = { compare, then: [{ operation: { $case: 'put' as const, value: put(operation) } }], else: [], requestId: '' }
      return { $case: 'txn', value }
    }
    case 'open': {
      const { account: accountId, overdraftLimit } = operation
      return { $case: 'openAccount', value: { accountId, asset: ASSET, overdraftLimit: BigInt(overdraftLimit), requestId: '' } }
    }
    case 'deposit': {
      const deposit = { depositId: operation.id, accountId: operation.account, asset: ASSET, amount: BigInt(operation.amount) }
      return { $case: 'deposit', value: { ...deposit, authorityId: AUTHORITY, signature: signDeposit(deposit) } }
    }
    case 'withdraw': {
      const { id: withdrawalId, account: accountId, amount } = operation
      return { $case: 'withdraw', value: { withdrawalId, accountId, amount: BigInt(amount) } }
    }
    case 'transfer':
      return {
        $case: 'transfer',
        value: {
          transferId: operation.id,
          sourceAccountId: operation.source,
          destinationAccountId: operation.destination,
          amount: BigInt(operation.amount),
          pending: false,
          timeout: undefined,
        },
      }
  }
}

function put({ key, value }: { key: string; value: string }): PutRequest {
  return { key, value: encoder.encode(value), returnPrevious: false, requestId: '' }
}

function toWireQuery(query: Query): WireQuery {
  const consistency = Consistency.LINEARIZABLE
  switch (query.kind) {
    case 'get':
      return { query: { $case: 'get', value: { key: query.key, consistency } } }
    case 'balance':
      return { query: { $case: 'getBalance', value: { accountId: query.account, consistency } } }
  }
}
