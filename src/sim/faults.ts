/** What can go wrong in a simulated world. */
const FAULTS = [
  'loss',
  'duplication',
  'delay',
  'reordering',
  'cutLink',
  'symmetricPartition',
  'oneWayPartition',
  'partialPartition',
  'leaderIsolation',
  'crash',
  'crashMidStep',
  'crashInWrite',
  'crashOfAll',
  'unsyncedWriteLost',
  'pause',
  'clockJump',
  'slowDisk',
  'lostDirectory',
  'failedWrite',
  'refusedMessage',
  'handOver',
  'clientTimeout',
  'duplicateRequest',
] as const

export type Fault = (typeof FAULTS)[number]

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

  /** For people: `loss 12, crash 3`; what never struck is left out. */
  toString(): string {
    const struck = FAULTS.filter((fault) => this.of(fault) > 0)
    return struck.map((fault) => `${fault} ${this.of(fault)}`).join(', ') || 'none'
  }
}
