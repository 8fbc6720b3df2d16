import { toOperation, toQuery, toTransferBatch } from '../api/command.js'
import { decodeCommand } from '../api/decode-command.js'
import { nodeCrypto } from '../api/node-crypto.js'
import { invalidQuery, toResult } from '../api/result.js'
import { validateCommand, validateQuery } from '../api/validate.js'
import { encode } from '../encoding/encode.js'
import { DELIMITED } from '../encoding/row-reader.js'
import { decodeText, encodeText } from '../encoding/text.js'
import { Command, Query, Result } from '../gen/synod/session/v1/session.js'
import { DEADLINE_PREFIX, deadlineEntries, loadDeadline } from '../replication/deadline-records.js'
import { shareOf } from '../replication/quota-share.js'
import {
  ENDS_PER_SLOT_MAX,
  type HistoryReader,
  type Moment,
  type Restoration,
  type StateEntry,
  type StateMachine,
} from '../replication/state-machine.js'
import type { IdPage } from '../tables/id-filter.js'
import { drained } from '../tables/steps.js'
import type { RowChange } from '../tables/table.js'
import type { ListedMovement, StoredHistory } from './bank/history.js'
import type { Crypto } from './bank/signing.js'
import { effectSlot } from './effect-slot.js'
import { FIRST_ANSWER_LIMITS, type FirstAnswerLimits } from './first-answers.js'
import type { Outcome } from './operations.js'
import { Refusal } from './refusal.js'
import {
  accountCodec,
  authorityCodec,
  countersCodec,
  decodeHashes,
  encodeHashes,
  firstAnswerCodec,
  movementCodec,
  pairCodec,
  type RowCodec,
  totalsCodec,
  usedIdCodec,
} from './rows/rows.js'
import { TypedBankAndKeys } from './typed-bank-and-keys.js'
import { type StoredUsedId, UsedIds } from './used-ids.js'

const COUNTERS_KEY = 'counters'
const KEY_PREFIX = 'key/'
const ACCOUNT_PREFIX = 'account/'
const MOVEMENT_PREFIX = 'movement/'
const USED_PREFIX = 'used/'
const INDEX_DIGITS = 16
/** Field numbers of Command, and that they have a length. */
const QUERY_TAG = 13 * 8 + DELIMITED
const TRANSFER_BATCH_TAG = 10 * 8 + DELIMITED
/** A shorter batch is carried out at once. */
const STEPPED_BYTES_MIN = 16 * 1_024
/** What nodes keep, and compare, of a query in the log: its answer is made for whoever asked, see answer(). */
const LOGGED_READ = new Uint8Array(0)

/**
 * The bank and the keys as the log knows them: synod.session.v1 Command and Query in, Result out, all as bytes. Nothing in the bytes
 * makes it throw; a throw is a broken invariant, and the node's end.
 */
export class BankAndKeys implements StateMachine {
  readonly #crypto: Crypto
  #typed: TypedBankAndKeys
  readonly #limits: FirstAnswerLimits
  #usedIds = new UsedIds(() => undefined)

  /** `limits`: others than the real ones in tests only. */
  constructor(crypto: Crypto = nodeCrypto, limits: FirstAnswerLimits = FIRST_ANSWER_LIMITS) {
    this.#crypto = crypto
    this.#limits = limits
    this.#typed = new TypedBankAndKeys(crypto, { firstAnswerLimits: limits })
  }

  /** The machine behind the bytes, read-only for everybody else. Another one after each restore: not to be kept. */
  get typed(): TypedBankAndKeys {
    return this.#typed
  }

  /** See StateMachine.stateBytes. */
  get stateBytes(): number {
    return this.#typed.stateBytes + this.#usedIds.bytes
  }

  onSlot(at: Moment, endsMax = ENDS_PER_SLOT_MAX): void {
    const steps = this.onSlotInSteps(at, endsMax)
    if (steps !== undefined) drained(steps)
  }

