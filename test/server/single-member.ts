import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import {
  type Alarm,
  type Answer,
  type BackupPart,
  type MemberApi,
  MemberError,
  type MemberErrorCode,
  type MemberStatus,
  type SessionRequest,
  type WaitOptions,
} from '../../src/host/api.js'
import { makeBallot } from '../../src/paxos/ballot.js'
import type { MembershipChange, MembershipRecord, NodeId, Slot } from '../../src/paxos/types.js'
import { sessionCodec } from '../../src/replication/session-records.js'
import type { SessionName } from '../../src/replication/session-table.js'
import { Sessions } from '../../src/replication/sessions.js'
import { drained } from '../../src/tables/steps.js'
import { QUIET_READS } from '../host/quiet-reads.js'
import { TOKEN } from '../support/token.js'

export const CLUSTER_ID = '3b0f0c5e-3f6a-4c8e-9d55-0d6c1f7a2b10'
const OWN_CLIENT_ID = 1
const SELF = { nodeId: 1, dataDirId: 'data-1', peerAddress: '127.0.0.1:7201', clientAddress: '127.0.0.1:7101' }

/**
 * A member without a cluster: decides each command by itself, in a slot of its own. The state machine and its sessions are real; what
 * a test wants to go wrong, goes wrong.
 */
export class SingleMember implements MemberApi {
  readonly machine = new BankAndKeys()
  readonly #sessions = new Sessions(this.machine, sessionCodec)
  #slot: Slot = 0
  #ownRequests = 0
  #held: (() => void)[] = []
  hasQuorum = true
  isJoined = true
  isForming = false
  /** Every wait ends with this at once. */
  failure: MemberErrorCode | undefined
  /** Nothing is answered: every wait ends with OUTCOME_UNKNOWN after its timeout. */
  isSilent = false
  /** Commands are applied, but answered only by release(). */
  isHolding = false
  /** invoke throws this, which no member should. */
  bug: Error | undefined
  timeoutsMs: number[] = []
  readIndexCount = 0
  /** False: a slot is half applied. */
  isReadable = true
  /** Those who wait for its end: for endSlot(). */
  #readers: (() => void)[] = []
  submitted: SessionRequest[] = []
  changes: MembershipChange[] = []
  learners = new Map<NodeId, Slot>()
  alarms: Alarm[] = []
  handedTo: NodeId[] = []
  membership: MembershipRecord = {
    epoch: 1,
    fromSlot: 1,
    members: [{ ...SELF, votesFrom: 1, returning: false }],
    lastNodeId: 1,
  }
  level = 1
  /** What a backup is made of. */
  backupParts: () => AsyncIterable<BackupPart> = async function* () {}

  constructor(initialCommands: readonly Uint8Array[] = []) {
    for (const command of initialCommands) this.machine.apply(command, { slot: 0, timeMs: 0, level: 1 })
    this.#sessions.openSession(TOKEN, { slot: 0, timeMs: 0, level: 1 })
  }

  get heldCount(): number {
    return this.#held.length
  }

