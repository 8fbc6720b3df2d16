import type { Acceptor } from '../acceptor.js'
import type { CatchUpReply } from '../messages.js'
import type { CoreOptions } from '../options.js'
import type { Outbox } from '../outbox.js'
import type { NodeId, Slot } from '../types.js'

/** How many slots one CatchUp asks for; the reply is cut by bytes, too. */
export const CATCH_UP_SLOTS = 1_024

interface Settings {
  readonly self: NodeId
  readonly acceptor: Pick<Acceptor, 'isFull'>
  readonly out: Outbox
  readonly options: Pick<CoreOptions, 'retryDelayMs'>
  /** Every other node that may have what is missing, ascending. */
  readonly others: () => readonly NodeId[]
  /** What this node has learned. */
  readonly replica: { readonly decidedUpTo: Slot }
}

/** Asks peers for the decided slots that this node misses, one request at a time. */
export class MissingSlots {
  readonly #s: Settings
  /** The highest slot that somebody has said to be decided. */
  #knownUpTo: Slot = 0
  /** The peer to ask; this node itself while there is none. */
  #source: NodeId
  /** The request in flight. */
  #asked: { readonly from: NodeId; readonly retryAtMs: number } | undefined

  constructor(settings: Settings) {
    this.#s = settings
    this.#source = settings.self
  }

  /** Whether this node misses slots, as far as it knows. */
  get areAny(): boolean {
    return this.#knownUpTo > this.#s.replica.decidedUpTo
  }

  /** A peer knows the slots up to `upTo` to be decided. */
  onTold(from: NodeId, upTo: Slot, nowMs: number): void {
    if (upTo <= this.#s.replica.decidedUpTo) return
    // Not while a request is in flight: a peer that tells this all the time would never be asked, as a retry goes to the next one.
    if (upTo >= this.#knownUpTo && this.#asked === undefined) this.#source = from
    this.#knownUpTo = Math.max(this.#knownUpTo, upTo)
    if (this.#asked === undefined) this.#ask(nowMs)
  }

  /** A peer's answer has been learned; `hasProgress` if it had anything new. */
  onReply(from: NodeId, m: CatchUpReply, hasProgress: boolean, nowMs: number): void {
    // An answer without anything new is not asked again at once: the next tick asks somebody else.
    if (hasProgress && this.#asked?.from === from) {
      this.#asked = m.hasMore ? { from, retryAtMs: nowMs + this.#s.options.retryDelayMs } : undefined
    }
    this.onTold(from, m.decidedUpTo, nowMs)
    if (this.#asked === undefined && this.areAny) this.#ask(nowMs)
  }

  /** A checkpoint has brought what was asked for. */
  onInstalled(): void {
    this.#asked = undefined
  }

  tick(nowMs: number): void {
    if (!this.areAny) {
      this.#asked = undefined
    } else if (this.#asked === undefined) {
      this.#ask(nowMs)
    } else if (nowMs >= this.#asked.retryAtMs) {
      this.#source = this.#nextSource()
      this.#ask(nowMs)
    }
  }

  #ask(nowMs: number): void {
    const { self, acceptor, out, options } = this.#s
    const { decidedUpTo } = this.#s.replica
    if (acceptor.isFull) return
    if (this.#source === self) this.#source = this.#nextSource()
    if (this.#source === self) return
    const toSlot = Math.min(this.#knownUpTo, decidedUpTo + CATCH_UP_SLOTS)
    this.#asked = { from: this.#source, retryAtMs: nowMs + options.retryDelayMs }
    out.send(this.#source, { kind: 'catchUp', fromSlot: decidedUpTo + 1, toSlot })
  }

  /** The peer after the last one, in a round of all; this node itself when there is no other. */
  #nextSource(): NodeId {
    const others = this.#s.others()
    return others.find((nodeId) => nodeId > this.#source) ?? others[0] ?? this.#s.self
  }
}
