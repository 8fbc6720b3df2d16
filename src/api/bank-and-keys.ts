import type { Crypto } from '../app/bank/signing.js'
import { FIRST_ANSWER_LIMITS, type FirstAnswerLimits } from '../app/first-answers.js'
import { ReplicatedBooks } from '../app/replicated-books.js'
import type { Query, Result } from '../gen/synod/session/v1/session.js'
import { COMMAND_CODEC, toWireOutcome } from './command-codec.js'
import type { FieldViolation } from './field-violation.js'
import { readQuery } from './from-wire.js'
import { nodeCrypto } from './node-crypto.js'
import { Violations } from './violations.js'

/** The application as it is served: the bank and the keys, with commands and results in the bytes of synod.session.v1. */
export class BankAndKeys extends ReplicatedBooks {
  /** `limits`: others than the real ones in tests only. */
  constructor(crypto: Crypto = nodeCrypto, limits: FirstAnswerLimits = FIRST_ANSWER_LIMITS) {
    super({ codec: COMMAND_CODEC, crypto, limits })
  }

  /** Answers a query without a detour over bytes. The values in the answer are the state's own: not to be changed. */
  read(query: Query): Result {
    const violations = new Violations()
    const operation = readQuery(query, violations)
    if (operation !== undefined) violations.check(operation)
    const { objection } = violations
    if (operation === undefined || objection !== undefined) return invalidQuery(objection?.violations ?? [])
    return { slot: 0, outcome: toWireOutcome(this.look(operation)) }
  }
}

/** The answer to a query that is wrong in itself. It may have words: no answer to a query is kept. */
function invalidQuery(violations: readonly FieldViolation[]): Result {
  const fieldViolations = violations.map(({ field, description }) => ({ field, description }))
  return {
    slot: 0,
    outcome: { $case: 'refusal', value: { reason: 'INVALID_ARGUMENT', message: '', fieldViolations, parameters: {} } },
  }
}
