import { assert } from './assert.js'
import { ChangeList, type Listed } from './change-list.js'
import { RESULT_BYTES, SESSION_BYTES } from './row-bytes.js'
import type { HistoryReader, Moment, Restoration, StateEntry, StateMachine } from './state-machine.js'

/** A client's command with what makes it exactly-once. */
export interface SessionCommand {
  /** From openSession. */
  readonly clientId: number
  /** From 1, each used once; a retry keeps it. */
  readonly requestNumber: number
  /** Every result below may be forgotten. */
  readonly firstUnacknowledged: number
  readonly command: Uint8Array
  /** In the place of a command: the state's quota from now on. Absent or 0: there is a command. */
  readonly quotaBytes?: number
}

/** What became of a session's command. Only a result means that it was carried out, then or earlier. */
export type SessionOutcome =
  /** Of a retry: the first result, and the slot in which it took effect. */
  | { readonly kind: 'result'; readonly slot: number; readonly result: Uint8Array }
  /** There is no such session, or no more. */
  | { readonly kind: 'sessionExpired' }
  /** The client has said that it needs no result below a higher number. */
  | { readonly kind: 'alreadyAcknowledged' }
  /** The session keeps as many unacknowledged results as it may. */
  | { readonly kind: 'overloaded' }
  /** Its slot was skipped: it was not carried out, and never will be under this number. */
  | { readonly kind: 'skipped' }

/** A kept result. */
export interface SessionResult {
  readonly requestNumber: number
  readonly slot: number
  readonly result: Uint8Array
  /** There is none: the slot was skipped. */
  readonly skipped: boolean
}

/** A session as it stands in a checkpoint. */
interface SessionRecord {
  readonly clientId: number
  readonly firstUnacknowledged: number
  readonly lastActiveMs: number
  /** When it was last active, in commands: orders sessions even within a slot. */
  readonly lastActivity: number
  readonly results: readonly SessionResult[]
}

/** What the session table counts, as it stands in a checkpoint. */
export interface SessionCounters {
  readonly lastClientId: number
  readonly activity: number
  readonly lastSweepMs: number
  /** How large the state may grow; 0: however large. */
  readonly quotaBytes: number
}

/** How records become bytes; see wire/state.ts. */
export interface SessionCodec {
  encodeSession(record: SessionRecord): Uint8Array
  decodeSession(bytes: Uint8Array): SessionRecord
  encodeCounters(counters: SessionCounters): Uint8Array
  decodeCounters(bytes: Uint8Array): SessionCounters
}

/** Bounds of the session table. They are part of the replicated state machine: the same on every node, in every version. */
const RESULTS_PER_SESSION_MAX = 8_192
const RESULT_BYTES_PER_SESSION_MAX = 64 * 1024 * 1024
const SESSION_COUNT_MAX = 100_000
const IDLE_MS_MAX = 60 * 60 * 1000
const SWEEP_INTERVAL_MS = 60 * 1000

const MACHINE_PREFIX = 'machine/'
const SESSION_PREFIX = 'session/'
const COUNTERS_KEY = 'sessions'

const SESSION_EXPIRED: SessionOutcome = Object.freeze({ kind: 'sessionExpired' })
const ALREADY_ACKNOWLEDGED: SessionOutcome = Object.freeze({ kind: 'alreadyAcknowledged' })
const OVERLOADED: SessionOutcome = Object.freeze({ kind: 'overloaded' })
const SKIPPED: SessionOutcome = Object.freeze({ kind: 'skipped' })
const NO_RESULT = new Uint8Array(0)

interface Session extends Listed<SessionRecord | undefined> {
  readonly clientId: number
  firstUnacknowledged: number
  lastActiveMs: number
  lastActivity: number
  readonly results: Map<number, SessionResult>
  resultBytes: number
  isDropped: boolean
  /** Neighbours in the order of activity. */
  longerIdle: Session | undefined
  shorterIdle: Session | undefined
}

/**
 * Exactly once, around any state machine (RIFL, SOSP '15, section 3): each session keeps the results that its client has not
 * acknowledged, so that a retry of a decided command gets the first result, whichever node asks and whichever node answers.
 * Replicated state itself: sessions are opened, and expire, by the log alone.
 */
