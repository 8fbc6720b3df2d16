import assert from 'node:assert/strict'
import { Memberships } from '../../src/paxos/memberships.js'
import type { DurableRecord, Genesis, LogEntry, MembershipRecord, RecoveredState, Slot } from '../../src/paxos/types.js'

/** The content of a checkpoint. */
export interface Checkpoint {
  readonly slot: Slot
  readonly timeMs: number
  readonly memberships: readonly MembershipRecord[]
}

/** The state that a node recovers after a crash: exactly the synced records, by the rules of types.ts. */
export class Disk {
  #genesis: Genesis | undefined
  #promised = 0
  #decidedUpTo = 0
  #compactedUpTo: Slot = 0
  /** Log time after the compacted slots. */
  #compactedTimeMs = 0
  /** Those that govern the slots above the compacted ones. */
  #membershipsThere: readonly MembershipRecord[] = []
  readonly #log = new Map<Slot, LogEntry>()

  constructor(genesis?: Genesis) {
    this.#genesis = genesis
  }

  sync(records: readonly DurableRecord[]): void {
    for (const record of records) {
      switch (record.kind) {
        case 'genesis':
          assert.equal(this.#genesis, undefined, 'a genesis is never replaced')
          this.#genesis = record.genesis
          break
        case 'promised':
          assert.ok(record.ballot > this.#promised, 'a promise only rises')
          this.#promised = record.ballot
          break
        case 'accepted':
          assert.ok(record.entry.ballot <= this.#promised, 'a vote is written after its promise')
          this.#write(record.entry)
          break
        case 'learned':
          this.#write(record.entry)
          break
        case 'decidedUpTo':
          for (let slot = this.#decidedUpTo + 1; slot <= record.slot; slot++) {
            assert.ok(this.#log.has(slot), `the log holds slot ${slot} before it counts as decided`)
          }
          this.#decidedUpTo = record.slot
          break
      }
    }
  }

  recover(): RecoveredState {
    const accepted = [...this.#log.values()].filter((entry) => entry.slot > this.#decidedUpTo).toSorted((a, b) => a.slot - b.slot)
    const promised = Math.max(this.#promised, ...accepted.map((entry) => entry.ballot))
    return { genesis: this.#genesis, promised, decidedUpTo: this.#decidedUpTo, accepted, compactedUpTo: this.#compactedUpTo }
  }

  get decidedUpTo(): Slot {
    return this.#decidedUpTo
  }

  get compactedUpTo(): Slot {
    return this.#compactedUpTo
  }

  /** Forgets the decided slots; gives the last of them. */
  compact(): Slot {
    this.install({ slot: this.#decidedUpTo, timeMs: this.logTimeMs, memberships: this.memberships() })
    return this.#compactedUpTo
  }

  /** Puts the disk in the state after these slots, with none of them in the log. */
  install({ slot, timeMs, memberships }: Checkpoint): void {
    this.#compactedTimeMs = timeMs
    this.#membershipsThere = memberships
    this.#decidedUpTo = slot
    this.#compactedUpTo = slot
    for (const kept of this.#log.keys()) if (kept <= slot) this.#log.delete(kept)
  }

  /** Those that govern the slots above the decided ones. */
  memberships(): MembershipRecord[] {
    if (this.#genesis === undefined) return []
    const { windowSlots } = this.#genesis
    const memberships =
      this.#compactedUpTo === 0 ? Memberships.ofGenesis(this.#genesis) : new Memberships(this.#membershipsThere, windowSlots)
    for (const { slot, value } of this.readLog(this.#compactedUpTo + 1, this.#decidedUpTo)) {
      if (value.kind === 'membership') memberships.onDecided(slot, value)
      memberships.forget(slot)
    }
    return memberships.toRecords()
  }

  /** Log time after the decided slots. */
  get logTimeMs(): number {
    const decided = this.readLog(this.#compactedUpTo + 1, this.#decidedUpTo)
    return Math.max(this.#compactedTimeMs, ...decided.map(({ value }) => (value.kind === 'batch' ? value.timeMs : 0)))
  }

  /** Decided entries only, as far as that is durable. */
  readLog(fromSlot: Slot, toSlot: Slot): LogEntry[] {
    return [...this.#log.values()]
      .filter(({ slot }) => slot >= fromSlot && slot <= Math.min(toSlot, this.#decidedUpTo))
      .toSorted((a, b) => a.slot - b.slot)
  }

  #write(entry: LogEntry): void {
    assert.ok(entry.slot > this.#decidedUpTo, 'a decided slot is never written again')
    this.#log.set(entry.slot, entry)
  }
}
