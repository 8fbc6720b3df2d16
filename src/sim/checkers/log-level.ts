import type { Slot, Value } from '../../paxos/types.js'
import { decodeEnvelope } from '../../replication/envelope.js'

/** Returns the level in force after a slot, by the log alone. `first`: the level of the genesis. */
export function levelAt(log: readonly Value[], slot: Slot, first: number): number {
  let level = first
  for (const value of log.slice(0, slot)) {
    for (const bytes of value.kind === 'batch' && value.skipped !== true ? value.commands : []) {
      const envelope = decodeEnvelope(bytes)
      if (envelope?.kind === 'level') level = Math.max(level, envelope.level)
    }
  }
  return level
}