export class Sessions {
  readonly #machine: StateMachine
  readonly #codec: SessionCodec
  #table = new SessionTable()
  #quotaBytes = 0

  constructor(machine: StateMachine, codec: SessionCodec) {
    this.#machine = machine
    this.#codec = codec
  }

  get sessionCount(): number {
    return this.#table.size
  }

  /** How large the state may grow: replicated, set by the genesis and by commands. 0: however large. */
  get quotaBytes(): number {
    return this.#quotaBytes
  }

  /** What the sessions and the machine, as far as it counts, take in memory. */
  get stateBytes(): number {
    return this.#table.bytes + (this.#machine.stateBytes ?? 0)
  }

  /** The cluster's first quota. */
  begin(quotaBytes: number): void {
    this.#quotaBytes = quotaBytes
  }

  /** Opens a session and gives its client id, from 1, never given twice. Past 100,000 sessions the one longest idle goes. */
  openSession(at: Moment): number {
    return this.#table.open(at)
  }

  /** See StateMachine. */
  onSlot(at: Moment): void {
    this.#machine.onSlot?.(at)
  }

  /** See StateMachine. */
  get dueMs(): number | undefined {
    return this.#machine.dueMs?.()
  }

  /** Carries a command out, unless it has been already. */
  apply(request: SessionCommand, at: Moment): SessionOutcome {
    const session = this.#table.use(request.clientId, at)
    if (session === undefined) return SESSION_EXPIRED
    const known = this.#knownOutcome(session, request)
    if (known !== undefined) return known
    const result = this.#carryOut(request, at)
    this.#table.keep(session, { requestNumber: request.requestNumber, slot: at.slot, result, skipped: false })
    return { kind: 'result', slot: at.slot, result }
  }

  /** In the place of apply, for a command of a slot that is skipped: it counts as used up, so that no retry carries it out. */
  skip(request: SessionCommand, at: Moment): SessionOutcome {
    const session = this.#table.use(request.clientId, at)
    if (session === undefined) return SESSION_EXPIRED
    const known = this.#knownOutcome(session, request)
    if (known !== undefined) return known
    this.#table.keep(session, { requestNumber: request.requestNumber, slot: at.slot, result: NO_RESULT, skipped: true })
    return SKIPPED
  }

