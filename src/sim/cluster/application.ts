import { crc32 } from 'node:zlib'
import { BankAudit } from '../../app/bank/bank-audit.js'
import type { Crypto } from '../../app/bank/signing.js'
import { depositMessage } from '../../app/bank/signing.js'
import { FIRST_ANSWER_LIMITS } from '../../app/first-answers.js'
import { encodeText, maybeText } from '../../encoding/text.js'
import { Command } from '../../gen/synod/session/v1/session.js'
import { MarkedBankAndKeys, type QuotaMark } from '../checkers/quota-marks.js'
import { NextBankAndKeys } from './next-machine.js'
import type { SoftwareVersion } from './next-version.js'
import { STATE_LIMITS, type StateLimits } from './state-limits.js'

export const AUTHORITY = 'mint'
const PUBLIC_KEY = new Uint8Array(32).fill(7)

/** Signatures that cost nothing: a run makes thousands of them, and ed25519 is tested elsewhere. */
const simulatedCrypto: Crypto = {
  verify: (publicKey, message, signature) => maybeText(signature) === sign(publicKey, message),
  digest: (bytes) => crc32(bytes).toString(16),
}

/** Signs a deposit as the authority of a simulated cluster. */
export function signDeposit(deposit: Parameters<typeof depositMessage>[0]): Uint8Array {
  return encodeText(sign(PUBLIC_KEY, depositMessage(deposit)))
}

function sign(publicKey: Uint8Array, message: Uint8Array): string {
  return crc32(message, crc32(publicKey)).toString(16).padEnd(64, '.')
}

/** The layers above the log, the same as in production except for the cryptography. */
export class Application {
  readonly machine: MarkedBankAndKeys
  readonly #audit = new BankAudit()

  constructor({ firstAnswersMax }: Pick<StateLimits, 'firstAnswersMax'> = STATE_LIMITS, version: SoftwareVersion = 'current') {
    const Machine = version === 'next' ? NextBankAndKeys : MarkedBankAndKeys
    this.machine = new Machine(simulatedCrypto, { ...FIRST_ANSWER_LIMITS, countMax: firstAnswersMax })
  }

  quotaMarks(slot: number): readonly QuotaMark[] {
    return this.machine.marksOf(slot)
  }

  /** Returns one sentence for each invariant that does not hold right now. */
  brokenInvariants(): string[] {
    return this.#audit.brokenInvariants(this.machine.books.bank.ledger)
  }
}

/** The commands that make the cluster's initial state: the authority that may sign deposits. */
export const INITIAL_COMMANDS: readonly Uint8Array[] = [
  Command.encode({
    operation: {
      $case: 'registerAuthority',
      value: { authorityId: AUTHORITY, publicKey: PUBLIC_KEY, signerId: '', signature: new Uint8Array(0) },
    },
  }).finish(),
]
