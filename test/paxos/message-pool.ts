import type { CoreMessage as Message } from '../../src/paxos/messages.js'
import type { NodeId } from '../../src/paxos/types.js'

export interface InTransit {
  readonly from: NodeId
  readonly to: NodeId
  readonly message: Message
}

/** Picks messages; what is left out matches anything. */
export interface Match {
  readonly from?: NodeId
  readonly to?: NodeId
  readonly kind?: Message['kind']
  readonly where?: (message: Message) => boolean
}

/** A network in which every message waits until the test delivers, drops or duplicates it. */
export class MessagePool {
  #sent: InTransit[] = []
  readonly #cutLinks = new Set<string>()

  get sent(): readonly InTransit[] {
    return this.#sent
  }

  send(from: NodeId, to: NodeId, message: Message): void {
    if (!this.#cutLinks.has(`${from} ${to}`)) this.#sent.push({ from, to, message })
  }

  /** Takes the first that matches. */
  takeFirst(match: Match, isWanted: (sent: InTransit) => boolean): InTransit | undefined {
    const i = this.#sent.findIndex((sent) => matches(sent, match) && isWanted(sent))
    return i < 0 ? undefined : this.#sent.splice(i, 1)[0]
  }

  /** Takes all that match. */
  take(match: Match): InTransit[] {
    const taken = this.#sent.filter((sent) => matches(sent, match))
    this.#sent = this.#sent.filter((sent) => !taken.includes(sent))
    return taken
  }

  /** Behind all that is there. */
  putBack(messages: readonly InTransit[]): void {
    this.#sent.push(...messages)
  }

  duplicate(match: Match): void {
    this.putBack(this.#sent.filter((sent) => matches(sent, match)).map((sent) => ({ ...sent })))
  }

  turnRound(): void {
    this.#sent = this.#sent.toReversed()
  }

  /** From now on nothing that `from` sends reaches `to`, nor what is on its way. */
  cut(from: NodeId, to: NodeId): void {
    this.#cutLinks.add(`${from} ${to}`)
    this.take({ from, to })
  }

  heal(): void {
    this.#cutLinks.clear()
  }
}

function matches(sent: InTransit, match: Match): boolean {
  return (
    (match.from === undefined || sent.from === match.from) &&
    (match.to === undefined || sent.to === match.to) &&
    (match.kind === undefined || sent.message.kind === match.kind) &&
    (match.where === undefined || match.where(sent.message))
  )
}
