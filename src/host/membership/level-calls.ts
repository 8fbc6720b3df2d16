import type { Roster } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'
import { knowsLevel } from '../../replication/levels.js'
import { type Answer, type Cancellation, MemberError } from '../api.js'
import type { Settle } from '../requests/pending.js'
import type { BinaryVersion, LevelInForce } from './binary-version.js'

interface Settings {
  readonly self: NodeId
  readonly own: BinaryVersion
  /** Every member of a membership that still matters. */
  readonly members: () => readonly { readonly nodeId: NodeId }[]
  readonly inForce: () => LevelInForce
  /** Asks that node what it is. */
  readonly ask: (nodeId: NodeId) => void
  /** Proposes the level. */
  readonly raise: (
    level: number,
    deadlineMs: number,
    settle: Settle<Pick<Answer, 'slot'>>,
    signal: Cancellation | undefined,
  ) => void
}

interface Call {
  /** 0: the highest that all know. */
  readonly level: number
  readonly deadlineMs: number
  readonly settle: Settle<LevelInForce>
  readonly signal: Cancellation | undefined
  /** Members that have answered since it began. */
  readonly heard: Set<NodeId>
  /** Nobody is waited for longer; undefined until the first tick. */
  silentAtMs: number | undefined
  nextAskMs: number
}

const ASK_INTERVAL_MS = 300
/** A member that does not answer for so long is down, or cut off. */
const SILENT_MS = 2_000
const WAITING_MAX = 100
/** Past it what non-members have said is forgotten. */
const REMEMBERED_MAX = 200

/**
 * Knows which levels the members' binaries know, and raises the level of the log. What was heard of a node may be of the process before,
 * so a call asks every member anew, and is refused while one is silent: it may be a binary that the raise would stop. Between the answers
 * and the decision one may still be replaced by an older one; that is safe, as it stops by itself (UNSUPPORTED_LEVEL).
 */
export class LevelCalls {
  readonly #s: Settings
  readonly #known = new Map<NodeId, BinaryVersion>()
  readonly #calls = new Set<Call>()

  constructor(settings: Settings) {
    this.#s = settings
    this.#known.set(settings.self, settings.own)
  }

  /** This node's binary. */
  get own(): BinaryVersion {
    return this.#s.own
  }

  /** This node's binary, and of each other node that has been heard what it said last, perhaps the process before the one that runs now. */
  get known(): ReadonlyMap<NodeId, BinaryVersion> {
    return this.#known
  }

  /** `level`: 0 for the highest that all members know. */
  raise(level: number, deadlineMs: number, settle: Settle<LevelInForce>, signal?: Cancellation): void {
    if (this.#calls.size >= WAITING_MAX) return settle(new MemberError('OVERLOADED', `${WAITING_MAX} such calls wait here`))
    this.#calls.add({ level, deadlineMs, settle, signal, heard: new Set(), silentAtMs: undefined, nextAskMs: 0 })
  }

  onRoster(from: NodeId, { levelMin, levelMax, version }: Pick<Roster, 'levelMin' | 'levelMax' | 'version'>): void {
    this.#known.set(from, { levelMin, levelMax, version })
    if (this.#known.size > REMEMBERED_MAX) this.#forgetStrangers()
    for (const call of this.#calls) {
      call.heard.add(from)
      if (this.#silent(call).length === 0) this.#decide(call)
    }
  }

  tick(nowMs: number): void {
    for (const call of this.#calls) this.#tickCall(call, nowMs)
  }

  stop(message: string): void {
    for (const call of this.#calls) this.#settle(call, new MemberError('STOPPED', message))
  }

  #tickCall(call: Call, nowMs: number): void {
    if (call.signal?.aborted === true) {
      return this.#settle(call, new MemberError('CANCELLED', 'the caller gave up before the level was proposed'))
    }
    const silent = this.#silent(call)
    if (silent.length === 0) return this.#decide(call)
    call.silentAtMs ??= Math.min(call.deadlineMs, nowMs + SILENT_MS)
    if (nowMs >= call.silentAtMs) return this.#settle(call, unknownTo(silent.map(saysNothing)))
    if (nowMs < call.nextAskMs) return
    call.nextAskMs = nowMs + ASK_INTERVAL_MS
    for (const nodeId of silent) this.#s.ask(nodeId)
  }

  #decide(call: Call): void {
    const members = this.#members
    const versions = members.map((nodeId) => this.#known.get(nodeId) ?? this.#s.own)
    const level = call.level === 0 ? Math.min(...versions.map(({ levelMax }) => levelMax)) : call.level
    const { inForce, raise } = this.#s
    const isOver = level <= inForce().level
    const lacking = members.flatMap((nodeId, i) => describeLack(nodeId, versions[i] ?? this.#s.own, level))
    if (isOver) return this.#settle(call, inForce())
    if (lacking.length > 0) return this.#settle(call, unknownTo(lacking))
    this.#calls.delete(call)
    const settle = (outcome: Pick<Answer, 'slot'> | MemberError): void =>
      call.settle(outcome instanceof MemberError ? outcome : { slot: outcome.slot, level: inForce().level })
    raise(level, call.deadlineMs, settle, call.signal)
  }

  #silent({ heard }: Call): readonly NodeId[] {
    return this.#members.filter((nodeId) => nodeId !== this.#s.self && !heard.has(nodeId))
  }

  get #members(): readonly NodeId[] {
    return [...new Set(this.#s.members().map(({ nodeId }) => nodeId))]
  }

  #forgetStrangers(): void {
    const members = new Set([this.#s.self, ...this.#members])
    for (const nodeId of this.#known.keys()) if (!members.has(nodeId)) this.#known.delete(nodeId)
  }

  #settle(call: Call, outcome: LevelInForce | MemberError): void {
    if (this.#calls.delete(call)) call.settle(outcome)
  }
}

function describeLack(nodeId: NodeId, binary: BinaryVersion, level: number): string[] {
  if (knowsLevel(binary, level)) return []
  const version = binary.version === '' ? '' : ` (version ${binary.version})`
  return [`node ${nodeId} knows levels ${binary.levelMin} to ${binary.levelMax}${version}, not ${level}`]
}

function saysNothing(nodeId: NodeId): string {
  return `node ${nodeId} does not say what it knows: is it running?`
}

function unknownTo(reasons: readonly string[]): MemberError {
  return new MemberError('LEVEL_UNKNOWN_TO_MEMBER', `the level is not raised: ${reasons.join('; ')}`)
}
