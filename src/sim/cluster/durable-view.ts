import type { Ballot, DurableRecord, Genesis, LogEntry, Slot } from '../../paxos/types.js'

/**
 * The records that must be on a node's disk, derived from the writes, apart from the disk itself. Checkers compare it with what
 * the node says and with what it finds at a restart.
 */
export class DurableView {
  genesis: Genesis | undefined
  promised: Ballot = 0
  decidedUpTo: Slot = 0
  readonly log = new Map<Slot, LogEntry>()
  /** The checkpoint holds the state up to this slot. */
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

  /** Records a peer's checkpoint on the disk: it replaces everything up to its slot. */
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
