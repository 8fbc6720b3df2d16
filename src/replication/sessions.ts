import { assert } from '../tables/assert.js'
import { Deadlines } from '../tables/deadlines.js'
import { drained } from '../tables/steps.js'
import { deadlineEntries } from './deadline-records.js'
import type { EventLog } from './event-log.js'
import { knowsLevel, LEVEL_MIN, type LevelRange, type RaisedLevel } from './levels.js'
import { joined, MACHINE_PREFIX } from './machine-entries.js'
import { shareOf } from './quota-share.js'
import { type SessionCodec, SessionEntries } from './session-entries.js'
import {
  type KeptAnswer,
  SESSION_LIMITS,
  type SessionLimits,
  type SessionName,
  SessionState,
  SessionTable,
} from './session-table.js'
import {
  ENDS_PER_SLOT_MAX,
  type HistoryReader,
  type Moment,
  type Restoration,
  type StateEntry,
  type StateMachine,
} from './state-machine.js'

/** A client's command with what makes it exactly-once. */
export interface SessionCommand extends SessionName {
  /** From 1, each used once; a retry keeps it. */
  readonly requestNumber: number
  /** Every result below may be forgotten. At most requestNumber. */
  readonly firstUnacknowledged: number
  readonly command: Uint8Array
  /** In the place of a command: the state's quota from now on. Absent or 0: there is a command. */
  readonly quotaBytes?: number
}

/** The outcome of a session's command. Only a result means that it was carried out, then or earlier. */
export type SessionOutcome =
  /** The result, and the slot in which it took effect; a retry gets the first one's. */
  | { readonly kind: 'result'; readonly slot: number; readonly result: Uint8Array }
  /** There is no such session, or no more. */
  | { readonly kind: 'sessionExpired' }
  /** The client has said that it needs no result below a higher number. */
  | { readonly kind: 'alreadyAcknowledged' }
  /** Another command has this number. */
  | { readonly kind: 'idReused' }
  /** The number, or the acknowledgement, is beyond all that the session has asked so far. */
  | { readonly kind: 'beyondAsked' }
  /** The session kept as many unacknowledged results as it may, or as large ones. The number stays refused. */
  | { readonly kind: 'sessionFull' }
  /** Its slot was skipped: it was not carried out, and never will be under this number. */
  | { readonly kind: 'skipped' }

/** By so much a request number may be above all before it: more than a client ever has under way. */
const NUMBERS_AHEAD_MAX = 2 ** 20
const SESSION_EXPIRED: SessionOutcome = Object.freeze({ kind: 'sessionExpired' })
const ALREADY_ACKNOWLEDGED: SessionOutcome = Object.freeze({ kind: 'alreadyAcknowledged' })
const ID_REUSED: SessionOutcome = Object.freeze({ kind: 'idReused' })
const BEYOND_ASKED: SessionOutcome = Object.freeze({ kind: 'beyondAsked' })
const SESSION_FULL: SessionOutcome = Object.freeze({ kind: 'sessionFull' })
const SKIPPED: SessionOutcome = Object.freeze({ kind: 'skipped' })
const NO_RESULT = new Uint8Array(0)
const FIRST_LEVEL: RaisedLevel = Object.freeze({ level: LEVEL_MIN, levelVersion: '' })

/**
 * Exactly once, around any state machine (RIFL, SOSP '15, section 3): each session keeps the results that its client has not
 * acknowledged, so that a retry of a decided command gets the first result, whichever node asks and whichever node answers.
 * Replicated state itself: sessions are opened and closed, and expire, by the log alone.
 */
export class Sessions {
  readonly #machine: StateMachine
  readonly #codec: SessionCodec
  readonly #limits: SessionLimits
  #deadlines = new Deadlines(['session'])
  #table: SessionTable
  #quotaBytes = 0
  #raised = FIRST_LEVEL
  readonly #entries: SessionEntries

  /** `limits`: others than the real ones in tests only. */
  constructor(machine: StateMachine, codec: SessionCodec, limits: SessionLimits = SESSION_LIMITS) {
    this.#machine = machine
    this.#codec = codec
    this.#entries = new SessionEntries(codec)
    this.#limits = limits
    this.#table = new SessionTable(limits, this.#deadlines)
  }

  get sessionCount(): number {
    return this.#table.size
  }

  /** The quota of the state, in bytes: replicated, set by the genesis and by commands. 0: none. */
  get quotaBytes(): number {
    return this.#quotaBytes
  }

  /** The level in force, and who raised it: replicated, set by the genesis and raised by the log. The lowest before there is a cluster. */
  get raised(): RaisedLevel {
    return this.#raised
  }

