import { assert } from '../tables/assert.js'
import { type Change, ChangeList, type Listed } from '../tables/change-list.js'
import type { Deadlines } from '../tables/deadlines.js'
import { RESULT_BYTES, SESSION_BYTES } from '../tables/row-bytes.js'
import type { Moment } from './state-machine.js'

/** Names a session. Both must be right: the number alone can be guessed. */
export interface SessionName {
  /** From 1, never given twice: a late repeat of the opening cannot bring back a session that is gone. */
  readonly clientId: number
  /** 16 random bytes, known to the client alone. */
  readonly token: Uint8Array
}

/** Bounds of the session table: part of the replicated state machine, the same on every node. */
export interface SessionLimits {
  /** Past it the session that was idle for the longest time goes. */
  readonly sessionCountMax: number
  /** Answers that a session keeps, and what they take: past either, commands are refused until some have been acknowledged. */
  readonly answersPerSessionMax: number
  readonly answerBytesPerSessionMax: number
  /** Bytes that the answers of all sessions may take: past it, the sessions that were idle for the longest time end. */
  readonly answerBytesMax: number
  /** A session that is idle for so long of log time ends. */
  readonly idleMsMax: number
}

export const SESSION_LIMITS: SessionLimits = Object.freeze({
  sessionCountMax: 100_000,
  answersPerSessionMax: 8_192,
  answerBytesPerSessionMax: 4 * 1024 * 1024,
  answerBytesMax: 64 * 1024 * 1024,
  idleMsMax: 60 * 60 * 1000,
})

/** Number of sessions that give way to another one at once, at most: the rest follow with the next ones. */
const EVICTED_MAX = 1_000

/** The outcome of a request number: it never changes while the session keeps it. */
export interface KeptAnswer {
  readonly requestNumber: number
  /** Digest of the command, so that another one under the same number is noticed. */
  readonly digest: number
  readonly slot: number
  /** The result, or why there is none, and never will be. */
  readonly outcome: Uint8Array | 'sessionFull' | 'skipped'
}

/** A session as it stands in a checkpoint. */
export interface SessionRecord {
  readonly clientId: number
  /** One character from U+0000 to U+00FF for each byte. */
  readonly token: string
  readonly firstUnacknowledged: number
  /** The highest request number so far. */
  readonly askedUpTo: number
  readonly lastActiveMs: number
  /** When it was last active, in commands: orders sessions even within a slot. */
  readonly lastActivity: number
  readonly answers: readonly KeptAnswer[]
}

/** The counters of the session table, as they stand in a checkpoint. */
export interface SessionCounters {
  readonly lastClientId: number
  readonly activity: number
  /** The quota of the state, in bytes; 0: none. */
  readonly quotaBytes: number
}

const NOTHING_COUNTED: SessionCounters = Object.freeze({ lastClientId: 0, activity: 0, quotaBytes: 0 })

/** One client's session, with the answers that it has not acknowledged. */
export class SessionState implements Listed<SessionRecord | undefined> {
  readonly clientId: number
  readonly token: string
  firstUnacknowledged: number
  askedUpTo: number
  lastActiveMs: number
  lastActivity: number
  readonly answers: Map<number, KeptAnswer>
  /** Bytes of the answers. */
  answerBytes: number
  isGone = false
  changedIn = 0
  kept: SessionRecord | undefined = undefined
  /** Neighbours in the order of activity. */
  longerIdle: SessionState | undefined = undefined
  shorterIdle: SessionState | undefined = undefined

  constructor(record: SessionRecord) {
    this.clientId = record.clientId
    this.token = record.token
    this.firstUnacknowledged = record.firstUnacknowledged
    this.askedUpTo = record.askedUpTo
    this.lastActiveMs = record.lastActiveMs
    this.lastActivity = record.lastActivity
    this.answers = new Map(record.answers.map((answer) => [answer.requestNumber, answer]))
    this.answerBytes = record.answers.reduce((sum, answer) => sum + bytesOf(answer), 0)
  }

