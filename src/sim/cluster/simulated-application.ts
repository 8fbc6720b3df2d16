import type { Slot } from '../../paxos/types.js'
import type { StateMachine } from '../../replication/state-machine.js'
import type { QuotaMark } from '../checkers/quota-marks.js'

/** The application of a simulated cluster: what stands above its log. */
export interface SimulatedApplication {
  readonly machine: StateMachine
  /** What is wrong with the state right now, one sentence each. */
  brokenInvariants(): string[]
  /** Of each command that the machine carried out in this slot, the last one: whether the quota was in its way. */
  quotaMarks?(slot: Slot): readonly QuotaMark[]
}
