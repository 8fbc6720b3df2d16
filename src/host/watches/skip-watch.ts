import type { Logger } from 'pino'
import type { Message } from '../../paxos/messages.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import { HaltError } from '../halt-error.js'
import type { Watch } from './watches.js'

/** The slots that a node has passed: all up to appliedUpTo, `skippedSlots` among them without carrying them out. */
export interface PassedSlots {
  readonly appliedUpTo: Slot
  /** Ascending, the last ones. */
  readonly skippedSlots: readonly Slot[]
}

interface Settings {
  readonly self: NodeId
  /** Everybody who is a member, this node included. */
  readonly members: () => readonly { readonly nodeId: NodeId; readonly votesFrom: Slot }[]
  readonly send: (to: NodeId, message: Message) => void
  /** The slots that this node has passed by now. */
  readonly passed: () => PassedSlots
  readonly logger: Logger
}

/**
 * Compares which slots were skipped. An operator has a slot skipped that nobody could carry out; should a node have carried it out all the
 * same, it and the others hold different states, and may not wait for the next digest to hear of it.
 */
export class SkipWatch implements Watch {
  readonly #s: Settings
  /** By slot that is skipped on one side only: who is on the other side. */
  readonly #others = new Map<Slot, Set<NodeId>>()

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** Tells the others, if this node has skipped anything. */
  tick(): void {
    const { self, members, passed } = this.#s
    if (passed().skippedSlots.length === 0) return
    for (const { nodeId } of members()) if (nodeId !== self) this.#tell(nodeId)
  }

  /** @throws HaltError STATE_DIVERGED */
  onReport(from: NodeId, theirs: { readonly appliedUpTo: Slot; readonly slots: readonly Slot[] }): void {
    const { members, passed, logger } = this.#s
    if (!members().some((m) => m.nodeId === from)) return
    const own = passed()
    const upTo = Math.min(own.appliedUpTo, theirs.appliedUpTo)
    const onlyHere = without(own.skippedSlots, theirs.slots, upTo)
    const onlyThere = without(theirs.slots, own.skippedSlots, upTo)
    // They hear only from who has skipped something: what is known here they must be told.
    if (onlyThere.length > 0) this.#tell(from)
    for (const slot of [...onlyHere, ...onlyThere]) {
      const others = this.#others.get(slot) ?? new Set()
      this.#others.set(slot, others)
      if (others.has(from)) continue
      others.add(from)
      logger.error(
        { nodeId: from, slot, skipped: onlyHere.includes(slot) },
        'this node and another disagree on whether a slot was skipped',
      )
      this.#checkMajority(slot, others, onlyHere.includes(slot))
    }
  }

  #tell(to: NodeId): void {
    const { appliedUpTo, skippedSlots: slots } = this.#s.passed()
    this.#s.send(to, { kind: 'skippedSlots', appliedUpTo, slots })
  }

  #checkMajority(slot: Slot, others: ReadonlySet<NodeId>, isSkippedHere: boolean): void {
    const voters = this.#s.members().filter((m) => m.votesFrom > 0)
    const differing = voters.filter((m) => others.has(m.nodeId)).map((m) => m.nodeId)
    if (differing.length <= voters.length / 2) return
    const [here, there] = isSkippedHere ? ['skipped', 'carried out'] : ['carried out', 'skipped']
    throw new HaltError(
      'STATE_DIVERGED',
      `slot ${slot} was ${here} here, but ${there} on the nodes ${differing.join(', ')}: this node does not hold what the majority holds and ` +
        'must not serve it. Keep its data directory for whoever looks into it, and replace this member.',
      { remedies: [{ code: 'REPLACE_MEMBER', nodeId: this.#s.self }] },
    )
  }
}

/** Those of one list up to there that the other does not have. Of lists that are cut, only what both may hold. */
function without(slots: readonly Slot[], others: readonly Slot[], upTo: Slot): Slot[] {
  const known = new Set(others)
  const first = others.length < 1_024 ? 0 : (others[0] ?? 0)
  return slots.filter((slot) => slot <= upTo && slot >= first && !known.has(slot))
}