  /** The levels at which the machine can apply commands. */
  get knownLevels(): LevelRange {
    return { levelMin: LEVEL_MIN, levelMax: this.#machine.levelMax ?? LEVEL_MIN }
  }

  /** Memory of the sessions and of the machine, as far as it counts, in bytes. */
  get stateBytes(): number {
    return this.#table.bytes + (this.#machine.stateBytes ?? 0)
  }

  /** See StateMachine.writtenBytes; 0 if the machine does not say. */
  get writtenBytes(): number {
    return this.#machine.writtenBytes ?? 0
  }

  /** See StateMachine.events. */
  get events(): EventLog | undefined {
    return this.#machine.events
  }

  /** The cluster's first quota and level, which the machine must know. */
  begin({ quotaBytes, level, levelVersion }: RaisedLevel & { readonly quotaBytes: number }): void {
    this.#setQuota(quotaBytes)
    this.raiseLevel({ level, levelVersion })
  }

  /** In force from the next command on, unless it is already. The machine must know it. */
  raiseLevel(raised: RaisedLevel): void {
    if (raised.level <= this.#raised.level) return
    assert(knowsLevel(this.knownLevels, raised.level), 'nothing is applied at a level that is not known')
    this.#raised = raised
    this.#machine.onLevel?.(raised.level)
  }

  /** Opens a session and gives its client id, from 1, never given twice. `token`: 16 random bytes. */
  openSession(token: Uint8Array, at: Moment): number {
    return this.#table.open(token, at)
  }

  /** Ends a session, with all that it keeps. False when there is none of that name, or no more. */
  closeSession(name: SessionName, at: Moment): boolean {
    return this.#table.close(name, at)
  }

  /** Ends sessions that are due, then what the machine has; see StateMachine.onSlotInSteps. Undefined when nothing of that is left. */
  onSlot(at: Moment): Generator<undefined, void> | undefined {
    const endsMax = ENDS_PER_SLOT_MAX - this.#table.endDue(at.timeMs, ENDS_PER_SLOT_MAX)
    if (this.#machine.onSlotInSteps !== undefined) return this.#machine.onSlotInSteps(at, endsMax)
    this.#machine.onSlot?.(at, endsMax)
    return undefined
  }

  /** Earliest end of a session or in the machine; see StateMachine.nextDeadlineMs. */
  get nextDeadlineMs(): number | undefined {
    const own = this.#deadlines.nextMs
    const machine = this.#machine.nextDeadlineMs
    return own === undefined || (machine !== undefined && machine < own) ? machine : own
  }

  /** Carries a command out, unless it has been already. */
  apply(request: SessionCommand, at: Moment): SessionOutcome {
    const applied = this.applyInSteps(request, at)
    return 'next' in applied ? drained(applied) : applied
  }

  /** As apply; of a command that takes long, the steps of it. See StateMachine.applyInSteps. */
  applyInSteps(request: SessionCommand, at: Moment): SessionOutcome | Generator<undefined, SessionOutcome> {
    const session = this.#table.use(request, at)
    if (session === undefined) return SESSION_EXPIRED
    const known = this.#knownOutcome(session, request)
    if (known !== undefined) return known
    const carriedOut = this.#carryOut(request, at)
    if ('next' in carriedOut) return this.#keepWhenDone(session, request, { slot: at.slot, steps: carriedOut })
    return this.#keep(session, request, { slot: at.slot, outcome: carriedOut })
  }

  /** See StateMachine. */
  answer(command: Uint8Array): Uint8Array | undefined {
    return this.#machine.answer?.(command)
  }

  /** In the place of apply, for a command of a slot that is skipped: it counts as used up, so that no retry carries it out. */
  skip(request: SessionCommand, at: Moment): SessionOutcome {
    const session = this.#table.use(request, at)
    if (session === undefined) return SESSION_EXPIRED
    return this.#knownOutcome(session, request) ?? this.#keep(session, request, { slot: at.slot, outcome: 'skipped' })
  }

  /** The entries of the sessions and of the machine, under key prefixes of their own; see StateMachine.changes. */
  changes(): Iterable<StateEntry> {
    const counters = { ...this.#table.counters, quotaBytes: this.#quotaBytes }
    const sessions = this.#entries.changed(counters, this.#table.takeChanges())
    return joined([sessions, deadlineEntries(this.#deadlines.takeChanges())], this.#machine.changes())
  }

  /** See StateMachine.onCheckpointed. */
  onCheckpointed(): void {
    this.#machine.onCheckpointed()
  }

  /** See StateMachine.restore. `raised`: the level in force, which the machine must know; absent, or of level 0: there is no cluster yet. */
  restore(history: HistoryReader, raised: RaisedLevel = FIRST_LEVEL): Restoration {
    const { level, levelVersion } = raised.level === 0 ? FIRST_LEVEL : raised
    assert(knowsLevel(this.knownLevels, level), 'no entry of an unknown level is read')
    this.#raised = { level, levelVersion }
    this.#machine.onLevel?.(level)
    this.#deadlines = new Deadlines(['session'])
    this.#table = new SessionTable(this.#limits, this.#deadlines)
    const machine = this.#machine.restore({ read: (key) => history.read(MACHINE_PREFIX + key) })
    const loading = this.#entries.beginLoading()
    return {
      load: (entries) => {
        const machineEntries: StateEntry[] = []
        for (const { key, value } of entries) {
          if (value === undefined) continue
          if (key.startsWith(MACHINE_PREFIX)) {
            machineEntries.push({ key: key.slice(MACHINE_PREFIX.length), value, keyspace: 'state' })
          } else loading.add(key, value)
        }
        if (machineEntries.length > 0) machine.load(machineEntries)
      },
      finish: () => {
        machine.finish()
        this.#deadlines = loading.deadlines
        this.#table = loading.finish(this.#limits)
        this.#setQuota(loading.quotaBytes)
      },
    }
  }

  /** Returns the outcome of a request that is not to be carried out; undefined: it is to be carried out now. */
  #knownOutcome(session: SessionState, request: SessionCommand): SessionOutcome | undefined {
    const { requestNumber, firstUnacknowledged } = request
    if (requestNumber < session.firstUnacknowledged) return ALREADY_ACKNOWLEDGED
    if (firstUnacknowledged > requestNumber || requestNumber > session.askedUpTo + NUMBERS_AHEAD_MAX) return BEYOND_ASKED
    const known = session.answers.get(requestNumber)
    if (known !== undefined && known.digest !== this.#digestOf(request)) return ID_REUSED
    this.#table.acknowledge(session, firstUnacknowledged)
    session.askedUpTo = Math.max(session.askedUpTo, requestNumber)
    if (known !== undefined) return outcomeOf(known)
    const { answersPerSessionMax, answerBytesPerSessionMax } = this.#limits
    const isFull = session.answers.size >= answersPerSessionMax || session.answerBytes >= answerBytesPerSessionMax
    return isFull ? this.#refuseFull(session, request) : undefined
  }

  /** Other requests are refused, too, until the client acknowledges; one that never does is given up. */
  #refuseFull(session: SessionState, request: SessionCommand): SessionOutcome {
    if (session.answers.size < 2 * this.#limits.answersPerSessionMax)
      return this.#keep(session, request, { slot: 0, outcome: 'sessionFull' })
    this.#table.end(session)
    return SESSION_EXPIRED
  }

  #keep(session: SessionState, request: SessionCommand, { slot, outcome }: Pick<KeptAnswer, 'slot' | 'outcome'>): SessionOutcome {
    const answer = { requestNumber: request.requestNumber, digest: this.#digestOf(request), slot, outcome }
    this.#table.keep(session, answer)
    return outcomeOf(answer)
  }

  *#keepWhenDone(
    session: SessionState,
    request: SessionCommand,
    { slot, steps }: { readonly slot: number; readonly steps: Generator<undefined, Uint8Array> },
  ): Generator<undefined, SessionOutcome> {
    const outcome = yield* steps
    yield
    return this.#keep(session, request, { slot, outcome })
  }

  #digestOf({ command, quotaBytes = 0 }: SessionCommand): number {
    return quotaBytes > 0 ? quotaBytes : this.#codec.digest(command)
  }

  #carryOut(
    { command, quotaBytes = 0 }: SessionCommand,
    { slot, timeMs }: Moment,
  ): Uint8Array | Generator<undefined, Uint8Array> {
    if (quotaBytes > 0) {
      this.#setQuota(quotaBytes)
      return NO_RESULT
    }
    const quota = this.#quotaBytes
    const { level } = this.#raised
    const at =
      quota === 0 ? { slot, timeMs, level } : { slot, timeMs, level, roomBytes: quota - this.stateBytes, quotaBytes: quota }
    return this.#machine.applyInSteps?.(command, at) ?? this.#machine.apply(command, at)
  }

  #setQuota(quotaBytes: number): void {
    this.#quotaBytes = quotaBytes
    this.#table.bytesMax = shareOf(quotaBytes)
  }
}

function outcomeOf({ slot, outcome }: KeptAnswer): SessionOutcome {
  if (outcome === 'sessionFull') return SESSION_FULL
  return outcome === 'skipped' ? SKIPPED : { kind: 'result', slot, result: outcome }
}
