import type { CallerIdentity } from '../../host/admission.js'
import type { Message } from '../../paxos/messages.js'
import type { NodeId } from '../../paxos/types.js'
import type { FaultTotals } from '../plan/faults.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import type { Fate, TraceStep } from '../trace/trace-events.js'
import type { Scheduler } from './scheduler.js'

/** The quality of the link from one node to another. */
export interface LinkQuality {
  readonly delayMsMin: number
  /** Mean of the exponentially distributed part of the delay. */
  readonly delayMsMean: number
  /** Share of messages that take `tailMsMean` longer. */
  readonly tailRate: number
  readonly tailMsMean: number
  readonly lossRate: number
  readonly duplicationRate: number
  /** False for a stream: messages arrive in the order in which they were sent. */
  readonly canReorder: boolean
  /** True if a cut affects only messages that are sent after it; otherwise messages under way are lost, too. */
  readonly isCutBehind: boolean
}

export const GOOD_LINK: LinkQuality = Object.freeze({
  delayMsMin: 0.2,
  delayMsMean: 0.5,
  tailRate: 0,
  tailMsMean: 0,
  lossRate: 0,
  duplicationRate: 0,
  canReorder: false,
  isCutBehind: false,
})

/** A message under way, and the identity that its sender gave. */
export interface Packet {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
  readonly caller: CallerIdentity
}

/** A packet that was sent, or its second copy. */
export interface SentPacket extends Packet {
  readonly sentStep: TraceStep
}

/** A stream sends lost data again, and breaks only now and then: this is its share of the messages' loss rate. */
const STREAM_LOSS = 0.2

interface Link {
  /** Each link has its own generator: events on one link do not shift those on another. */
  readonly random: Random
  quality: LinkQuality
  isCut: boolean
  lastArrivalMs: number
}

interface Settings {
  readonly nodeIds: readonly NodeId[]
  readonly quality: LinkQuality
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly trace: EventTrace
  readonly deliver: (packet: SentPacket) => void
  /** Returns the message that arrives for a packet: the same, or what the codec makes of it. */
  readonly carry: (packet: Packet) => Message
}

/** The directed links between the nodes, each with its quality, cut or not. */
export class Network {
  readonly #settings: Settings
  readonly #links = new Map<NodeId, Map<NodeId, Link>>()

  constructor(settings: Settings) {
    this.#settings = settings
    for (const from of settings.nodeIds) {
      const links = new Map<NodeId, Link>()
      for (const to of settings.nodeIds) {
        if (to !== from)
          links.set(to, { quality: settings.quality, random: settings.random.fork(), isCut: false, lastArrivalMs: 0 })
      }
      this.#links.set(from, links)
    }
  }

  send(packet: Packet): void {
    freeze(packet.message)
    const link = this.#link(packet.from, packet.to)
    const { totals } = this.#settings
    const { random } = link
    const sentStep = this.#tellSent(packet, 0)
    if (link.isCut && link.quality.isCutBehind) return this.#loseToCut({ ...packet, sentStep })
    if (random.chance(link.quality.lossRate)) {
      totals.count('loss')
      return this.#tellEnded({ ...packet, sentStep }, 'lost')
    }
    this.#dispatch(link, packet, sentStep)
    if (random.chance(link.quality.duplicationRate)) {
      totals.count('duplication')
      this.#dispatch(link, packet, this.#tellSent(packet, sentStep))
    }
  }

  /** Sends a piece of a stream from one node to another. Either `onArrival` or `onLost` is called, once. */
  travel(from: NodeId, to: NodeId, { onArrival, onLost }: { readonly onArrival: () => void; readonly onLost: () => void }): void {
    const { scheduler, totals } = this.#settings
    const link = this.#link(from, to)
    const { quality, random } = link
    const isLost = link.isCut || random.chance(quality.lossRate * STREAM_LOSS)
    if (isLost) totals.count(link.isCut ? 'cutLink' : 'loss')
    scheduler.after(quality.delayMsMin + random.exponential(quality.delayMsMean), () => {
      if (isLost || (link.isCut && !quality.isCutBehind)) onLost()
      else onArrival()
    })
  }

  /** Cuts the link from `from` to `to`; the opposite direction is another link. */
  cut(from: NodeId, to: NodeId): void {
    this.#link(from, to).isCut = true
  }

  cutBothWays(a: NodeId, b: NodeId): void {
    this.cut(a, b)
    this.cut(b, a)
  }

  /** Cuts all links between nodes of different groups. */
  partition(...groups: readonly (readonly NodeId[])[]): void {
    for (const group of groups) {
      for (const other of groups) {
        if (other === group) continue
        for (const from of group) for (const to of other) this.cut(from, to)
      }
    }
  }

  mend(from: NodeId, to: NodeId): void {
    this.#link(from, to).isCut = false
  }

  mendAll(): void {
    for (const links of this.#links.values()) for (const link of links.values()) link.isCut = false
  }

  setQuality(from: NodeId, to: NodeId, quality: LinkQuality): void {
    this.#link(from, to).quality = quality
  }

  #dispatch(link: Link, packet: Packet, sentStep: TraceStep): void {
    const { scheduler, totals, carry, deliver } = this.#settings
    const { quality, random } = link
    let arrivalMs = scheduler.nowMs + quality.delayMsMin + random.exponential(quality.delayMsMean)
    if (random.chance(quality.tailRate)) {
      totals.count('delay')
      arrivalMs += random.exponential(quality.tailMsMean)
    }
    if (!quality.canReorder) arrivalMs = Math.max(arrivalMs, link.lastArrivalMs)
    else if (arrivalMs < link.lastArrivalMs) totals.count('reordering')
    link.lastArrivalMs = Math.max(arrivalMs, link.lastArrivalMs)
    const carried = { ...packet, sentStep, message: carry(packet) }
    scheduler.after(arrivalMs - scheduler.nowMs, () => {
      if (!link.isCut || quality.isCutBehind) return deliver(carried)
      this.#loseToCut(carried)
    })
  }

  #loseToCut(packet: SentPacket): void {
    this.#settings.totals.count('cutLink')
    this.#tellEnded(packet, 'cut')
  }

  #tellSent({ from, to, message }: Packet, copyOf: TraceStep): TraceStep {
    return this.#settings.trace.tell({ kind: 'sent', from, to, message, copyOf })
  }

  #tellEnded({ sentStep, from, to, message }: SentPacket, fate: Fate): void {
    this.#settings.trace.tell({ kind: 'ended', sentStep, from, to, message, fate })
  }

  #link(from: NodeId, to: NodeId): Link {
    const link = this.#links.get(from)?.get(to)
    if (link === undefined) throw new RangeError(`there is no link from node ${from} to node ${to}`)
    return link
  }
}

/** Freezes a message, so that changing it throws: a live object sent as a message would be shared state of two nodes. */
function freeze(message: Message): void {
  Object.freeze(message)
  if (message.kind === 'promise') freezeAll(message.accepted)
  else if (message.kind === 'catchUpReply') freezeAll(message.entries)
  else if (message.kind === 'propose') Object.freeze(message.commands)
}

function freezeAll(objects: readonly object[]): void {
  Object.freeze(objects)
  for (const object of objects) Object.freeze(object)
}
