import { genesisRecord, Memberships } from '../../paxos/memberships.js'
import type { Genesis, MembershipRecord, MembershipValue, Slot } from '../../paxos/types.js'
import { type Generation, generationOf, type Keyspace, keyspaceOf, LOG_TAG } from '../record-keys.js'
import { unsealLogEntry } from '../records.js'

/** A count of records, and their bytes with their keys. */
export interface RecordCount {
  readonly count: number
  readonly bytes: number
}

interface MembershipChange {
  readonly slot: Slot
  readonly value: MembershipValue
}

/** Counts a database's records as they are read, and collects the membership changes in the log. */
export class Census {
  readonly #counts = new Map<string, { count: number; bytes: number }>()
  readonly #changes: MembershipChange[] = []

  /** Counts the records of the pages and passes the pages on. @throws RecordError */
  async *of(pages: AsyncIterable<[Buffer, Buffer][]>): AsyncGenerator<[Buffer, Buffer][]> {
    for await (const page of pages) {
      for (const [key, record] of page) this.#add(key, record)
      yield page
    }
  }

  get log(): RecordCount {
    return this.#at('log')
  }

  entries(keyspace: Keyspace, generation: Generation): RecordCount {
    return this.#at(`${keyspace} ${generation}`)
  }

  /** Returns the newest decided membership; undefined before there is a cluster. */
  latestMembership(known: {
    readonly genesis: Genesis | undefined
    /** The memberships in the checkpoint. */
    readonly memberships: readonly MembershipRecord[]
    readonly appliedUpTo: Slot
    readonly decidedUpTo: Slot
  }): MembershipRecord | undefined {
    if (known.genesis === undefined) return undefined
    const start = known.memberships.length === 0 ? [genesisRecord(known.genesis)] : known.memberships
    const memberships = new Memberships(start, known.genesis.windowSlots)
    for (const { slot, value } of this.#changes) {
      if (slot > known.appliedUpTo && slot <= known.decidedUpTo) memberships.onDecided(slot, value)
    }
    return memberships.toRecords().at(-1)
  }

  #add(key: Buffer, record: Buffer): void {
    const keyspace = keyspaceOf(key)
    if (keyspace !== undefined) return this.#count(`${keyspace} ${generationOf(key)}`, key, record)
    if (key[0] !== LOG_TAG) return
    this.#count('log', key, record)
    const { slot, value } = unsealLogEntry(key, record)
    if (value.kind === 'membership') this.#changes.push({ slot, value })
  }

  #count(name: string, key: Buffer, record: Buffer): void {
    const found = this.#counts.get(name) ?? { count: 0, bytes: 0 }
    if (found.count === 0) this.#counts.set(name, found)
    found.count += 1
    found.bytes += key.length + record.length
  }

  #at(name: string): RecordCount {
    return this.#counts.get(name) ?? { count: 0, bytes: 0 }
  }
}
