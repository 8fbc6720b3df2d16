import type { Crypto } from '../app/bank/signing.js'
import { FIRST_ANSWER_LIMITS, type FirstAnswerLimits } from '../app/first-answers.js'
import { ReplicatedBooks } from '../app/replicated-books.js'
import type { Query, Result } from '../gen/synod/session/v1/session.js'
import { COMMAND_CODEC, operationOf, toWireOutcome } from './command-codec.js'
import { nodeCrypto } from './node-crypto.js'

/** The application as it is served: the bank and the keys, with commands and results in the bytes of synod.session.v1. */
export class BankAndKeys extends ReplicatedBooks {
  /** `limits`: others than the real ones in tests only. */
  constructor(crypto: Crypto = nodeCrypto, limits: FirstAnswerLimits = FIRST_ANSWER_LIMITS) {
    super({ codec: COMMAND_CODEC, crypto, limits })
  }

  /**
   * Answers a query without a detour over bytes. Doors have found words for what is wrong with it; here only its bounds are checked. The values
   * in the answer are the state's own: not to be changed.
   */
  read(query: Query): Result {
    return { slot: 0, outcome: toWireOutcome(this.look(operationOf(query, this.level))) }
  }
}