  /** As it is, not to be changed by what becomes of it. */
  toRecord(): SessionRecord | undefined {
    if (this.isGone) return undefined
    const { clientId, token, firstUnacknowledged, askedUpTo, lastActiveMs, lastActivity } = this
    const answers = Array.from(this.answers.values())
    return { clientId, token, firstUnacknowledged, askedUpTo, lastActiveMs, lastActivity, answers }
  }
}

/**
 * The sessions, in the order of their activity. One that is idle for too long is over, to the millisecond of log time. Its deadline is not
 * moved at each of its commands: when it has come, and the session has been used since, it is set anew.
 */
export class SessionTable {
  /** Memory that they may take, a share of the state's quota: past it, those that were idle for the longest time end. */
  bytesMax = Number.POSITIVE_INFINITY
  readonly #limits: SessionLimits
  readonly #sessions = new Map<number, SessionState>()
  readonly #changes = new ChangeList<SessionState, SessionRecord | undefined>((session) => session.toRecord())
  readonly #deadlines: Deadlines
  #answerBytes = 0
  #longestIdle: SessionState | undefined
  #shortestIdle: SessionState | undefined
  #lastClientId: number
  #activity: number

  /** `sessions`: those of a checkpoint, in any order; `deadlines`: those of the same sessions. */
  constructor(limits: SessionLimits, deadlines: Deadlines, counters = NOTHING_COUNTED, sessions: SessionState[] = []) {
    this.#limits = limits
    this.#deadlines = deadlines
    this.#lastClientId = counters.lastClientId
    this.#activity = counters.activity
    sessions.sort((a, b) => a.lastActivity - b.lastActivity)
    for (const session of sessions) this.#add(session)
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Bytes of the answers of all sessions. */
  get answerBytes(): number {
    return this.#answerBytes
  }

  /** Memory of the sessions, in bytes. */
  get bytes(): number {
    return this.#sessions.size * SESSION_BYTES + this.#answerBytes + this.#deadlines.bytes
  }

  get counters(): Omit<SessionCounters, 'quotaBytes'> {
    return { lastClientId: this.#lastClientId, activity: this.#activity }
  }

  /** See ChangeList.take. */
  takeChanges(): Iterable<Change<SessionState, SessionRecord | undefined>> {
    return this.#changes.take()
  }

  /** Ends sessions whose time has come, looking at so many at most. Gives how many it has looked at. */
  endDue(nowMs: number, countMax: number): number {
    for (let count = 0; count < countMax; count++) {
      const due = this.#deadlines.takeDue(nowMs)
      if (due === undefined) return count
      const session = this.#sessions.get(Number(due.id))
      assert(session !== undefined, 'a session that is gone has no deadline')
      if (this.#isOver(session, nowMs)) this.#end(session)
      else this.#setDeadline(session)
    }
    return countMax
  }

  /** Opens a session under the next number; gives that. */
  open(token: Uint8Array, at: Moment): number {
    const session = new SessionState({
      clientId: ++this.#lastClientId,
      token: textOf(token),
      firstUnacknowledged: 1,
      askedUpTo: 0,
      lastActiveMs: at.timeMs,
      lastActivity: 0,
      answers: [],
    })
    this.#add(session)
    this.#touch(session, at.timeMs)
    this.#setDeadline(session)
    this.#makeRoom(session)
    return session.clientId
  }

  /** Ends a session. False when there is none of that name. */
  close(name: SessionName, at: Moment): boolean {
    const session = this.#find(name, at.timeMs)
    if (session !== undefined) this.#end(session)
    return session !== undefined
  }

  /** The session, undefined when there is none. It is the one that was active last now. */
  use(name: SessionName, at: Moment): SessionState | undefined {
    const session = this.#find(name, at.timeMs)
    if (session === undefined) return undefined
    this.#touch(session, at.timeMs)
    return session
  }

  /** Forgets the answers below the number. A number may jump far ahead: then the answers are walked, not the numbers. */
  acknowledge(session: SessionState, firstUnacknowledged: number): void {
    if (firstUnacknowledged <= session.firstUnacknowledged) return
    if (firstUnacknowledged - session.firstUnacknowledged <= session.answers.size) {
      for (let number = session.firstUnacknowledged; number < firstUnacknowledged; number++) this.#forget(session, number)
    } else {
      for (const number of session.answers.keys()) if (number < firstUnacknowledged) this.#forget(session, number)
    }
    session.firstUnacknowledged = firstUnacknowledged
  }

  /** Makes room for the session that was active last: those that were idle for the longest time end. */
  keep(session: SessionState, answer: KeptAnswer): void {
    const bytes = bytesOf(answer)
    session.answers.set(answer.requestNumber, answer)
    session.answerBytes += bytes
    this.#answerBytes += bytes
    this.#makeRoom(session)
  }

  /** The session has asked for more than one that behaves may. */
  end(session: SessionState): void {
    this.#end(session)
  }

  /** For the session that was active last: others go, as long as they are too much. */
  #makeRoom(session: SessionState): void {
    const { sessionCountMax, answerBytesMax } = this.#limits
    const isTooMuch = (): boolean =>
      this.#sessions.size > sessionCountMax || this.#answerBytes > answerBytesMax || this.bytes > this.bytesMax
    for (let i = 0; i < EVICTED_MAX && isTooMuch(); i++) {
      if (this.#longestIdle === undefined || this.#longestIdle === session) return
      this.#end(this.#longestIdle)
    }
  }

  #forget(session: SessionState, requestNumber: number): void {
    const answer = session.answers.get(requestNumber)
    if (answer === undefined) return
    const bytes = bytesOf(answer)
    session.answers.delete(requestNumber)
    session.answerBytes -= bytes
    this.#answerBytes -= bytes
  }

  #find({ clientId, token }: SessionName, nowMs: number): SessionState | undefined {
    const session = this.#sessions.get(clientId)
    if (session === undefined || this.#isOver(session, nowMs)) return undefined
    return isTextOf(session.token, token) ? session : undefined
  }

  /** Its time has come, though others may have to end before it. */
  #isOver({ lastActiveMs }: SessionState, nowMs: number): boolean {
    return nowMs - lastActiveMs >= this.#limits.idleMsMax
  }

  #setDeadline({ clientId, lastActiveMs }: SessionState): void {
    this.#deadlines.set('session', String(clientId), lastActiveMs + this.#limits.idleMsMax)
  }

