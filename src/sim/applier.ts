import type { StateEntry } from '../machine/state-machine.js'
import { assert } from '../paxos/assert.js'
import type { ReadGrant } from '../paxos/outbox.js'
import type { Genesis, LogEntry, NodeId, Slot } from '../paxos/types.js'
import type { MemoryStorage } from '../storage/memory-storage.js'
import type { CheckpointInfo } from '../storage/storage.js'
import type { Application } from './application.js'
import type { Checker } from './checkers.js'
import type { Query } from './operations.js'

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

/** One incarnation's state machine: applies what is decided, answers who waits for it. Lost in a crash, but for its checkpoints. */
export class Applier {
  readonly #nodeId: NodeId
  readonly #application: Application
  readonly #checker: Checker
  readonly #waiting = new Map<string, Settle[]>()
  readonly #asked = new Map<number, { readonly query: Query; readonly settle: Settle }>()
  /** Granted reads of slots that are not applied yet. */
  #granted: ReadGrant[] = []
  #lastToken = 0
  #isSeeded = false
  #info: CheckpointInfo
  #savedUpTo: Slot

  constructor(settings: { nodeId: NodeId; application: Application; checker: Checker; storage: MemoryStorage }) {
    const { application, storage } = settings
    this.#nodeId = settings.nodeId
    this.#application = application
    this.#checker = settings.checker
    this.#info = storage.checkpoint
    this.#savedUpTo = storage.checkpoint.appliedUpTo
    const { genesis, decidedUpTo } = storage.recovered
    if (storage.checkpoint.appliedUpTo > 0) {
      application.restore(storage.loadCheckpointNow())
      this.#isSeeded = true
    } else if (genesis !== undefined) {
      this.seed(genesis)
    }
    if (decidedUpTo <= this.appliedUpTo) return
    for (const entry of storage.readLogNow(this.appliedUpTo + 1, decidedUpTo, Number.POSITIVE_INFINITY)) this.apply(entry)
  }

  get appliedUpTo(): Slot {
    return this.#info.appliedUpTo
  }

  get unsavedCount(): number {
    return this.appliedUpTo - this.#savedUpTo
  }

  get application(): Application {
    return this.#application
  }

  /** The initial commands are slot 0; done once, however often it is asked. */
  seed(genesis: Genesis): void {
    if (this.#isSeeded) return
    this.#isSeeded = true
    for (const command of genesis.initialCommands) this.#application.apply(command, { slot: 0, timeMs: 0 })
  }

  apply(entry: LogEntry): void {
    assert(this.#isSeeded, 'the initial commands come first')
    assert(entry.slot === this.appliedUpTo + 1, 'slots are applied in order')
    const { value } = entry
    let { timeMs, stateDigest } = this.#info
    if (value.kind === 'batch') {
      assert(value.timeMs >= timeMs, 'log time never goes back')
      timeMs = value.timeMs
      for (const command of value.commands) {
        const { name, slot, outcome } = this.#application.apply(command, { slot: entry.slot, timeMs })
        stateDigest = roll(stateDigest, outcome)
        for (const settle of this.#waiting.get(name) ?? []) settle({ slot, outcome })
        this.#waiting.delete(name)
      }
    }
    this.#info = { appliedUpTo: entry.slot, timeMs, stateDigest }
    this.#checker.onApplied(this.#nodeId, entry, stateDigest, this.#application)
    this.#answerReads()
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
    return { info: this.#info, changes: [...this.#application.changes()] }
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
      asked.settle({ slot: this.appliedUpTo, outcome: this.#application.query(asked.query) })
    }
  }
}

/** The rolling digest of all results. */
function roll(digest: number, outcome: string): number {
  let rolled = digest
  for (let i = 0; i < outcome.length; i++) rolled = Math.imul(rolled ^ outcome.charCodeAt(i), 0x01000193)
  return rolled >>> 0
}
