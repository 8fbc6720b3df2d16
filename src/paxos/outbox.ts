import { assert } from './assert.js'
import type { ChangeMembershipRefused, CoreMessage } from './messages.js'
import type { DurableRecord, LogEntry, NodeId, Slot } from './types.js'

export interface Outgoing {
  readonly to: NodeId
  readonly message: CoreMessage
}

/** The read index of a read: it may be answered as soon as `slot` has been applied here. */
export interface ReadIndexGrant {
  /** As given to Node.readIndex. */
  readonly token: number
  readonly slot: Slot
}

/** A peer misses decided slots that only the log still has: the host reads them and sends a CatchUpReply. */
export interface LogRequest {
  readonly to: NodeId
  readonly fromSlot: Slot
  /** Inclusive; decided here. */
  readonly toSlot: Slot
}

/** Slots that this node misses are in no log that it was told of: the host fetches a checkpoint of a peer's state instead. */
export interface CheckpointRequest {
  /** Has one, or will have. */
  readonly from: NodeId
  /** It must reach this slot. */
  readonly minSlot: Slot
}

/** Why this node must stop at once. */
export interface Halt {
  readonly code: 'DATA_DIR_MISMATCH' | 'NOT_A_MEMBER' | 'REMOVED'
  readonly message: string
}

/** What the core wants done; see the host's duties at the head of node.ts. */
export interface Ready {
  /** To send now. Never addressed to this node. */
  readonly messages: readonly Outgoing[]
  /** To write, in order, with one sync. */
  readonly records: readonly DurableRecord[]
  /** To send only when every record is on disk. Those to this node itself are delivered by Node.onDurable. */
  readonly onceDurable: readonly Outgoing[]
  /** To apply, in order, without a gap. */
  readonly decided: readonly LogEntry[]
  readonly readIndexes: readonly ReadIndexGrant[]
  readonly logRequests: readonly LogRequest[]
  /** Comes again as long as the checkpoint is needed. */
  readonly checkpointWanted: CheckpointRequest | undefined
  /** Of this node's own requests. */
  readonly refusals: readonly ChangeMembershipRefused[]
  /** Pages of this node's proposals that the leader has no room for. */
  readonly refusedPages: readonly number[]
  readonly halt: Halt | undefined
}

const NOTHING: readonly never[] = Object.freeze([])

/** Where the roles write what they want done. The durability rule is the name of the method. */
export class Outbox {
  readonly #self: NodeId
  #messages: Outgoing[] = []
  #records: DurableRecord[] = []
  #onceDurable: Outgoing[] = []
  #decided: LogEntry[] = []
  #readIndexes: ReadIndexGrant[] = []
  #logRequests: LogRequest[] = []
  #checkpointWanted: CheckpointRequest | undefined
  #refusals: ChangeMembershipRefused[] = []
  #refusedPages: number[] = []
  #halt: Halt | undefined

  constructor(self: NodeId) {
    this.#self = self
  }

  /** Leaves at once: for what says nothing of this node's disk. */
  send(to: NodeId, message: CoreMessage): void {
    assert(to !== this.#self, 'a node talks to itself only about what is durable')
    this.#messages.push({ to, message })
  }

  /** Leaves when everything persisted before it is on disk; may be addressed to this node itself. */
  sendOnceDurable(to: NodeId, message: CoreMessage): void {
    this.#onceDurable.push({ to, message })
  }

  persist(record: DurableRecord): void {
    this.#records.push(record)
  }

  decide(entry: LogEntry): void {
    this.#decided.push(entry)
  }

  grantReadIndex(grant: ReadIndexGrant): void {
    this.#readIndexes.push(grant)
  }

  serveFromLog(request: LogRequest): void {
    this.#logRequests.push(request)
  }

  wantCheckpoint(request: CheckpointRequest): void {
    this.#checkpointWanted = request
  }

  refuse(refusal: ChangeMembershipRefused): void {
    this.#refusals.push(refusal)
  }

  refusePage(pageId: number): void {
    this.#refusedPages.push(pageId)
  }

  /** A checkpoint that is installed holds what these records would say; what waits for them may be said all the same. */
  dropRecords(upTo: Slot): void {
    this.#records = this.#records.filter((record) => {
      if (record.kind === 'accepted' || record.kind === 'learned') return record.entry.slot > upTo
      return record.kind !== 'decidedUpTo' || record.slot > upTo
    })
    this.#decided = this.#decided.filter((entry) => entry.slot > upTo)
  }

  halt(halt: Halt): void {
    this.#halt ??= halt
  }

  get hasRecords(): boolean {
    return this.#records.length > 0
  }

  /** While a write is in flight, records and what waits for them stay here and form the next, bigger write. */
  take(diskIdle: boolean): Ready {
    const ready: Ready = {
      messages: this.#messages,
      records: diskIdle ? this.#records : NOTHING,
      onceDurable: diskIdle ? this.#onceDurable : NOTHING,
      decided: this.#decided,
      readIndexes: this.#readIndexes,
      logRequests: this.#logRequests,
      checkpointWanted: this.#checkpointWanted,
      refusals: this.#refusals,
      refusedPages: this.#refusedPages,
      halt: this.#halt,
    }
    this.#messages = []
    this.#decided = []
    this.#readIndexes = []
    this.#logRequests = []
    this.#checkpointWanted = undefined
    this.#refusals = []
    this.#refusedPages = []
    if (diskIdle) {
      this.#records = []
      this.#onceDurable = []
    }
    return ready
  }
}