  #add(session: SessionState): void {
    this.#sessions.set(session.clientId, session)
    this.#answerBytes += session.answerBytes
    this.#link(session)
  }

  #touch(session: SessionState, nowMs: number): void {
    this.#changes.onChange(session)
    this.#activity++
    session.lastActivity = this.#activity
    session.lastActiveMs = nowMs
    if (this.#shortestIdle === session) return
    this.#unlink(session)
    this.#link(session)
  }

  #end(session: SessionState): void {
    this.#changes.onChange(session)
    session.isGone = true
    this.#unlink(session)
    this.#deadlines.delete('session', String(session.clientId))
    this.#sessions.delete(session.clientId)
    this.#answerBytes -= session.answerBytes
  }

  /** Puts the session at the end of the order of activity. */
  #link(session: SessionState): void {
    session.longerIdle = this.#shortestIdle
    session.shorterIdle = undefined
    if (this.#shortestIdle === undefined) this.#longestIdle = session
    else this.#shortestIdle.shorterIdle = session
    this.#shortestIdle = session
  }

  #unlink(session: SessionState): void {
    const { longerIdle, shorterIdle } = session
    if (longerIdle === undefined) this.#longestIdle = shorterIdle
    else longerIdle.shorterIdle = shorterIdle
    if (shorterIdle === undefined) this.#shortestIdle = longerIdle
    else shorterIdle.longerIdle = longerIdle
  }
}

function bytesOf({ outcome }: KeptAnswer): number {
  return RESULT_BYTES + (typeof outcome === 'string' ? 0 : outcome.length)
}

/** As text the token stands in the heap with all else; see KeptBytes. */
function textOf(token: Uint8Array): string {
  return String.fromCharCode(...token)
}

function isTextOf(text: string, token: Uint8Array): boolean {
  if (token.length !== text.length) return false
  for (let i = 0; i < token.length; i++) if (text.charCodeAt(i) !== token[i]) return false
  return true
}