  release(count = this.#held.length): void {
    for (const settle of this.#held.splice(0, count)) settle()
  }

  async invoke(command: Uint8Array, options?: WaitOptions): Promise<Answer> {
    if (this.bug !== undefined) throw this.bug
    await this.#wait(options)
    const requestNumber = ++this.#ownRequests
    const answer = this.#apply({
      clientId: OWN_CLIENT_ID,
      token: TOKEN,
      requestNumber,
      firstUnacknowledged: requestNumber,
      command,
    })
    if (answer instanceof MemberError) throw answer
    return answer
  }

  async openSession(options?: WaitOptions): Promise<SessionName> {
    await this.#wait(options)
    const token = randomBytes(16)
    return { clientId: this.#sessions.openSession(token, { slot: ++this.#slot, timeMs: this.#slot, level: 1 }), token }
  }

  async closeSession(session: SessionName, options?: WaitOptions): Promise<{ closed: boolean; slot: Slot }> {
    await this.#wait(options)
    const slot = ++this.#slot
    return { closed: this.#sessions.closeSession(session, { slot, timeMs: slot, level: 1 }), slot }
  }

  submit(request: SessionRequest, options: WaitOptions, settle: (answer: Answer | MemberError) => void): void {
    this.submitted.push(request)
    this.timeoutsMs.push(options.timeoutMs ?? 10_000)
    const answer = this.failure === undefined ? this.#apply(request) : this.#failure(this.failure)
    if (this.isHolding) this.#held.push(() => settle(answer))
    else settle(answer)
  }

  async readIndex(options?: WaitOptions): Promise<Slot> {
    this.readIndexCount++
    await this.#wait(options)
    return this.#slot
  }

  async untilReadable(): Promise<Slot> {
    if (!this.isReadable) await new Promise<void>((resolve) => this.#readers.push(resolve))
    return this.#slot
  }

  get readerCount(): number {
    return this.#readers.length
  }

  /** The slot that was half applied is applied, and the next one begun as soon as who waits has read. */
  endSlot(): void {
    this.isReadable = true
    for (const resolve of this.#readers.splice(0)) resolve()
    setImmediate(() => {
      this.isReadable = false
    })
  }

  reading<T>(read: () => T): T {
    assert.ok(this.isReadable, 'reads come between two slots')
    return QUIET_READS.run(read)
  }

  status(): MemberStatus {
    return {
      nodeId: 1,
      dataDirId: 'data-1',
      genesis: {
        clusterId: CLUSTER_ID,
        members: [SELF],
        initialCommands: [],
        windowSlots: 4,
        quotaBytes: 0,
        level: 1,
        levelVersion: '',
      },
      role: this.hasQuorum ? 'leader' : 'candidate',
      leaderId: this.hasQuorum ? 1 : 0,
      promised: makeBallot(3, 1),
      decidedUpTo: this.#slot,
      appliedUpTo: this.#slot,
      compactedUpTo: 0,
      logTimeMs: Date.now(),
      stateDigest: 0xbeef,
      hasQuorum: this.hasQuorum,
      membership: this.membership,
      isJoined: this.isJoined,
      isForming: this.isForming,
      isMembershipSettled: true,
      isLearning: false,
      announcements: [],
      memberProgress: new Map([[1, this.#slot], ...this.learners]),
      alarms: this.alarms,
      stateBytes: this.#sessions.stateBytes,
      quotaBytes: this.#sessions.quotaBytes,
      level: this.level,
      binary: { levelMin: 1, levelMax: 3, version: '1.0.0' },
      memberBinaries: new Map([[1, { levelMin: 1, levelMax: 3, version: '1.0.0' }]]),
      transfers: [],
    }
  }

  /** Only what the service must pass on: a member is added as a learner, or is gone. */
  async changeMembership(change: MembershipChange, options?: WaitOptions): Promise<{ slot: Slot; membership: MembershipRecord }> {
    await this.#wait(options)
    this.changes.push(change)
    const { epoch, members, lastNodeId } = this.membership
    const others = members.filter(({ nodeId }) => nodeId !== change.nodeId)
    const learner = { nodeId: change.nodeId, dataDirId: '', peerAddress: '', clientAddress: '', votesFrom: 0, returning: false }
    const kept = change.kind === 'add' ? [...others, { ...learner, ...change }] : others
    const slot = ++this.#slot
    this.membership = {
      epoch: epoch + 1,
      fromSlot: slot + 4,
      members: kept,
      lastNodeId: Math.max(lastNodeId, change.nodeId),
    }
    return { slot, membership: this.membership }
  }

  async setQuota(quotaBytes: number, options?: WaitOptions): Promise<Slot> {
    await this.#wait(options)
    this.#sessions.begin({ quotaBytes, level: 1, levelVersion: '' })
    return ++this.#slot
  }

  /** Only what the service must pass on. */
  async raiseLevel(level: number, options?: WaitOptions): Promise<{ slot: Slot; level: number }> {
    await this.#wait(options)
    this.level = Math.max(level, this.level)
    return { slot: ++this.#slot, level: this.level }
  }

  async transferLeadership(to: NodeId, options?: WaitOptions): Promise<NodeId> {
    await this.#wait(options)
    this.handedTo.push(to)
    return to || 2
  }

  backup(): AsyncIterable<BackupPart> {
    return this.backupParts()
  }

  async #wait(options?: WaitOptions): Promise<void> {
    const timeoutMs = options?.timeoutMs ?? 10_000
    this.timeoutsMs.push(timeoutMs)
    if (this.failure !== undefined) throw this.#failure(this.failure)
    if (this.isHolding) await new Promise<void>((resolve) => this.#held.push(resolve))
    if (!this.isSilent) return
    await new Promise((resolve) => setTimeout(resolve, timeoutMs))
    throw this.#failure('OUTCOME_UNKNOWN')
  }

  #failure(code: MemberErrorCode): MemberError {
    return new MemberError(code, `as the test wants it: ${code}`)
  }

  #apply(request: SessionRequest): Answer | MemberError {
    const slot = ++this.#slot
    const due = this.#sessions.onSlot({ slot, timeMs: slot, level: 1 })
    if (due !== undefined) drained(due)
    const outcome = this.#sessions.apply(request, { slot, timeMs: slot, level: 1 })
    switch (outcome.kind) {
      case 'result':
        return { slot: outcome.slot, result: this.machine.answer(request.command) ?? outcome.result }
      case 'sessionExpired':
        return this.#failure('SESSION_EXPIRED')
      case 'alreadyAcknowledged':
        return this.#failure('ALREADY_ACKNOWLEDGED')
      case 'idReused':
        return this.#failure('ID_REUSED')
      case 'beyondAsked':
        return this.#failure('BEYOND_ASKED')
      case 'sessionFull':
        return this.#failure('SESSION_FULL')
      case 'skipped':
        return this.#failure('OUTCOME_UNKNOWN')
    }
  }
}
