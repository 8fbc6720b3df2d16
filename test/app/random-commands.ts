import { INT64_MAX } from '../../src/app/bank/movement.js'
import type { TransferRequest } from '../../src/gen/synod/bank/v1/bank.js'
import { Order } from '../../src/gen/synod/common/v1/common.js'
import { CompareOperator, type TxnOperation } from '../../src/gen/synod/kv/v1/kv.js'
import { Command } from '../../src/gen/synod/session/v1/session.js'
import { BAD, branches, bytes, GOOD, KEY } from './fixture.js'
import type { Random } from './random.js'

type Operation = NonNullable<Command['operation']>

/** Some more often than others. dave's is in USD, carol's may go below zero, nobody's is never opened. */
const ACCOUNTS = ['alice', 'bob', 'carol', 'alice', 'bob', 'carol', 'alice', 'bob', 'carol', 'dave', 'nobody']
const KEYS = ['a', 'ab', 'b', '～', '😀', 'z']
const CONSISTENCY = 0

/** The first command of a history, for slot 0. */
export const INITIAL_COMMAND: Command = {
  operation: { $case: 'registerAuthority', value: { authorityId: 'mint', publicKey: KEY, signerId: '', signature: BAD } },
}

/** Valid commands that meet each other often: few accounts, few ids, few keys. Refusals are part of it. */
export function randomCommand(random: Random): Command {
  return { operation: randomOperation(random) }
}

function randomOperation(random: Random): Operation {
  const roll = random.below(100)
  if (roll < 12) return txn(random)
  if (roll < 22) return transferBatch(random)
  if (roll < 25) return { $case: 'query', value: { query: randomRead(random) } }
  if (roll < 27) return authority(random)
  return (txnOperation(random, requestId(random)).operation ?? authority(random)) as Operation
}

function txn(random: Random): Operation {
  const compare = Array.from({ length: random.below(2) }, () => ({
    key: random.pick(KEYS),
    operator: random.pick([CompareOperator.EQUAL, CompareOperator.GREATER, CompareOperator.UNSPECIFIED]),
    target: { $case: 'version', value: BigInt(random.below(3)) } as const,
  }))
  const operations = (): TxnOperation[] => Array.from({ length: random.below(5) }, () => txnOperation(random, ''))
  return { $case: 'txn', value: { ...branches(compare, operations(), operations()), requestId: requestId(random) } }
}

function transferBatch(random: Random): Operation {
  const transfers = Array.from({ length: 1 + random.below(6) }, () => transfer(random))
  const first = random.below(transfers.length)
  const count = transfers.length - first
  return { $case: 'transferBatch', value: { transfers, linkedGroups: count > 1 ? [{ first, count }] : [] } }
}

function randomRead(random: Random) {
  const accountId = random.pick(ACCOUNTS)
  return random.pick([
    { $case: 'getBalance', value: { accountId, consistency: CONSISTENCY } },
    { $case: 'getTransfer', value: { transferId: movementId(random), consistency: CONSISTENCY } },
    {
      $case: 'listMovements',
      value: {
        accountId,
        pageSize: 3,
        pageToken: '',
        order: random.pick([Order.ASCENDING, Order.DESCENDING]),
        consistency: CONSISTENCY,
      },
    },
    { $case: 'listAccounts', value: { pageSize: 2, pageToken: '', consistency: CONSISTENCY } },
  ] as const)
}

function authority(random: Random): Operation {
  const request = {
    authorityId: random.pick(['mint', 'second', 'third']),
    signerId: 'mint',
    signature: random.pick([GOOD, GOOD, BAD]),
  }
  return random.chance(0.8)
    ? { $case: 'registerAuthority', value: { ...request, publicKey: KEY } }
    : { $case: 'revokeAuthority', value: { ...request, authorityId: random.pick(['second', 'third']) } }
}

/** What stands alone as well as in a transaction. */
function txnOperation(random: Random, requestId: string): TxnOperation {
  const key = random.pick(KEYS)
  const roll = random.below(100)
  if (roll < 12) {
    const value = bytes(`value ${random.below(1_000)}`)
    return { operation: { $case: 'put', value: { key, value, returnPrevious: random.chance(0.3), requestId } } }
  }
  if (roll < 18) {
    const target = { $case: random.pick(['key', 'prefix'] as const), value: key }
    return { operation: { $case: 'delete', value: { target, all: false, returnPrevious: random.chance(0.5), requestId } } }
  }
  if (roll < 24) {
    const accountId = random.pick(ACCOUNTS.filter((account) => account !== 'nobody'))
    const asset = accountId === 'dave' ? 'USD' : 'EUR'
    const overdraftLimit = accountId === 'carol' ? 50n : 0n
    return { operation: { $case: 'openAccount', value: { accountId, asset, overdraftLimit, requestId } } }
  }
  return { operation: movement(random) }
}

function movement(random: Random): TxnOperation['operation'] {
  const accountId = random.pick(ACCOUNTS)
  const roll = random.below(100)
  if (roll < 30) {
    const asset = random.pick(['EUR', 'EUR', 'USD'])
    const amount = random.chance(0.02) ? INT64_MAX : amountOf(random) * 10n
    const signature = random.chance(0.9) ? GOOD : BAD
    return {
      $case: 'deposit',
      value: { depositId: movementId(random), accountId, asset, amount, authorityId: 'mint', signature },
    }
  }
  if (roll < 42) return { $case: 'withdraw', value: { withdrawalId: movementId(random), accountId, amount: amountOf(random) } }
  if (roll < 76) return { $case: 'transfer', value: transfer(random) }
  const amount = random.chance(0.6) ? 0n : amountOf(random)
  return {
    $case: random.pick(['postTransfer', 'voidTransfer'] as const),
    value: { transferId: random.chance(0.9) ? pendingId(random) : movementId(random), amount },
  }
}

function transfer(random: Random): TransferRequest {
  const source = random.pick(ACCOUNTS)
  const pending = random.chance(0.5)
  return {
    transferId: pending ? pendingId(random) : movementId(random),
    sourceAccountId: source,
    destinationAccountId: random.pick(ACCOUNTS.filter((account) => account !== source)),
    amount: amountOf(random),
    pending,
    timeout: pending && random.chance(0.7) ? { seconds: BigInt(random.below(60)), nanos: 5_000_000 } : undefined,
  }
}

function amountOf(random: Random): bigint {
  return BigInt(1 + random.below(30))
}

/** Mostly a new one; sometimes one of the last. */
function movementId(random: Random): string {
  return random.chance(0.85) ? `m${random.below(1_000_000)}` : `m${random.below(20)}`
}

/** One of few, so that pending transfers are found again. `generation` moves on, as ids are used up. */
function pendingId(random: Random): string {
  return `p${random.generation}-${random.below(6)}`
}

function requestId(random: Random): string {
  return random.chance(0.3) ? `r${random.below(30)}` : ''
}
