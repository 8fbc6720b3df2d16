import type { Ballot, DurableRecord, Genesis, LogEntry, Slot } from '../../paxos/types.js'

/**
 * What must be on a node's disk, kept apart from it, from what was to be written and has been: checkers compare what the node says and
 * what it finds at a restart with this.
 */
export class DurableView {
  genesis: Genesis | undefined
  promised: Ballot = 0
  decidedUpTo: Slot = 0
  readonly log = new Map<Slot, LogEntry>()
  /** Up to here the checkpoint holds the state. */
  checkpointUpTo: Slot = 0

  copy(): DurableView {
    const copy = new DurableView()
    copy.genesis = this.genesis
    copy.promised = this.promised
    copy.decidedUpTo = this.decidedUpTo
    copy.checkpointUpTo = this.checkpointUpTo
    for (const [slot, entry] of this.log) copy.log.set(slot, entry)
    return copy
  }

  /** A peer's checkpoint is on the disk in the place of what was there up to its slot. */
  onInstalled(slot: Slot): void {
    this.decidedUpTo = Math.max(this.decidedUpTo, slot)
    for (const known of this.log.keys()) if (known <= slot) this.log.delete(known)
  }

  onWritten(records: readonly DurableRecord[]): void {
    for (const record of records) {
      switch (record.kind) {
        case 'genesis':
          this.genesis = record.genesis
          break
        case 'promised':
          this.promised = Math.max(this.promised, record.ballot)
          break
        case 'accepted':
          this.promised = Math.max(this.promised, record.entry.ballot)
          this.log.set(record.entry.slot, record.entry)
          break
        case 'learned':
          this.log.set(record.entry.slot, record.entry)
          break
        case 'decidedUpTo':
          this.decidedUpTo = record.slot
      }
    }
  }
}
