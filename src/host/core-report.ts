import type { Observer } from '../observer/observer.js'
import type { Node, Phase } from '../paxos/node.js'
import type { Ballot, Slot } from '../paxos/types.js'

type Core = Pick<Node, 'phase' | 'promised' | 'leadingBallot' | 'decidedUpTo'>

/** Reports how the core has changed since the last report. */
export class CoreReport {
  readonly #node: Core
  readonly #observer: Observer
  #phase: Phase = 'joining'
  #promised: Ballot
  #decidedUpTo: Slot

  constructor(node: Core, observer: Observer) {
    this.#node = node
    this.#observer = observer
    this.#promised = node.promised
    this.#decidedUpTo = node.decidedUpTo
  }

  report(): void {
    const { phase, promised, leadingBallot, decidedUpTo } = this.#node
    if (promised !== this.#promised) {
      this.#promised = promised
      this.#observer.event('ballotPromised', { ballot: promised })
    }
    if (phase !== this.#phase) {
      this.#phase = phase
      this.#observer.event('phaseChanged', { phase, ballot: phase === 'leading' ? leadingBallot : promised })
    }
    if (decidedUpTo !== this.#decidedUpTo) {
      this.#decidedUpTo = decidedUpTo
      this.#observer.event('slotsDecided', { upTo: decidedUpTo })
    }
  }
}
