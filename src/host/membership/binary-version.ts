import type { Slot } from '../../paxos/types.js'
import type { LevelRange } from '../../replication/levels.js'

/** The version and levels of a node's binary, as it reports them. */
export interface BinaryVersion extends LevelRange {
  /** May be empty. */
  readonly version: string
}

/** The level in force, and the slot as of which that is so. */
export interface LevelInForce {
  readonly slot: Slot
  readonly level: number
}
