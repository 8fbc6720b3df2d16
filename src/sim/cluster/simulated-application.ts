import type { Slot } from '../../paxos/types.js'
import type { StateMachine } from '../../replication/state-machine.js'
import type { QuotaMark } from '../checkers/quota-marks.js'

/** The application of a simulated cluster: the layers above its log. */
export interface SimulatedApplication {
  readonly machine: StateMachine
  /** Returns one sentence for each invariant that does not hold right now. */
  brokenInvariants(): string[]
  /**
   * Returns a mark for each command that the machine carried out in this slot, if it was the last one: was it refused for the
   * quota?
   */
  quotaMarks?(slot: Slot): readonly QuotaMark[]
}
