import { decodeText, encodeText } from '../../encoding/text.js'
import { DEADLINE_PREFIX, deadlineEntries, loadDeadline } from '../../replication/deadline-records.js'
import type { HistoryReader, StateEntry } from '../../replication/state-machine.js'
import type { IdPage } from '../../tables/id-filter.js'
import type { RowChange } from '../../tables/table.js'
import type { ListedMovement, StoredHistory } from '../bank/bank-history.js'
import type { Books } from '../books.js'
import type { StoredUsedId } from '../used-ids.js'
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
} from './rows.js'

const COUNTERS_KEY = 'counters'
const KEY_PREFIX = 'key/'
const ACCOUNT_PREFIX = 'account/'
const MOVEMENT_PREFIX = 'movement/'
const USED_PREFIX = 'used/'
const INDEX_DIGITS = 16

/** The entries that have changed since the last call; see StateMachine.changes. */
export function changedEntries({ keys, bank, requestIds, deadlines, events }: Books): Iterable<StateEntry> {
  const { ledger, authorities } = bank
  const movements = ledger.movements.count.value
  const counters = {
    revision: events.revision,
    movements,
    requestIds: requestIds.used.count,
    cutRanges: [...keys.cuts.records],
  }
  const used = requestIds.used.takeChanges()
  // Everything is taken now, at no cost, and walked later. Rows do not change, they are replaced: they may be encoded later still.
  return chained([
    [{ key: COUNTERS_KEY, value: countersCodec.encode(counters), keyspace: 'state' }],
    entries(KEY_PREFIX, pairCodec, keys.pairs.takeChanges()),
    entries(ACCOUNT_PREFIX, accountCodec, ledger.accounts.takeChanges()),
    deadlineEntries(deadlines.takeChanges()),
    entries('total/', totalsCodec, ledger.totals.takeChanges()),
    entries('authority/', authorityCodec, authorities.table.takeChanges()),
    entries('request/', firstAnswerCodec, requestIds.answers.takeChanges()),
    entries(MOVEMENT_PREFIX, movementCodec, ledger.movements.takeChanges(), 'history'),
    listEntries(ledger.lists.takeChanges(movements)),
    idEntries('ids', ledger.movements.filter.takeChanges(movements)),
    entries(USED_PREFIX, usedIdCodec, used.ids, 'history'),
    idEntries('request-ids', used.pages),
  ])
}

/** Puts an entry of a checkpoint back. */
export function loadEntry({ keys, bank, requestIds, deadlines, events }: Books, key: string, value: Uint8Array): void {
  // The tables that may have millions of rows first.
  if (key.startsWith(KEY_PREFIX)) {
    const id = key.slice(KEY_PREFIX.length)
    return keys.cuts.loadPair(id, pairCodec.decode(value, id))
  }
  if (key.startsWith(ACCOUNT_PREFIX)) {
    const id = key.slice(ACCOUNT_PREFIX.length)
    return bank.ledger.accounts.load(id, accountCodec.decode(value, id))
  }
  if (key.startsWith(DEADLINE_PREFIX)) return loadDeadline(deadlines, key, value)
  const [table, id] = splitKey(key)
  switch (table) {
    case 'ids':
      return bank.ledger.movements.filter.load(Number(id), decodeHashes(value))
    case 'request-ids':
      return requestIds.used.loadPage(Number(id), decodeHashes(value))
    case 'total':
      return bank.ledger.totals.load(id, totalsCodec.decode(value, id))
    case 'authority':
      return bank.authorities.load(authorityCodec.decode(value, id))
    case 'request':
      return requestIds.answers.load(id, firstAnswerCodec.decode(value, id))
    case COUNTERS_KEY: {
      const counters = countersCodec.decode(value, id)
      events.load(counters.revision)
      keys.cuts.load(counters.cutRanges)
      bank.ledger.movements.load(counters.movements)
      bank.ledger.lists.load(counters.movements)
      requestIds.used.load(counters.requestIds)
      return
    }
    default:
      throw new Error(`the checkpoint holds an entry of an unknown kind, ${JSON.stringify(key)}: written by a newer version?`)
  }
}

/** Used request ids, as they stand on disk. */
export function storedUsedId(history: HistoryReader): StoredUsedId {
  return (id) => {
    const value = history.read(USED_PREFIX + id)
    return value && usedIdCodec.decode(value, id)
  }
}

/** The bank's history, as its entries stand on disk. */
export function storedHistory(history: HistoryReader): StoredHistory {
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
