import type { Acceptor } from '../acceptor.js'
import type { CoreOptions } from '../core-options.js'
import type { CatchUpReply } from '../messages.js'
import type { Outbox } from '../outbox.js'
import type { NodeId, Slot } from '../types.js'

/** The most slots that one CatchUp requests; the reply is also limited by bytes. */
export const CATCH_UP_SLOTS = 1_024

interface Settings {
  readonly self: NodeId
  readonly acceptor: Pick<Acceptor, 'isFull'>
  readonly out: Outbox
  readonly options: Pick<CoreOptions, 'retryDelayMs'>
  /** Every other node that may have missing slots, ascending. */
  readonly others: () => readonly NodeId[]
  /** The replica that misses the slots. */
  readonly replica: { readonly decidedUpTo: Slot }
}

/** Asks peers for the decided slots that this node misses, one request at a time. */
export class MissingSlots {
  readonly #s: Settings
  /** The highest slot that a peer has reported as decided. */
  #knownUpTo: Slot = 0
  /** The peer to ask; this node itself while there is none. */
  #source: NodeId
  /** The request in flight. */
  #asked: { readonly from: NodeId; readonly retryAtMs: number } | undefined

  constructor(settings: Settings) {
    this.#s = settings
    this.#source = settings.self
  }

  /** True when a peer has reported decided slots that this node does not have. */
  get areAny(): boolean {
    return this.#knownUpTo > this.#s.replica.decidedUpTo
  }

  /** A peer knows the slots up to `upTo` to be decided. */
  onTold(from: NodeId, upTo: Slot, nowMs: number): void {
    if (upTo <= this.#s.replica.decidedUpTo) return
    // Not while a request is in flight: a peer that advertises constantly would keep resetting the source that a retry has moved on.
    if (upTo >= this.#knownUpTo && this.#asked === undefined) this.#source = from
    this.#knownUpTo = Math.max(this.#knownUpTo, upTo)
    if (this.#asked === undefined) this.#ask(nowMs)
  }

  /** A peer's reply has been learned; `hasProgress` if it brought a new slot. */
  onReply(from: NodeId, m: CatchUpReply, hasProgress: boolean, nowMs: number): void {
    // After a reply without anything new this peer is not asked again at once: the retry goes to the next one.
    if (hasProgress && this.#asked?.from === from) {
      this.#asked = m.hasMore ? { from, retryAtMs: nowMs + this.#s.options.retryDelayMs } : undefined
    }
    this.onTold(from, m.decidedUpTo, nowMs)
    if (this.#asked === undefined && this.areAny) this.#ask(nowMs)
  }

  /** An installed checkpoint has brought the requested slots. */
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

  /** The next peer in round-robin order; this node itself when there is no other. */
  #nextSource(): NodeId {
    const others = this.#s.others()
    return others.find((nodeId) => nodeId > this.#source) ?? others[0] ?? this.#s.self
  }
}
