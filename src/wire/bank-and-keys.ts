import { Command, Query, Result } from '../gen/synod/session/v1/session.js'
import { TypedBankAndKeys } from '../machine/bank-and-keys.js'
import { effectSlot } from '../machine/effect-slot.js'
import type { FirstAnswer } from '../machine/first-answers.js'
import { FirstAnswers } from '../machine/first-answers.js'
import type { Movement } from '../machine/movement.js'
import type { Outcome } from '../machine/operations.js'
import { invalidArgument, Refusal } from '../machine/refusal.js'
import type { Crypto } from '../machine/signing.js'
import type { Moment, StateEntry, StateMachine } from '../machine/state-machine.js'
import type { RowChange } from '../machine/table.js'
import { toOperation, toQuery } from './command.js'
import { nodeCrypto } from './crypto.js'
import { encode } from './encode.js'
import { toResult } from './result.js'
import {
  accountCodec,
  authorityCodec,
  countersCodec,
  firstAnswerCodec,
  movementCodec,
  pairCodec,
  type RowCodec,
  totalsCodec,
} from './state.js'
import { strictReader } from './strict-text.js'
import { validateCommand, validateQuery } from './validate.js'

const COUNTERS_KEY = 'counters'

/**
 * The bank and the keys as the log knows them: synod.session.v1 Command and Query in, Result out, all as bytes. Nothing in the bytes
 * makes it throw; a throw is a broken invariant, and the node's end.
 */
export class BankAndKeys implements StateMachine {
  /** The machine behind the bytes. Read-only for everybody else. */
  readonly typed: TypedBankAndKeys
  readonly #firstAnswers = new FirstAnswers()
  readonly #crypto: Crypto

  constructor(crypto: Crypto = nodeCrypto) {
    this.#crypto = crypto
    this.typed = new TypedBankAndKeys(crypto)
  }

  apply(bytes: Uint8Array, at: Moment): Uint8Array {
    this.#firstAnswers.expire(at.timeMs)
    const command = decoded(() => Command.decode(strictReader(bytes)))
    if (command instanceof Refusal) return encoded(command, at)
    // The proposer's gateway has looked at it too, but bounds keep the state whole: no machine trusts another's gateway for that.
    const violations = validateCommand(command, { initial: at.slot === 0 })
    if (violations.length > 0) return encoded(invalidArgument(violations), at)
    const requestId = requestIdOf(command)
    return requestId === '' ? this.#carryOut(command, at) : this.#carryOutOnce(requestId, command, at)
  }

  query(bytes: Uint8Array): Uint8Array {
    const query = decoded(() => Query.decode(strictReader(bytes)))
    return encode(Result, query instanceof Refusal ? toResult(query, 0) : this.read(query))
  }

  /** Answers a read without a detour over bytes. The values in the answer are the state's own: not to be changed. */
  read(query: Query): Result {
    const violations = validateQuery(query)
    return toResult(violations.length > 0 ? invalidArgument(violations) : this.typed.query(toQuery(query)), 0)
  }

