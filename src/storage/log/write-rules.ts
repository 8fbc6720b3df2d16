import { assert } from '../../paxos/assert.js'
import type { Ballot, DurableRecord, Genesis, LogEntry, RecoveredState, Slot } from '../../paxos/types.js'
import type { CheckpointInfo } from '../storage.js'

/**
 * What every storage knows of its own contents, and what no write may break. A core that asks for such a write is defective: better
 * to stop than to make it durable.
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

  /** Takes note of the records of one write, in their order. @throws InvariantError */
  note(records: readonly DurableRecord[]): void {
    for (const record of records) this.#noteOne(record)
  }

  /** @throws InvariantError */
  checkCheckpoint(before: CheckpointInfo, next: CheckpointInfo): void {
    assert(next.appliedUpTo >= before.appliedUpTo, 'a checkpoint never goes back')
    assert(next.appliedUpTo <= this.#decidedUpTo, 'a checkpoint holds only what is durably decided')
  }

  /** A checkpoint from a peer takes the place of ours: every slot up to its own is decided. @throws InvariantError */
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
 * What a restart goes on with, of what is on disk. A learned entry above decidedUpTo counts as a vote from then on, hence as a
 * promise of its ballot: it was decided in that ballot, so that no acceptor breaks its word by saying so.
 */
export function recover(found: RecoveredState): RecoveredState {
  const promised = found.accepted.reduce((highest, entry) => Math.max(highest, entry.ballot), found.promised)
  return { ...found, promised }
}
