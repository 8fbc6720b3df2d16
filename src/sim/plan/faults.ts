import { FAULT_KINDS, type FaultKind } from './schedule.js'

/** What goes wrong without being planned one by one: by the quality of links, the habits of clients, or in consequence. */
const CONSEQUENCES = [
  'loss',
  'duplication',
  'delay',
  'reordering',
  'cutLink',
  'unsyncedWriteLost',
  'failedWrite',
  'refusedDowngrade',
  'repairedDirectory',
  'fetchedCheckpoint',
  'brokenFetch',
  'failedRead',
  'clientTimeout',
  'duplicateRequest',
  'clientDeath',
  'clientAbsence',
  'sessionExpired',
  'updateMember',
  'sessionFull',
  'sessionClosed',
  'misuse',
] as const

/** Everything that can go wrong in a simulated world. */
export type Fault = FaultKind | (typeof CONSEQUENCES)[number]

export const FAULTS: readonly Fault[] = [...FAULT_KINDS, ...CONSEQUENCES]

/** Planned faults that are counted where they take effect: an armed crash may come too late, a slow disk have nothing to write, an operator have to wait. */
export const COUNTED_IN_EFFECT: ReadonlySet<FaultKind> = new Set<FaultKind>([
  'crash',
  'crashMidStep',
  'crashInWrite',
  'pause',
  'slowDisk',
  'lostDirectory',
  'olderCopy',
  'addMember',
  'removeMember',
  'replaceMember',
  'transferLeadership',
  'raiseLevel',
  'move',
])

/** How often each fault has struck. */
export class FaultTotals {
  readonly #counts = new Map<Fault, number>()

  count(fault: Fault, times = 1): void {
    this.#counts.set(fault, this.of(fault) + times)
  }

  of(fault: Fault): number {
    return this.#counts.get(fault) ?? 0
  }

  get sum(): number {
    return FAULTS.reduce((sum, fault) => sum + this.of(fault), 0)
  }

  /** Faults that never struck. */
  get missing(): Fault[] {
    return FAULTS.filter((fault) => this.of(fault) === 0)
  }

  add(other: FaultTotals): void {
    for (const fault of FAULTS) this.count(fault, other.of(fault))
  }

  /** What never struck is left out. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(FAULTS.filter((fault) => this.of(fault) > 0).map((fault) => [fault, this.of(fault)]))
  }

  /** For people: `loss 12, crash 3`; what never struck is left out. */
  toString(): string {
    const struck = FAULTS.filter((fault) => this.of(fault) > 0)
    return struck.map((fault) => `${fault} ${this.of(fault)}`).join(', ') || 'none'
  }
}
