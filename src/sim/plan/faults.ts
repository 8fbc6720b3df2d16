import { FAULT_KINDS, type FaultKind } from './schedule.js'

/**
 * Faults that are not planned one by one: they come from the quality of links, from the habits of clients, or from other faults.
 */
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

/** Any fault of a simulated world. */
export type Fault = FaultKind | (typeof CONSEQUENCES)[number]

export const FAULTS: readonly Fault[] = [...FAULT_KINDS, ...CONSEQUENCES]

/**
 * Planned faults that are counted when they take effect: a crash may come too late, a slow disk may have nothing to write, an
 * operator may have to wait.
 */
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

/** Counts how often each fault has struck. */
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

  /** Faults that have never struck. */
  get missing(): Fault[] {
    return FAULTS.filter((fault) => this.of(fault) === 0)
  }

  add(other: FaultTotals): void {
    for (const fault of FAULTS) this.count(fault, other.of(fault))
  }

  /** Counts by fault, without faults that have never struck. */
  toJSON(): Record<string, number> {
    return Object.fromEntries(FAULTS.filter((fault) => this.of(fault) > 0).map((fault) => [fault, this.of(fault)]))
  }

  /** Text for people: `loss 12, crash 3`, without faults that have never struck. */
  toString(): string {
    const struck = FAULTS.filter((fault) => this.of(fault) > 0)
    return struck.map((fault) => `${fault} ${this.of(fault)}`).join(', ') || 'none'
  }
}
