import { assert } from '../tables/assert.js'
import { Deadlines } from '../tables/deadlines.js'
import { DEADLINE_PREFIX, loadDeadline } from './deadline-records.js'
import {
  type KeptAnswer,
  type SessionCounters,
  type SessionLimits,
  type SessionRecord,
  SessionState,
  SessionTable,
} from './session-table.js'
import type { StateEntry } from './state-machine.js'

/** The bytes of records; see session-records.ts. */
export interface SessionCodec {
  /** Tells commands apart. A safe integer. */
  digest(command: Uint8Array): number
  encodeSession(record: SessionRecord): Uint8Array
  decodeSession(bytes: Uint8Array): SessionRecord
  encodeAnswers(answers: readonly KeptAnswer[]): Uint8Array
  decodeAnswers(bytes: Uint8Array): readonly KeptAnswer[]
  encodeCounters(counters: SessionCounters): Uint8Array
  decodeCounters(bytes: Uint8Array): SessionCounters
}

/** A session's record in a checkpoint holds answers of about so many bytes; the others follow in records of their own. */
const RECORD_BYTES_MAX = 256 * 1024
const PAGE_DIGITS = 6

const SESSION_PREFIX = 'session/'
const ANSWERS_PREFIX = 'answers/'
const COUNTERS_KEY = 'sessions'

/** The entries of sessions in checkpoints. */
export class SessionEntries {
  readonly #codec: SessionCodec
  /** Number of answer records of each session in the last checkpoint, if any. */
  #storedAnswers = new Map<number, number>()

  constructor(codec: SessionCodec) {
    this.#codec = codec
  }

  /** Makes the entries of the counters and of the sessions that have changed. */
  *changed(counters: SessionCounters, changes: ReturnType<SessionTable['takeChanges']>): Generator<StateEntry> {
    yield { key: COUNTERS_KEY, value: this.#codec.encodeCounters(counters), keyspace: 'state' }
    for (const { record, state } of changes) {
      const { clientId } = record
      const pages = state === undefined ? [] : pagesOf(state.answers)
      const value = state && this.#codec.encodeSession({ ...state, answers: pages.shift() ?? [] })
      yield { key: SESSION_PREFIX + clientId, value, keyspace: 'state' }
      yield* this.#answerEntries(clientId, pages)
    }
  }

  /** No record is larger than a message between nodes may be, whatever a session keeps. */
  *#answerEntries(clientId: number, pages: readonly (readonly KeptAnswer[])[]): Generator<StateEntry> {
    const storedCount = this.#storedAnswers.get(clientId) ?? 0
    for (let page = 0; page < Math.max(pages.length, storedCount); page++) {
      const answers = pages[page]
      yield {
        key: `${ANSWERS_PREFIX}${clientId}/${String(page).padStart(PAGE_DIGITS, '0')}`,
        value: answers && this.#codec.encodeAnswers(answers),
        keyspace: 'state',
      }
    }
    if (pages.length > 0) this.#storedAnswers.set(clientId, pages.length)
    else this.#storedAnswers.delete(clientId)
  }

  /** Begins to take the entries of a checkpoint in. */
  beginLoading(): SessionLoading {
    this.#storedAnswers = new Map()
    return new SessionLoading(this.#codec, this.#storedAnswers)
  }
}

/** Gathers the sessions of a checkpoint, as they come. */
class SessionLoading {
  readonly deadlines = new Deadlines(['session'])
  readonly #codec: SessionCodec
  readonly #storedAnswers: Map<number, number>
  readonly #sessions: SessionState[] = []
  readonly #answers = new Map<number, KeptAnswer[]>()
  #counters: SessionCounters | undefined

  /** `storedAnswers`: counts the records beside each session's own. */
  constructor(codec: SessionCodec, storedAnswers: Map<number, number>) {
    this.#codec = codec
    this.#storedAnswers = storedAnswers
  }

  get quotaBytes(): number {
    return this.#counters?.quotaBytes ?? 0
  }

  add(key: string, value: Uint8Array): void {
    if (key === COUNTERS_KEY) this.#counters = this.#codec.decodeCounters(value)
    else if (key.startsWith(SESSION_PREFIX)) this.#addSession(this.#codec.decodeSession(value))
    else if (key.startsWith(DEADLINE_PREFIX)) loadDeadline(this.deadlines, key, value)
    else if (key.startsWith(ANSWERS_PREFIX)) this.#addAnswers(Number.parseInt(key.slice(ANSWERS_PREFIX.length), 10), value)
    else assert(false, `every entry of a checkpoint is known: ${key}`)
  }

  finish(limits: SessionLimits): SessionTable {
    assert(this.#answers.size === 0, 'the answers of a session come before it')
    assert(this.deadlines.size === this.#sessions.length, 'each session has a deadline')
    return new SessionTable(limits, this.deadlines, this.#counters, this.#sessions)
  }

  #addSession(record: SessionRecord): void {
    const { clientId, answers } = record
    const further = this.#answers.get(clientId) ?? []
    this.#answers.delete(clientId)
    this.#sessions.push(new SessionState({ ...record, answers: [...answers, ...further] }))
  }

  #addAnswers(clientId: number, value: Uint8Array): void {
    const answers = this.#answers.get(clientId) ?? []
    for (const answer of this.#codec.decodeAnswers(value)) answers.push(answer)
    this.#answers.set(clientId, answers)
    this.#storedAnswers.set(clientId, (this.#storedAnswers.get(clientId) ?? 0) + 1)
  }
}

/** Splits answers into pages of about RECORD_BYTES_MAX; a larger answer has one to itself. */
function pagesOf(answers: readonly KeptAnswer[]): KeptAnswer[][] {
  const pages: KeptAnswer[][] = []
  let page: KeptAnswer[] = []
  let bytes = 0
  for (const answer of answers) {
    const answerBytes = answer.outcome.length
    if (page.length > 0 && bytes + answerBytes > RECORD_BYTES_MAX) {
      pages.push(page)
      page = []
      bytes = 0
    }
    page.push(answer)
    bytes += answerBytes
  }
  if (page.length > 0) pages.push(page)
  return pages
}
