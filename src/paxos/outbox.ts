import { assert } from './assert.js'
import type { ChangeMembershipRefused, CoreMessage } from './messages.js'
import type { DurableRecord, LogEntry, NodeId, Slot } from './types.js'

export interface Outgoing {
  readonly to: NodeId
  readonly message: CoreMessage
}

/** The read index of a read: it may be answered as soon as `slot` has been applied here. */
export interface ReadIndexGrant {
  /** The token given to Node.readIndex. */
  readonly token: number
  readonly slot: Slot
}

/** A peer misses decided slots that are in the log only: the host reads them and sends a CatchUpReply. */
export interface LogRequest {
  readonly to: NodeId
  readonly fromSlot: Slot
  /** Inclusive; decided here. */
  readonly toSlot: Slot
}

/** This node misses slots that the peer's log no longer has: the host fetches a checkpoint of a peer's state instead. */
export interface CheckpointRequest {
  /** A peer that has such a checkpoint, or will have one. */
  readonly from: NodeId
  /** The checkpoint must include this slot. */
  readonly minSlot: Slot
}

/** The reason why this node must stop at once. */
export interface Halt {
  readonly code: 'DATA_DIR_MISMATCH' | 'NOT_A_MEMBER' | 'REMOVED'
  readonly message: string
  /** Absent where there is nothing to do. */
  readonly remedy?: HaltRemedy
}

/** The change of the membership that lets this node, or another in its place, take part. */
type HaltRemedy =
  | { readonly code: 'ADD_MEMBER'; readonly nodeId: NodeId }
  | { readonly code: 'REPLACE_MEMBER'; readonly nodeId: NodeId; readonly successorId: NodeId }

/** A batch of effects for the host to carry out; see the host's duties at the head of node.ts. */
export interface Ready {
  /** Messages to send now. Never addressed to this node. */
  readonly messages: readonly Outgoing[]
  /** Records to write, in order, with one sync. */
  readonly records: readonly DurableRecord[]
  /** Messages to send only when every record is on disk. Those to this node itself are delivered by Node.onDurable. */
  readonly onceDurable: readonly Outgoing[]
  /** Decided slots to apply, in order, without a gap. */
  readonly decided: readonly LogEntry[]
  readonly readIndexes: readonly ReadIndexGrant[]
  readonly logRequests: readonly LogRequest[]
  /** Repeated as long as the checkpoint is needed. */
  readonly checkpointWanted: CheckpointRequest | undefined
  /** Refused membership changes that this node has requested. */
  readonly refusals: readonly ChangeMembershipRefused[]
  /** Page ids of this node's proposals that the leader had no room for. */
  readonly refusedPages: readonly number[]
  readonly halt: Halt | undefined
}

const NOTHING: readonly never[] = Object.freeze([])

/** Collects the effects that the roles want carried out. The name of the method is the durability rule. */
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

  /** Sends at once: only for messages that claim nothing about this node's disk. */
  send(to: NodeId, message: CoreMessage): void {
    assert(to !== this.#self, 'a node sends itself only messages that wait for the disk')
    this.#messages.push({ to, message })
  }

  /** Sends when everything persisted before it is on disk; may be addressed to this node itself. */
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

  /** Drops records and decisions that an installed checkpoint includes. Messages that wait for these records may still leave. */
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

  /** Takes the batch. While a write is in flight, records and the messages that wait for them stay here for the next, larger write. */
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