  onSlotInSteps(at: Moment, endsMax = ENDS_PER_SLOT_MAX): Generator<undefined, void> | undefined {
    const { nextDeadlineMs } = this.#typed
    return nextDeadlineMs === undefined || nextDeadlineMs > at.timeMs ? undefined : this.#typed.onSlotInSteps(at, endsMax)
  }

  get nextDeadlineMs(): number | undefined {
    return this.#typed.nextDeadlineMs
  }

  /** See StateMachine.writtenBytes. */
  get writtenBytes(): number {
    return this.#typed.writtenBytes + this.#usedIds.writtenBytes
  }

  apply(bytes: Uint8Array, at: Moment): Uint8Array {
    const steps = this.applyInSteps(bytes, at)
    return steps === undefined
      ? this.#applyDecoded(
          decoded(() => decodeCommand(bytes)),
          at,
        )
      : drained(steps)
  }

  applyInSteps(bytes: Uint8Array, at: Moment): Generator<undefined, Uint8Array> | undefined {
    // Looked at for each command.
    return bytes[0] === TRANSFER_BATCH_TAG && bytes.length >= STEPPED_BYTES_MIN ? this.#batchInSteps(bytes, at) : undefined
  }

  query(bytes: Uint8Array): Uint8Array {
    const query = decoded(() => Query.decode(bytes))
    return encode(Result, query instanceof Refusal ? toResult(query, 0) : this.read(query))
  }

  answer(bytes: Uint8Array): Uint8Array | undefined {
    // Looked at for each command that somebody waits for: few are queries, and those begin so.
    if (bytes[0] !== QUERY_TAG) return undefined
    const command = decoded(() => decodeCommand(bytes))
    if (command instanceof Refusal || command.operation?.$case !== 'query') return undefined
    return encode(Result, this.read(command.operation.value))
  }

  /** Answers a read without a detour over bytes. The values in the answer are the state's own: not to be changed. */
  read(query: Query): Result {
    const violations = validateQuery(query)
    return violations.length > 0 ? invalidQuery(violations) : toResult(this.typed.query(toQuery(query)), 0)
  }

  changes(): Iterable<StateEntry> {
    const { keys, bank, firstAnswers, deadlines } = this.typed
    const { ledger, authorities } = bank
    const movements = ledger.movements.count.value
    const counters = {
      revision: keys.revision.value,
      movements,
      requestIds: this.#usedIds.count,
      cutRanges: [...keys.cuts.records],
    }
    const used = this.#usedIds.takeChanges()
    // Everything is taken now, at no cost, and walked later. Rows do not change, they are replaced: they may be encoded later still.
    return chained([
      [{ key: COUNTERS_KEY, value: countersCodec.encode(counters), keyspace: 'state' }],
      entries(KEY_PREFIX, pairCodec, keys.pairs.takeChanges()),
      entries(ACCOUNT_PREFIX, accountCodec, ledger.accounts.takeChanges()),
      deadlineEntries(deadlines.takeChanges()),
      entries('total/', totalsCodec, ledger.totals.takeChanges()),
      entries('authority/', authorityCodec, authorities.table.takeChanges()),
      entries('request/', firstAnswerCodec, firstAnswers.takeChanges()),
      entries(MOVEMENT_PREFIX, movementCodec, ledger.movements.takeChanges(), 'history'),
      listEntries(ledger.lists.takeChanges(movements)),
      idEntries('ids', ledger.movements.filter.takeChanges(movements)),
      entries(USED_PREFIX, usedIdCodec, used.ids, 'history'),
      idEntries('request-ids', used.pages),
    ])
  }

  onCheckpointed(): void {
    this.typed.bank.ledger.onCheckpointed()
    this.#usedIds.onCheckpointed()
  }

  restore(history: HistoryReader): Restoration {
    const typed = new TypedBankAndKeys(this.#crypto, { stored: storedHistory(history), firstAnswerLimits: this.#limits })
    const usedIds = new UsedIds(storedUsedId(history))
    // What there was is let go of now: memory has no room for two.
    this.#typed = typed
    this.#usedIds = usedIds
    return {
      load: (stored) => {
        for (const { key, value } of stored) if (value !== undefined) loadEntry({ typed, usedIds }, key, value)
      },
      finish: () => {},
    }
  }

  #applyDecoded(command: Command | Refusal, at: Moment): Uint8Array {
    if (command instanceof Refusal) return encoded(command, at)
    if (command.operation?.$case === 'query') return LOGGED_READ
    // The proposer's gateway has looked at it too, but bounds keep the state whole: no machine trusts another's gateway for that.
    const violations = validateCommand(command, { initial: at.slot === 0 })
    if (violations.length > 0) return encoded(Refusal.ofFields(violations.map(({ field }) => field)), at)
    const requestId = requestIdOf(command)
    return requestId === '' ? encoded(this.#carryOut(command, at), at) : this.#carryOutOnce(requestId, command, at)
  }

  *#batchInSteps(bytes: Uint8Array, at: Moment): Generator<undefined, Uint8Array> {
    const command = decoded(() => decodeCommand(bytes))
    // The first byte said so; but another field may follow, and the last one counts.
    if (command instanceof Refusal || command.operation?.$case !== 'transferBatch') return this.#applyDecoded(command, at)
    yield
    const violations = validateCommand(command, { initial: at.slot === 0 })
    if (violations.length > 0) return encoded(Refusal.ofFields(violations.map(({ field }) => field)), at)
    yield
    const request = toTransferBatch(command.operation.value)
    yield
    const outcome = yield* this.typed.transferBatch(request, at)
    yield
    const result = toResult(outcome, effectSlot(outcome, at.slot))
    yield
    return encode(Result, result)
  }

  #carryOut(command: Command, at: Moment): Outcome {
    return this.typed.apply(toOperation(command), at)
  }

  /** For callers without a session: the first answer to a request id is the answer to it. */
  #carryOutOnce(requestId: string, command: Command, at: Moment): Uint8Array {
    // Encoded again, so that content is compared, not the order in which somebody's encoder wrote the fields.
    const digest = this.#crypto.digest(encode(Command, command))
    const { firstAnswers } = this.typed
    const first = firstAnswers.get(requestId)
    if (first !== undefined && first.digest === digest) return first.answer
    if (first !== undefined) {
      return encoded(Refusal.of('ID_REUSED', { request_id: requestId }), at)
    }
    // The answer is gone, but the id was used: perhaps by this very request, a late retry then.
    const used = this.#usedIds.get(requestId)
    if (used !== undefined) {
      return encoded(Refusal.of('EXPIRED_ID', { request_id: requestId, slot: String(used.slot) }), at)
    }
    const outcome = this.#carryOut(command, at)
    const answer = encoded(outcome, at)
    // Nothing was done, and the same may be asked again when there is room.
    if (outcome instanceof Refusal && outcome.reason === 'QUOTA_EXCEEDED') return answer
    firstAnswers.memoryBytesMax = shareOf(at.quotaBytes ?? 0)
    // Kept long after its neighbours in the pool.
    firstAnswers.keep(requestId, { digest, answer: answer.slice() }, at.timeMs)
    this.#usedIds.add(requestId, { slot: at.slot })
    return answer
  }
}