  /** What a request comes to without being carried out; undefined: it is to be carried out now. */
  #knownOutcome(session: Session, { requestNumber, firstUnacknowledged }: SessionCommand): SessionOutcome | undefined {
    this.#table.acknowledge(session, firstUnacknowledged)
    if (requestNumber < session.firstUnacknowledged) return ALREADY_ACKNOWLEDGED
    const known = session.results.get(requestNumber)
    if (known !== undefined) return known.skipped ? SKIPPED : { kind: 'result', slot: known.slot, result: known.result }
    const isFull = session.results.size >= RESULTS_PER_SESSION_MAX || session.resultBytes >= RESULT_BYTES_PER_SESSION_MAX
    return isFull ? OVERLOADED : undefined
  }

  #carryOut({ command, quotaBytes = 0 }: SessionCommand, at: Moment): Uint8Array {
    if (quotaBytes > 0) {
      this.#quotaBytes = quotaBytes
      return NO_RESULT
    }
    if (this.#quotaBytes === 0) return this.#machine.apply(command, at)
    const { slot, timeMs } = at
    return this.#machine.apply(command, { slot, timeMs, roomBytes: this.#quotaBytes - this.stateBytes })
  }

  /** The entries of the sessions and of the machine, under key prefixes of their own; see StateMachine.changes. */
  changes(): Iterable<StateEntry> {
    const counters = { ...this.#table.counters, quotaBytes: this.#quotaBytes }
    return joined(this.#ownEntries(counters, this.#table.takeChanges()), this.#machine.changes())
  }

  /** See StateMachine.onCheckpointed. */
  onCheckpointed(): void {
    this.#machine.onCheckpointed()
  }

  /** See StateMachine.restore. */
  restore(history: HistoryReader): Restoration {
    const machine = this.#machine.restore({ read: (key) => history.read(MACHINE_PREFIX + key) })
    const records: SessionRecord[] = []
    let counters = NOTHING_COUNTED
    return {
      load: (entries) => {
        const machineEntries: StateEntry[] = []
        for (const { key, value } of entries) {
          if (value === undefined) continue
          if (key.startsWith(MACHINE_PREFIX)) {
            machineEntries.push({ key: key.slice(MACHINE_PREFIX.length), value, keyspace: 'state' })
          } else if (key === COUNTERS_KEY) counters = this.#codec.decodeCounters(value)
          else if (key.startsWith(SESSION_PREFIX)) records.push(this.#codec.decodeSession(value))
          else assert(false, `every entry of a checkpoint is known: ${key}`)
        }
        if (machineEntries.length > 0) machine.load(machineEntries)
      },
      finish: () => {
        machine.finish()
        this.#table = new SessionTable(counters, records)
        this.#quotaBytes = counters.quotaBytes
      },
    }
  }

  *#ownEntries(counters: SessionCounters, changes: Iterable<SessionChange>): Generator<StateEntry> {
    yield { key: COUNTERS_KEY, value: this.#codec.encodeCounters(counters), keyspace: 'state' }
    for (const { record, state } of changes) {
      const value = state && this.#codec.encodeSession(state)
      yield { key: SESSION_PREFIX + record.clientId, value, keyspace: 'state' }
    }
  }
}

interface SessionChange {
  readonly record: Session
  /** Undefined when it is gone. */
  readonly state: SessionRecord | undefined
}

const NOTHING_COUNTED: SessionCounters = Object.freeze({ lastClientId: 0, activity: 0, lastSweepMs: 0, quotaBytes: 0 })

/** The sessions, in the order of their activity. */
class SessionTable {
  readonly #sessions = new Map<number, Session>()
  readonly #changes = new ChangeList<Session, SessionRecord | undefined>(recordOf)
  #longestIdle: Session | undefined
  #shortestIdle: Session | undefined
  #lastClientId: number
  #activity: number
  #lastSweepMs: number
  #bytes = 0

  constructor(counters = NOTHING_COUNTED, records: SessionRecord[] = []) {
    this.#lastClientId = counters.lastClientId
    this.#activity = counters.activity
    this.#lastSweepMs = counters.lastSweepMs
    records.sort((a, b) => a.lastActivity - b.lastActivity)
    for (const record of records) this.#load(record)
  }

  get size(): number {
    return this.#sessions.size
  }

  /** What they take in memory. */
  get bytes(): number {
    return this.#bytes
  }

  get counters(): Omit<SessionCounters, 'quotaBytes'> {
    return { lastClientId: this.#lastClientId, activity: this.#activity, lastSweepMs: this.#lastSweepMs }
  }

  takeChanges(): Iterable<SessionChange> {
    return this.#changes.take()
  }

  open(at: Moment): number {
    this.#maybeSweep(at.timeMs)
    this.#lastClientId++
    const session = newSession({
      clientId: this.#lastClientId,
      firstUnacknowledged: 1,
      lastActiveMs: at.timeMs,
      lastActivity: 0,
      results: [],
    })
    this.#add(session)
    this.#touch(session, at.timeMs)
    if (this.#sessions.size > SESSION_COUNT_MAX && this.#longestIdle !== undefined) this.#drop(this.#longestIdle)
    return session.clientId
  }

  /** The session, for the caller to change; undefined when there is none. It is the one that was active last now. */
  use(clientId: number, at: Moment): Session | undefined {
    this.#maybeSweep(at.timeMs)
    const session = this.#sessions.get(clientId)
    if (session !== undefined) this.#touch(session, at.timeMs)
    return session
  }

  /** Forgets the results below the number. A number may jump far ahead: then the results are walked, not the numbers. */
  acknowledge(session: Session, firstUnacknowledged: number): void {
    if (firstUnacknowledged <= session.firstUnacknowledged) return
    if (firstUnacknowledged - session.firstUnacknowledged <= session.results.size) {
      for (let number = session.firstUnacknowledged; number < firstUnacknowledged; number++) this.#forget(session, number)
    } else {
      for (const number of session.results.keys()) if (number < firstUnacknowledged) this.#forget(session, number)
    }
    session.firstUnacknowledged = firstUnacknowledged
  }

  keep(session: Session, result: SessionResult): void {
    session.results.set(result.requestNumber, result)
    session.resultBytes += result.result.length
    this.#bytes += RESULT_BYTES + result.result.length
  }

  #forget(session: Session, requestNumber: number): void {
    const known = session.results.get(requestNumber)
    if (known === undefined) return
    session.results.delete(requestNumber)
    session.resultBytes -= known.result.length
    this.#bytes -= RESULT_BYTES + known.result.length
  }

  #load(record: SessionRecord): void {
    this.#add(newSession(record))
  }

  #add(session: Session): void {
    this.#sessions.set(session.clientId, session)
    this.#bytes += bytesOf(session)
    this.#link(session)
  }

  /** At most once a minute of log time: when a session goes depends on the log alone, not on when somebody looks. */
  #maybeSweep(nowMs: number): void {
    if (nowMs - this.#lastSweepMs < SWEEP_INTERVAL_MS) return
    this.#lastSweepMs = nowMs
    while (this.#longestIdle !== undefined && nowMs - this.#longestIdle.lastActiveMs >= IDLE_MS_MAX) this.#drop(this.#longestIdle)
  }

  #touch(session: Session, nowMs: number): void {
    this.#changes.onChange(session)
    this.#activity++
    session.lastActivity = this.#activity
    session.lastActiveMs = nowMs
    if (this.#shortestIdle === session) return
    this.#unlink(session)
    this.#link(session)
  }

  #drop(session: Session): void {
    this.#changes.onChange(session)
    session.isDropped = true
    this.#unlink(session)
    this.#sessions.delete(session.clientId)
    this.#bytes -= bytesOf(session)
  }

  /** Puts the session at the end of the order of activity. */
  #link(session: Session): void {
    session.longerIdle = this.#shortestIdle
    session.shorterIdle = undefined
    if (this.#shortestIdle === undefined) this.#longestIdle = session
    else this.#shortestIdle.shorterIdle = session
    this.#shortestIdle = session
  }

  #unlink(session: Session): void {
    const { longerIdle, shorterIdle } = session
    if (longerIdle === undefined) this.#longestIdle = shorterIdle
    else longerIdle.shorterIdle = shorterIdle
    if (shorterIdle === undefined) this.#shortestIdle = longerIdle
    else shorterIdle.longerIdle = longerIdle
  }
}

