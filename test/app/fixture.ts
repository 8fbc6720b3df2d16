import assert from 'node:assert/strict'
import { COMMAND_CODEC } from '../../src/api/command-codec.js'
import type { Bank } from '../../src/app/bank/bank.js'
import { brokenBankInvariants } from '../../src/app/bank/bank-audit.js'
import type { AccountRow, Movement } from '../../src/app/bank/movement.js'
import type { Crypto } from '../../src/app/bank/signing.js'
import type { Books } from '../../src/app/books.js'
import type { Operation, Outcome } from '../../src/app/operation.js'
import type { Request as TransferRequest } from '../../src/app/operations/transfer.js'
import { Refusal } from '../../src/app/refusal.js'
import { Command } from '../../src/gen/synod/session/v1/session.js'
import { ActingBooks } from './acting-books.js'

/** Signatures are one byte: GOOD verifies under every key, nothing else does. For tests that are not about cryptography. */
export const fakeCrypto: Crypto = {
  verify: (_publicKey, _message, signature) => signature.length === 1 && signature[0] === 1,
  digest: (bytes) => Buffer.from(bytes).toString('base64'),
}

export const GOOD = Uint8Array.of(1)
export const BAD = Uint8Array.of(0)
export const KEY = new Uint8Array(32)

export type TransferOptions = Partial<Pick<TransferRequest, 'pending' | 'timeoutMs'>>

export function transfer(
  transferId: string,
  source: string,
  destination: string,
  amount: bigint,
  options: TransferOptions = {},
): TransferRequest {
  const { pending = false, timeoutMs = 0 } = options
  return { transferId, sourceAccountId: source, destinationAccountId: destination, amount, pending, timeoutMs }
}

/** A machine with an authority, driven one operation a slot, with its invariants checked after each. */
export class Fixture {
  readonly machine = new ActingBooks(fakeCrypto)
  timeMs = 1_000_000
  slot = 0

  constructor() {
    this.run({ $case: 'registerAuthority', value: { authorityId: 'mint', publicKey: KEY, signerId: '', signature: BAD } })
  }

  run(operation: Operation): Outcome {
    this.machine.onSlot({ slot: this.slot, timeMs: this.timeMs, level: 1 })
    const outcome = this.machine.apply(operation, { slot: this.slot, timeMs: this.timeMs, level: 1 })
    this.slot++
    assert.deepEqual(brokenBankInvariants(this.machine.bank.ledger), [])
    return outcome
  }

  open(accountId: string, { asset = 'EUR', overdraftLimit = 0n } = {}): Outcome {
    return this.run({ $case: 'openAccount', value: { accountId, asset, overdraftLimit } })
  }

  deposit(
    depositId: string,
    accountId: string,
    amount: bigint,
    { asset = 'EUR', authorityId = 'mint', signature = GOOD } = {},
  ): Outcome {
    return this.run({ $case: 'deposit', value: { depositId, accountId, asset, amount, authorityId, signature } })
  }

  withdraw(withdrawalId: string, accountId: string, amount: bigint): Outcome {
    return this.run({ $case: 'withdraw', value: { withdrawalId, accountId, amount } })
  }

  transfer(id: string, source: string, destination: string, amount: bigint, options: TransferOptions = {}): Outcome {
    return this.run({ $case: 'transfer', value: transfer(id, source, destination, amount, options) })
  }

  post(transferId: string, amount = 0n): Outcome {
    return this.run({ $case: 'postTransfer', value: { transferId, amount } })
  }

  void(transferId: string, amount = 0n): Outcome {
    return this.run({ $case: 'voidTransfer', value: { transferId, amount } })
  }

  /** A transaction without conditions. */
  txn(operations: readonly Operation[]): Outcome {
    return this.run({ $case: 'txn', value: branches([], operations, []) })
  }

  put(key: string, text: string): Outcome {
    return this.run({ $case: 'put', value: { key, value: bytes(text), returnPrevious: false } })
  }

  /** [balance, held] of an account. */
  balance(accountId: string): [bigint | undefined, bigint | undefined] {
    const account = this.machine.bank.ledger.accounts.get(accountId)
    return [account?.balance, account?.held]
  }

  statusOf(movementId: string): string | undefined {
    return this.machine.bank.ledger.movements.get(movementId)?.status
  }
}

/** The reason of a refusal; 'OK' of anything else. */
export function reasonOf(outcome: Outcome | object): string {
  return outcome instanceof Refusal ? outcome.reason : 'OK'
}

type Granted = Exclude<Outcome, Refusal>
type Values = { [Each in Granted as Each['$case']]: Each['value'] }

/** The value of an outcome that must be of this case. */
export function valueOf<Case extends keyof Values>($case: Case, outcome: Outcome): Values[Case] {
  assert.ok(!(outcome instanceof Refusal), `refused: ${reasonOf(outcome)}`)
  assert.equal(outcome.$case, $case)
  return outcome.value as Values[Case]
}

export function branches<C, O>(compare: C, then: O, otherwise: O): { compare: C; then: O; else: O } {
  // oxlint-disable-next-line unicorn/no-thenable -- the proto's name
  return { compare, then, else: otherwise }
}

export function bytes(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}

/** All of the state, for comparing, but for movements that were refused: they are known by their ids only. */
export function dump({ keys, bank, deadlines, events }: Books): unknown {
  const { accounts, totals, movements } = bank.ledger
  const order = keys.pairs.keys
  const byId = sorted(accounts.values(), (account) => account.accountId)
  return {
    revision: events.revision,
    pairs: sorted(keys.pairs.values(), (pair) => pair.key),
    order: [
      ...order.ascending(
        order.position(() => false),
        order.position(() => true),
      ),
    ],
    accounts: byId.map((account) => ({ ...account, lastPlace: 0 })),
    histories: byId.map((account) => historyOf(bank, account)),
    deadlines: sorted(deadlines.values(), ({ kind, id }) => `${kind}/${id}`).map(({ kind, id, atMs }) => [kind, id, atMs]),
    nextDeadline: deadlines.nextMs,
    totals: sorted(totals.values(), (total) => total.asset).filter((total) => total.deposits + total.withdrawals > 0n),
    authorities: sorted(bank.authorities.table.values(), (authority) => authority.authorityId),
    sequence: movements.count.value,
  }
}

/** The account's movements, oldest first. */
function historyOf({ ledger }: Bank, { accountId, movementCount }: AccountRow): Movement[] {
  return Array.from({ length: movementCount }, (_, index) => ledger.movementAt(accountId, index))
}

function sorted<T>(rows: Iterable<T>, key: (row: T) => string): T[] {
  return Array.from(rows).toSorted((a, b) => (key(a) < key(b) ? -1 : 1))
}

/** A command as the machine knows it. */
export function operationOf(command: Command): Operation {
  const decoded = COMMAND_CODEC.decodeCommand(Command.encode(command).finish(), 1)
  assert.ok(decoded?.operation !== undefined, 'a command that a gateway would let through')
  return decoded.operation
}
