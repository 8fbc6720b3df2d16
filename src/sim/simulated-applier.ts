import { type AppliedListener, Applier } from '../host/applier.js'
import type { SessionOutcome } from '../machine/sessions.js'
import type { StateEntry } from '../machine/state-machine.js'
import { assert } from '../paxos/assert.js'
import type { ReadGrant } from '../paxos/outbox.js'
import type { Genesis, LogEntry, NodeId, Slot } from '../paxos/types.js'
import type { MemoryStorage } from '../storage/memory-storage.js'
import type { CheckpointInfo } from '../storage/storage.js'
import { type Application, tellEncodedResult } from './application.js'
import type { Checker } from './checkers.js'
import { nameOfRequest, type Query, type RequestId } from './operations.js'

/** An answer to a simulated client: in which slot, or as of which, and what. */
export interface Answer {
  readonly slot: Slot
  readonly outcome: string
}

export type Settle = (answer: Answer) => void

/** A state taken for a checkpoint that is not on disk yet. */
export interface Checkpoint {
  readonly info: CheckpointInfo
  readonly changes: readonly StateEntry[]
}

/**
 * One incarnation's state machine: the host's applier, with who waits for an answer and who checks. Lost in a crash, but for its
 * checkpoints.
 */
export class SimulatedApplier implements AppliedListener {
  readonly application: Application
  readonly #nodeId: NodeId
  readonly #checker: Checker
  readonly #applier: Applier
  readonly #waiting = new Map<string, Settle[]>()
  readonly #asked = new Map<number, { readonly query: Query; readonly settle: Settle }>()
  /** Granted reads of slots that are not applied yet. */
  #granted: ReadGrant[] = []
  #lastToken = 0
  #slot: Slot = 0
  #savedUpTo: Slot

  constructor(settings: { nodeId: NodeId; application: Application; checker: Checker; storage: MemoryStorage }) {
    const { application, storage } = settings
    this.application = application
    this.#nodeId = settings.nodeId
    this.#checker = settings.checker
    this.#savedUpTo = storage.checkpoint.appliedUpTo
    this.#applier = new Applier(application.sessions, storage.checkpoint, this)
    const { genesis, decidedUpTo } = storage.recovered
    if (storage.checkpoint.appliedUpTo > 0) application.sessions.restore(storage.loadCheckpointNow())
    else if (genesis !== undefined) this.seed(genesis)
    if (decidedUpTo <= this.appliedUpTo) return
    for (const entry of storage.readLogNow(this.appliedUpTo + 1, decidedUpTo, Number.POSITIVE_INFINITY)) this.apply(entry)
  }

  get appliedUpTo(): Slot {
    return this.#applier.appliedUpTo
  }

  get unsavedCount(): number {
    return this.appliedUpTo - this.#savedUpTo
  }

  /** The initial commands are slot 0; done once, however often it is asked. */
  seed(genesis: Genesis): void {
    if (this.#applier.isFresh) this.#applier.applyInitial(this.application.machine, genesis.initialCommands)
  }

  apply(entry: LogEntry): void {
    assert(!this.#applier.isFresh, 'the initial commands come first')
    assert(entry.slot === this.appliedUpTo + 1, 'slots are applied in order')
    this.#slot = entry.slot
    this.#applier.enqueue([entry])
    this.#applier.run(() => false)
    this.#checker.onApplied({ nodeId: this.#nodeId, entry, digest: this.#applier.stateDigest, application: this.application })
    this.#answerReads()
  }

  onOpened(nonce: string, clientId: number, slot: Slot): void {
    this.#settle(nonce, () => ({ slot, outcome: `client ${clientId}` }))
  }

  onOutcome(request: RequestId, outcome: SessionOutcome): void {
    this.#settle(nameOfRequest(request), () =>
      outcome.kind === 'result'
        ? { slot: outcome.slot, outcome: tellEncodedResult(outcome.result) }
        : { slot: this.#slot, outcome: outcome.kind },
    )
  }

  /** Whoever waits for the command of that name is told when it is applied here. */
  await(name: string, settle: Settle): void {
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) this.#waiting.set(name, [settle])
    else waiting.push(settle)
  }

  /** Gives the token for Node.read. */
  awaitRead(query: Query, settle: Settle): number {
    this.#asked.set(++this.#lastToken, { query, settle })
    return this.#lastToken
  }

  grant(grants: readonly ReadGrant[]): void {
    if (grants.length === 0) return
    this.#granted.push(...grants)
    this.#answerReads()
  }

  takeCheckpoint(): Checkpoint {
    this.#savedUpTo = this.appliedUpTo
    return this.#applier.checkpoint()
  }

  #settle(name: string, tell: () => Answer): void {
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) return
    this.#waiting.delete(name)
    const answer = tell()
    for (const settle of waiting) settle(answer)
  }

  #answerReads(): void {
    if (this.#granted.length === 0) return
    const granted = this.#granted
    this.#granted = []
    for (const grant of granted) {
      if (grant.slot > this.appliedUpTo) {
        this.#granted.push(grant)
        continue
      }
      const asked = this.#asked.get(grant.token)
      assert(asked !== undefined, 'a read is granted once')
      this.#asked.delete(grant.token)
      asked.settle({ slot: this.appliedUpTo, outcome: this.application.query(asked.query) })
    }
  }
}