function newSession(record: SessionRecord): Session {
  return {
    clientId: record.clientId,
    firstUnacknowledged: record.firstUnacknowledged,
    lastActiveMs: record.lastActiveMs,
    lastActivity: record.lastActivity,
    results: new Map(record.results.map((result) => [result.requestNumber, result])),
    resultBytes: record.results.reduce((sum, { result }) => sum + result.length, 0),
    isDropped: false,
    longerIdle: undefined,
    shorterIdle: undefined,
    changedIn: 0,
    kept: undefined,
  }
}

/** A session as it is, not to be changed by what becomes of it. */
function recordOf(session: Session): SessionRecord | undefined {
  if (session.isDropped) return undefined
  const { clientId, firstUnacknowledged, lastActiveMs, lastActivity } = session
  return { clientId, firstUnacknowledged, lastActiveMs, lastActivity, results: Array.from(session.results.values()) }
}

function bytesOf({ results, resultBytes }: Session): number {
  return SESSION_BYTES + results.size * RESULT_BYTES + resultBytes
}

function* joined(own: Iterable<StateEntry>, machine: Iterable<StateEntry>): Generator<StateEntry> {
  yield* own
  for (const entry of machine) yield new MachineEntry(entry)
}

/** An entry of the machine under its prefix. The value is not looked at before its time: it may be encoded only then. */
class MachineEntry implements StateEntry {
  readonly key: string
  readonly keyspace: 'state' | 'history'
  readonly isNew: boolean
  readonly #entry: StateEntry

  constructor(entry: StateEntry) {
    this.key = MACHINE_PREFIX + entry.key
    this.keyspace = entry.keyspace
    this.isNew = entry.isNew === true
    this.#entry = entry
  }

  get value(): Uint8Array | undefined {
    return this.#entry.value
  }
}