function requestIdOf({ operation }: Command): string {
  return operation !== undefined && 'requestId' in operation.value ? operation.value.requestId : ''
}

/** What the decoder said is not told: a result must be the same with every version of it. */
function decoded<T>(decode: () => T): T | Refusal {
  try {
    return decode()
  } catch {
    return Refusal.ofFields([''])
  }
}

/** What a command came to. */
function encoded(outcome: Outcome, { slot }: Moment): Uint8Array {
  return encode(Result, toResult(outcome, effectSlot(outcome, slot)))
}

/** What entries of a checkpoint are put into. */
interface Loading {
  readonly typed: TypedBankAndKeys
  readonly usedIds: UsedIds
}

function loadEntry({ typed, usedIds }: Loading, key: string, value: Uint8Array): void {
  const { keys, bank } = typed
  // The tables that may have millions of rows first.
  if (key.startsWith(KEY_PREFIX)) {
    const id = key.slice(KEY_PREFIX.length)
    return keys.cuts.loadPair(id, pairCodec.decode(value, id))
  }
  if (key.startsWith(ACCOUNT_PREFIX)) {
    const id = key.slice(ACCOUNT_PREFIX.length)
    return bank.ledger.accounts.load(id, accountCodec.decode(value, id))
  }
  if (key.startsWith(DEADLINE_PREFIX)) return loadDeadline(typed.deadlines, key, value)
  const [table, id] = splitKey(key)
  switch (table) {
    case 'ids':
      return bank.ledger.movements.filter.load(Number(id), decodeHashes(value))
    case 'request-ids':
      return usedIds.loadPage(Number(id), decodeHashes(value))
    case 'total':
      return bank.ledger.totals.load(id, totalsCodec.decode(value, id))
    case 'authority':
      return bank.authorities.load(authorityCodec.decode(value, id))
    case 'request':
      return typed.firstAnswers.load(id, firstAnswerCodec.decode(value, id))
    case COUNTERS_KEY: {
      const counters = countersCodec.decode(value, id)
      keys.revision.set(counters.revision)
      keys.cuts.load(counters.cutRanges)
      bank.ledger.movements.load(counters.movements)
      bank.ledger.lists.load(counters.movements)
      usedIds.load(counters.requestIds)
      return
    }
    default:
      throw new Error(`the checkpoint holds an entry of an unknown kind, ${JSON.stringify(key)}: written by a newer version?`)
  }
}