  changes(): Iterable<StateEntry> {
    const { keys, bank } = this.typed
    const { ledger, authorities } = bank
    const counters = { revision: keys.revision.value, movements: ledger.sequence.value }
    // The rows are taken now and encoded when they are asked for: rows do not change, they are replaced.
    return chained([
      [{ key: COUNTERS_KEY, value: countersCodec.encode(counters) }],
      entries('key/', pairCodec, keys.pairs.takeChanges()),
      entries('account/', accountCodec, ledger.accounts.takeChanges()),
      entries('movement/', movementCodec, ledger.movements.takeChanges()),
      entries('total/', totalsCodec, ledger.totals.takeChanges()),
      entries('authority/', authorityCodec, authorities.table.takeChanges()),
      entries('request/', firstAnswerCodec, this.#firstAnswers.takeChanges()),
    ])
  }

  restore(stored: Iterable<StateEntry>): void {
    const { keys, bank } = this.typed
    const movements: Movement[] = []
    const answers: { key: string; row: FirstAnswer }[] = []
    for (const { key, value } of stored) {
      if (value === undefined) continue
      const [table, id] = splitKey(key)
      switch (table) {
        case 'key':
          keys.pairs.load(id, pairCodec.decode(value))
          break
        case 'account':
          bank.ledger.accounts.load(id, accountCodec.decode(value))
          break
        case 'movement':
          movements.push(movementCodec.decode(value))
          break
        case 'total':
          bank.ledger.totals.load(id, totalsCodec.decode(value))
          break
        case 'authority':
          bank.authorities.table.load(id, authorityCodec.decode(value))
          break
        case 'request':
          answers.push({ key: id, row: firstAnswerCodec.decode(value) })
          break
        case COUNTERS_KEY: {
          const counters = countersCodec.decode(value)
          keys.revision.set(counters.revision)
          bank.ledger.sequence.set(counters.movements)
          break
        }
        default:
          throw new Error(`the checkpoint holds an entry of an unknown kind, ${JSON.stringify(key)}: written by a newer version?`)
      }
    }
    bank.ledger.loadMovements(movements)
    for (const movement of movements) if (movement.status === 'pending') bank.holds.watch(movement)
    this.#firstAnswers.load(answers)
  }

  #carryOut(command: Command, at: Moment): Uint8Array {
    return encoded(this.typed.apply(toOperation(command), at), at)
  }

  /** For callers without a session: the first answer to a request id is the answer to it. */
  #carryOutOnce(requestId: string, command: Command, at: Moment): Uint8Array {
    // Encoded again, so that content is compared, not the order in which somebody's encoder wrote the fields.
    const digest = this.#crypto.digest(encode(Command, command))
    const first = this.#firstAnswers.get(requestId)
    if (first !== undefined && first.digest === digest) return first.answer
    if (first !== undefined) {
      return encoded(new Refusal('ID_REUSED', `the request_id ${JSON.stringify(requestId)} was used for another request`), at)
    }
    const answer = this.#carryOut(command, at)
    this.#firstAnswers.keep(requestId, { digest, timeMs: at.timeMs, answer })
    return answer
  }
}

function requestIdOf({ operation }: Command): string {
  return operation !== undefined && 'requestId' in operation.value ? operation.value.requestId : ''
}

/** The text does not tell what the decoder said: a result must be the same with every version of it. */
function decoded<T>(decode: () => T): T | Refusal {
  try {
    return decode()
  } catch {
    return new Refusal('INVALID_ARGUMENT', 'the bytes cannot be decoded')
  }
}

/** What a command came to. */
function encoded(outcome: Outcome, { slot }: Moment): Uint8Array {
  return encode(Result, toResult(outcome, effectSlot(outcome, slot)))
}

function* entries<V>(prefix: string, codec: RowCodec<V>, changes: readonly RowChange<V>[]): Generator<StateEntry> {
  for (const change of changes) yield new RowEntry(prefix, codec, change)
}

/** A row of a checkpoint, encoded when it is asked for. */
class RowEntry<V> implements StateEntry {
  readonly key: string
  readonly #codec: RowCodec<V>
  readonly #row: V | undefined

  constructor(prefix: string, codec: RowCodec<V>, { key, row }: RowChange<V>) {
    this.key = prefix + key
    this.#codec = codec
    this.#row = row
  }

  get value(): Uint8Array | undefined {
    return this.#row === undefined ? undefined : this.#codec.encode(this.#row)
  }
}

function* chained(parts: readonly Iterable<StateEntry>[]): Generator<StateEntry> {
  for (const part of parts) yield* part
}

/** The table's name before the first slash, and the row's key after it. */
function splitKey(key: string): [table: string, id: string] {
  const slash = key.indexOf('/')
  return slash === -1 ? [key, ''] : [key.slice(0, slash), key.slice(slash + 1)]
}
