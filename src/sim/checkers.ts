import { formatBallot } from '../paxos/ballot.js'
import { brokenInvariants, brokenTransitions, type CoreView } from '../paxos/invariants.js'
import type { Message } from '../paxos/messages.js'
import type { Node } from '../paxos/node.js'
import type { Ballot, DurableRecord, LogEntry, NodeId, Slot, Value } from '../paxos/types.js'
import { sameValue } from '../paxos/value.js'
import type { DurableView } from './durable-view.js'
import type { SimulatedApplication } from './simulated-process.js'

/** A promise of Synod's that a run has seen broken, in one sentence. */
export class BrokenPromise extends Error {
  override readonly name = 'BrokenPromise'
}

export function promise(holds: boolean, whatWasBroken: () => string): asserts holds {
  if (!holds) throw new BrokenPromise(whatWasBroken())
}

interface Decision {
  readonly value: Value
  readonly digest: number
}

/** The durable votes for a slot. */
interface Votes {
  readonly votersOf: Map<Ballot, Set<NodeId>>
  /** The lowest ballot in which a majority has voted: its value is chosen, whether anybody knows it or not. */
  chosen: LogEntry | undefined
}

/** Watches every step of every node. What the clients saw is checked at the end: see history.ts. */
export class Checker {
  readonly #decisions: Decision[] = []
  readonly #leaders = new Map<number, NodeId>()
  readonly #votes = new Map<Slot, Votes>()
  readonly #looksInside: boolean
  readonly #quorum: number
  stepCount = 0

  /** `looksInside: false` leaves only what is visible from outside: for judging how much that alone would notice. */
  constructor({ looksInside, nodeCount }: { readonly looksInside: boolean; readonly nodeCount: number }) {
    this.#looksInside = looksInside
    this.#quorum = Math.floor(nodeCount / 2) + 1
  }

  /** The log as all nodes agree on it, slot 1 first. */
  get log(): readonly Value[] {
    return this.#decisions.map((decision) => decision.value)
  }

  get decidedUpTo(): Slot {
    return this.#decisions.length
  }

  /** In how many ballots somebody led. */
  get leaderCount(): number {
    return this.#leaders.size
  }

  onStarted(nodeId: NodeId, core: Node, disk: DurableView): void {
    if (!this.#looksInside) return
    promise(core.promised >= disk.promised, () => `node ${nodeId} forgot its promise in a restart`)
    promise(core.decidedUpTo === disk.decidedUpTo, () => `node ${nodeId} forgot decided slots in a restart`)
  }

  onStep(nodeId: NodeId, before: CoreView, now: CoreView): void {
    this.stepCount++
    if (now.leadingBallot !== 0) this.#leaders.set(now.leadingBallot, nodeId)
    if (!this.#looksInside) return
    for (const broken of brokenInvariants(now)) promise(false, () => `node ${nodeId} ${broken}`)
    for (const broken of brokenTransitions(before, now)) promise(false, () => `node ${nodeId}: ${broken}`)
  }

  /** What a node says of its disk must be on its disk when it says it (DESIGN.md, rules 1 and 2). */
  onSent(from: NodeId, message: Message, { core, disk }: { core: Node; disk: DurableView }): void {
    if (!this.#looksInside) return
    if (message.kind === 'prepare' || message.kind === 'promise') {
      promise(
        disk.promised >= message.ballot,
        () => `node ${from} sent a ${message.kind} for ballot ${formatBallot(message.ballot)} before that was on its disk`,
      )
    } else if (message.kind === 'accepted') {
      const vote = disk.log.get(message.slot)
      // Of a slot known to be decided any entry will do: it is the decided value, whatever the ballot.
      const isDurable = vote !== undefined && (vote.ballot >= message.ballot || message.slot <= core.decidedUpTo)
      promise(isDurable, () => `node ${from} said that it accepted slot ${message.slot} before that was on its disk`)
    }
  }

  /** Records have reached a node's disk. */
  onWritten(nodeId: NodeId, records: readonly DurableRecord[]): void {
    if (!this.#looksInside) return
    for (const record of records) if (record.kind === 'accepted') this.#onVote(nodeId, record.entry)
  }

  /** A node has applied a slot. The first to do so says what is right. */
  onApplied(what: { nodeId: NodeId; entry: LogEntry; digest: number; application: SimulatedApplication }): void {
    const { nodeId, digest, application } = what
    const { slot, value } = what.entry
    const first = this.#decisions[slot - 1]
    if (first === undefined) {
      promise(
        slot === this.#decisions.length + 1,
        () => `node ${nodeId} applied slot ${slot} before anybody applied the one below`,
      )
      this.#checkChosen(nodeId, slot, value)
      this.#decisions.push({ value, digest })
    } else {
      promise(
        sameValue(first.value, value),
        () => `node ${nodeId} decided another value for slot ${slot} than was decided before`,
      )
      promise(first.digest === digest, () => `node ${nodeId} got other results up to slot ${slot} than another node`)
    }
    for (const broken of application.brokenInvariants()) promise(false, () => `node ${nodeId} at slot ${slot}: ${broken}`)
  }

  /** Decided means: on the disks of a majority, in one ballot. */
  #checkChosen(nodeId: NodeId, slot: Slot, value: Value): void {
    if (!this.#looksInside) return
    const chosen = this.#votes.get(slot)?.chosen
    promise(
      chosen !== undefined && sameValue(chosen.value, value),
      () => `node ${nodeId} took slot ${slot} for decided before its value was on the disks of a majority`,
    )
  }

  /** Once a value is chosen, nobody accepts another in a higher ballot (P2b of "Paxos Made Simple"). */
  #onVote(nodeId: NodeId, entry: LogEntry): void {
    const { slot, ballot, value } = entry
    const votes = this.#votes.get(slot) ?? { votersOf: new Map<Ballot, Set<NodeId>>(), chosen: undefined }
    this.#votes.set(slot, votes)
    const { chosen } = votes
    promise(
      chosen === undefined || ballot < chosen.ballot || sameValue(chosen.value, value),
      () => `node ${nodeId} accepted another value for slot ${slot} than a majority had accepted in a lower ballot`,
    )
    const voters = votes.votersOf.get(ballot) ?? new Set<NodeId>()
    votes.votersOf.set(ballot, voters.add(nodeId))
    if (voters.size >= this.#quorum && (chosen === undefined || ballot < chosen.ballot)) votes.chosen = entry
  }
}
