import type { Message } from '../paxos/messages.js'
import type { Phase } from '../paxos/node.js'
import type { Ballot, NodeId, Slot } from '../paxos/types.js'
import { EventHash } from './event-hash.js'
import type { Step, TracedEvent, TraceEvent } from './trace-events.js'
import { tellEvent } from './trace-words.js'

/** What of a node's core is told when it changes. */
export interface CoreState {
  readonly phase: Phase
  readonly promised: Ballot
  readonly leadingBallot: Ballot
  readonly decidedUpTo: Slot
}

/**
 * Everything that happens in a world, in order: as a hash, so that two runs can be compared to the byte; as lines for people when
 * there is a `print`; and kept for a trace page when asked. Without the last two an event costs a few multiplications.
 */
export class EventTrace {
  readonly #hash = new EventHash()
  readonly #print: ((line: string) => void) | undefined
  readonly #recorded: TracedEvent[] | undefined
  readonly #cores = new Map<NodeId, { phase: Phase; promised: Ballot; decidedUpTo: Slot }>()
  #count = 0

  /**
   * @param print told of every event, in a line each.
   * @param settings `records`: whether every event is kept in memory, for a trace page. Default: false.
   */
  constructor(print?: (line: string) => void, { records = false }: { readonly records?: boolean } = {}) {
    this.#print = print
    this.#recorded = records ? [] : undefined
  }

  /** How many events there were: the step of the last one. */
  get count(): number {
    return this.#count
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return this.#hash.toString()
  }

  /** Every event so far, if the trace records. */
  get recorded(): readonly TracedEvent[] {
    return this.#recorded ?? []
  }

  /** Something happened. Gives its number, by which a later event may refer to it. */
  tell(atUs: number, event: TraceEvent): Step {
    const step = ++this.#count
    this.#hash.add(atUs, event)
    if (this.#recorded !== undefined) this.#recorded.push({ step, atUs, event })
    if (this.#print !== undefined) this.#print(`${String(step).padStart(6)} ${formatTime(atUs)} ${tellEvent(event)}`)
    return step
  }

  /** A message arrived or, with a `fate`, did not. */
  message(atUs: number, from: NodeId, to: NodeId, message: Message, fate = ''): void {
    this.tell(atUs, { kind: 'ended', sentStep: 0, from, to, message, fate: fate === '' ? 'delivered' : 'lost' })
  }

  /** An event told in words. */
  note(atUs: number, text: string): void {
    this.tell(atUs, { kind: 'note', text })
  }

  /** Looks at a node's core after a step of it, and tells what has changed since the last look. */
  look(atUs: number, node: NodeId, { phase, promised, leadingBallot, decidedUpTo }: CoreState): void {
    let seen = this.#cores.get(node)
    if (seen === undefined) {
      seen = { phase: 'joining', promised: 0, decidedUpTo: 0 }
      this.#cores.set(node, seen)
    }
    if (promised !== seen.promised) {
      seen.promised = promised
      this.tell(atUs, { kind: 'promised', node, ballot: promised })
    }
    if (phase !== seen.phase) {
      seen.phase = phase
      this.tell(atUs, { kind: 'phase', node, phase, ballot: phase === 'leading' ? leadingBallot : promised })
    }
    if (decidedUpTo !== seen.decidedUpTo) {
      seen.decidedUpTo = decidedUpTo
      this.tell(atUs, { kind: 'decided', node, upTo: decidedUpTo })
    }
  }

  /** A node starts anew: it begins by joining, with what its disk held. */
  started(
    atUs: number,
    node: NodeId,
    { promised, decidedUpTo }: { readonly promised: Ballot; readonly decidedUpTo: Slot },
  ): void {
    this.#cores.set(node, { phase: 'joining', promised, decidedUpTo })
    this.tell(atUs, { kind: 'started', node, promised, decidedUpTo })
  }
}

export function formatTime(us: number): string {
  return `${(us / 1_000_000).toFixed(6).padStart(10)}s`
}
