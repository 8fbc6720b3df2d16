import type { Acceptor } from '../acceptor.js'
import { assert } from '../assert.js'
import { Commander } from '../commander.js'
import type { CoreOptions } from '../core-options.js'
import type { Memberships } from '../memberships.js'
import type { Accept, Accepted } from '../messages.js'
import type { Outbox } from '../outbox.js'
import type { Replica } from '../replica.js'
import type { Ballot, LogEntry, NodeId, Slot, Value } from '../types.js'

interface Settings {
  readonly self: NodeId
  readonly ballot: Ballot
  readonly memberships: Memberships
  readonly acceptor: Acceptor
  readonly replica: Replica
  readonly out: Outbox
  readonly options: CoreOptions
}

/** Phase 2 of every slot in flight: one commander for each slot above decidedUpTo that the leader has proposed in. */
export class Commanders {
  readonly #self: NodeId
  readonly #ballot: Ballot
  readonly #memberships: Memberships
  readonly #acceptor: Acceptor
  readonly #replica: Replica
  readonly #out: Outbox
  readonly #options: CoreOptions
  readonly #inFlight = new Map<Slot, Commander>()
  /** The size of all values in flight. */
  #bytes = 0

  constructor(settings: Settings) {
    this.#self = settings.self
    this.#ballot = settings.ballot
    this.#memberships = settings.memberships
    this.#acceptor = settings.acceptor
    this.#replica = settings.replica
    this.#out = settings.out
    this.#options = settings.options
  }

  get count(): number {
    return this.#inFlight.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Sends the Accepts of a slot, and gives them to this node's own acceptor. */
  start(slot: Slot, value: Value, nowMs: number): void {
    assert(!this.#inFlight.has(slot), 'a leader proposes one value for a slot')
    const commander = new Commander({
      slot,
      value,
      membership: this.#memberships.at(slot),
      retryAtMs: nowMs + this.#options.retryDelayMs,
    })
    this.#inFlight.set(slot, commander)
    this.#bytes += commander.bytes
    const accept = this.#sendAccept(commander, () => true)
    // The leader's own vote comes back through Node.onDurable, and counts only then.
    this.#acceptor.onAccept(this.#self, accept)
  }

  onAccepted(from: NodeId, m: Accepted): void {
    if (m.ballot !== this.#ballot) return
    const commander = this.#inFlight.get(m.slot)
    if (commander === undefined) return
    commander.accepted.add(from)
    this.#decideInOrder()
  }

  /** The replica has learned slots from a peer: the commanders of these end. */
  onLearned(): void {
    for (const commander of this.#inFlight.values()) if (commander.slot <= this.#replica.decidedUpTo) this.#drop(commander)
    this.#decideInOrder()
  }

  tick(nowMs: number): void {
    for (const commander of this.#inFlight.values()) {
      if (commander.isDecided || nowMs < commander.retryAtMs) continue
      commander.onRetry(nowMs, this.#options.retryDelayMs)
      this.#sendAccept(commander, (nodeId) => !commander.accepted.has(nodeId))
    }
  }

  #sendAccept(commander: Commander, isMeant: (nodeId: NodeId) => boolean): Accept {
    const accept: Accept = {
      kind: 'accept',
      ballot: this.#ballot,
      slot: commander.slot,
      value: commander.value,
      decidedUpTo: this.#replica.decidedUpTo,
    }
    const { voterIds } = this.#memberships.at(commander.slot)
    for (const to of voterIds) if (to !== this.#self && isMeant(to)) this.#out.send(to, accept)
    return accept
  }

  #drop(commander: Commander): void {
    this.#inFlight.delete(commander.slot)
    this.#bytes -= commander.bytes
  }

  #decideInOrder(): void {
    for (;;) {
      const slot = this.#replica.decidedUpTo + 1
      const commander = this.#inFlight.get(slot)
      if (commander === undefined || !commander.isDecided) return
      this.#drop(commander)
      const entry: LogEntry = { slot, ballot: this.#ballot, value: commander.value }
      // A leader that does not vote in this slot (not yet, or not any more) has no vote on record: the log must have the value.
      if (this.#acceptor.acceptedAt(slot)?.ballot !== this.#ballot) this.#out.persist({ kind: 'learned', entry })
      this.#replica.decide(entry)
    }
  }
}
