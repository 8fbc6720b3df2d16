import { assert } from '../../paxos/assert.js'
import type { Ballot, DurableRecord, Genesis, LogEntry, RecoveredState, Slot } from '../../paxos/types.js'
import type { CheckpointInfo } from '../storage.js'

/**
 * The rules that no write may break, with the state that is needed to check them. A core that asks for such a write is defective: the
 * node must stop rather than make it durable.
 */
export class WriteRules {
  #genesis: Genesis | undefined
  #promised: Ballot
  #decidedUpTo: Slot
  /** The ballots of the entries above decidedUpTo. */
  readonly #open = new Map<Slot, Ballot>()

  constructor(recovered: RecoveredState) {
    this.#genesis = recovered.genesis
    this.#promised = recovered.promised
    this.#decidedUpTo = recovered.decidedUpTo
    for (const entry of recovered.accepted) this.#open.set(entry.slot, entry.ballot)
  }

  get genesis(): Genesis | undefined {
    return this.#genesis
  }

  get promised(): Ballot {
    return this.#promised
  }

  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  /** Checks the records of one write, in their order, and notes them. @throws InvariantError */
  note(records: readonly DurableRecord[]): void {
    for (const record of records) this.#noteOne(record)
  }

  /** Checks a checkpoint against the one before. @throws InvariantError */
  checkCheckpoint(before: CheckpointInfo, next: CheckpointInfo): void {
    assert(next.appliedUpTo >= before.appliedUpTo, 'a checkpoint never goes back')
    assert(next.appliedUpTo <= this.#decidedUpTo, 'a checkpoint holds only what is durably decided')
  }

  /** Notes that a peer's checkpoint replaces ours: every slot up to its own is decided. @throws InvariantError */
  noteInstalled(before: CheckpointInfo, slot: Slot, genesis: Genesis): void {
    assert(slot > before.appliedUpTo, 'a checkpoint never goes back')
    this.#genesis ??= genesis
    for (const open of this.#open.keys()) if (open <= slot) this.#open.delete(open)
    this.#decidedUpTo = Math.max(this.#decidedUpTo, slot)
  }

  #noteOne(record: DurableRecord): void {
    switch (record.kind) {
      case 'genesis':
        assert(this.#genesis === undefined, 'a genesis is never replaced')
        this.#genesis = record.genesis
        break
      case 'promised':
        assert(record.ballot >= this.#promised, 'a promise is never lowered')
        this.#promised = record.ballot
        break
      case 'accepted':
        this.#noteEntry(record.entry)
        this.#promised = Math.max(this.#promised, record.entry.ballot)
        break
      case 'learned':
        this.#noteEntry(record.entry)
        break
      case 'decidedUpTo':
        this.#noteDecided(record.slot)
        break
    }
  }

  #noteEntry({ slot, ballot }: LogEntry): void {
    assert(Number.isSafeInteger(slot) && slot > this.#decidedUpTo, 'a decided slot is never written again')
    assert(Number.isSafeInteger(ballot) && ballot > 0, 'an entry has a ballot')
    this.#open.set(slot, ballot)
  }

  #noteDecided(upTo: Slot): void {
    assert(upTo >= this.#decidedUpTo, 'decidedUpTo never goes back')
    for (let slot = this.#decidedUpTo + 1; slot <= upTo; slot++) {
      assert(this.#open.delete(slot), 'the log holds every decided slot')
    }
    this.#decidedUpTo = upTo
  }
}

/**
 * Returns the state with which a node restarts. A learned entry above decidedUpTo counts as a vote after the restart, and therefore as
 * a promise of its ballot. This is safe: the value was decided in that ballot.
 */
export function recover(found: RecoveredState): RecoveredState {
  const promised = found.accepted.reduce((highest, entry) => Math.max(highest, entry.ballot), found.promised)
  return { ...found, promised }
}