function storedUsedId(history: HistoryReader): StoredUsedId {
  return (id) => {
    const value = history.read(USED_PREFIX + id)
    return value && usedIdCodec.decode(value, id)
  }
}

/** The bank's history, as its entries stand on disk. */
function storedHistory(history: HistoryReader): StoredHistory {
  return {
    movement(id) {
      const value = history.read(MOVEMENT_PREFIX + id)
      return value && movementCodec.decode(value, id)
    },
    movementId(accountId, index) {
      const value = history.read(listKey(accountId, index))
      return value && decodeText(value)
    },
  }
}

/** Never that of another account or index, whatever characters the ids have: the index has a fixed length. */
function listKey(accountId: string, index: number): string {
  return `history/${accountId}/${String(index).padStart(INDEX_DIGITS, '0')}`
}

function* listEntries(places: Iterable<ListedMovement>): Generator<StateEntry> {
  for (const { accountId, index, movementId } of places) {
    yield { key: listKey(accountId, index), value: encodeText(movementId), keyspace: 'history', isNew: true }
  }
}

function* idEntries(table: string, pages: Iterable<IdPage>): Generator<StateEntry> {
  for (const { page, hashes } of pages) {
    yield {
      key: `${table}/${String(page).padStart(INDEX_DIGITS, '0')}`,
      value: hashes && encodeHashes(hashes),
      keyspace: 'state',
    }
  }
}

function* entries<V>(
  prefix: string,
  codec: RowCodec<V>,
  changes: Iterable<RowChange<V>>,
  keyspace: StateEntry['keyspace'] = 'state',
): Generator<StateEntry> {
  for (const { key, row, isNew = false } of changes) yield new RowEntry(codec, row, { key: prefix + key, keyspace, isNew })
}

/** A row of a checkpoint, encoded when it is asked for. */
class RowEntry<V> implements StateEntry {
  readonly key: string
  readonly keyspace: StateEntry['keyspace']
  readonly isNew: boolean
  readonly #codec: RowCodec<V>
  readonly #row: V | undefined

  constructor(codec: RowCodec<V>, row: V | undefined, { key, keyspace, isNew }: Required<Omit<StateEntry, 'value'>>) {
    this.key = key
    this.keyspace = keyspace
    this.isNew = isNew
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
