import { check } from '../checkers/violation.js'
import { encodeQuery, encodeRequest } from '../clients/encode-request.js'
import type { Query, Request } from '../clients/operations.js'
import { type Answer, sameOutcome } from '../clients/outcomes.js'

/** What a client asks: a command of the log, or a linearizable read beside it. */
export type Asked = { readonly kind: 'command'; readonly request: Request } | { readonly kind: 'read'; readonly query: Query }

/** One request of a simulated client, from the first try to the first answer. */
export interface Invocation {
  /** Counts invocations in the order in which they were made, from 1. */
  readonly number: number
  readonly client: string
  readonly asked: Asked
  /** As it goes to the nodes. */
  readonly bytes: Uint8Array
  readonly invokedUs: number
  /** Undefined while it is outstanding, and for good if nobody can say any more whether it happened. */
  returnedUs: number | undefined
  answer: Answer | undefined
  /** The first answer of the cluster's that reached the client's machine, whether the client took it or not. */
  heard: Answer | undefined
  /** The client has given up, or was told that it was not carried out. */
  isAbandoned: boolean
  /** The client was told that it was not carried out, and never will be. */
  isDenied: boolean
  /** The names under which it was sent in sessions of the client's own; none for a bare call. See sessionName. */
  readonly sentAs: string[]
}

/** Names a request in the session that it was sent in. */
export function sessionName(clientId: number, requestNumber: number): string {
  return `${clientId}:${requestNumber}`
}

/** For people: which request of whom. */
export function tellInvocation({ number, client, asked }: Invocation): string {
  const what = asked.kind === 'read' ? `read ${JSON.stringify(asked.query)}` : JSON.stringify(asked.request.operation)
  return `request ${number} of ${client}, ${what}`
}

export function tellAnswer({ slot, outcome }: Answer): string {
  return `${JSON.stringify(outcome)} at slot ${slot}`
}

/** Everything that the clients asked and were told. */
export class History {
  readonly #invocations: Invocation[] = []
  /** Who was given which client id. */
  readonly #owners = new Map<number, string>()
  /** Commands that nobody may have carried out. */
  readonly #misuses = new Set<string>()
  #outstandingCount = 0
  #acknowledgedCount = 0

  /** In the order in which they were made. */
  get invocations(): readonly Invocation[] {
    return this.#invocations
  }

  get outstandingCount(): number {
    return this.#outstandingCount
  }

  get acknowledgedCount(): number {
    return this.#acknowledgedCount
  }

  /** Whose session has this client id; undefined when it is no client's, but perhaps a node's. */
  ownerOf(clientId: number): string | undefined {
    return this.#owners.get(clientId)
  }

  get clientIds(): Iterable<number> {
    return this.#owners.keys()
  }

  /** A command that must never be carried out: what it is sent under is another's. Gives its bytes. */
  misuse(value: string): Uint8Array {
    const bytes = encodeRequest({ operation: { kind: 'put', key: 'misused', value }, requestId: '' })
    this.#misuses.add(textOf(bytes))
    return bytes
  }

  isMisuse(bytes: Uint8Array): boolean {
    return this.#misuses.has(textOf(bytes))
  }

  invoke(client: string, asked: Asked, nowUs: number): Invocation {
    const invocation: Invocation = {
      number: this.#invocations.length + 1,
      client,
      asked,
      bytes: asked.kind === 'read' ? encodeQuery(asked.query) : encodeRequest(asked.request),
      invokedUs: nowUs,
      returnedUs: undefined,
      answer: undefined,
      heard: undefined,
      isAbandoned: false,
      isDenied: false,
      sentAs: [],
    }
    this.#invocations.push(invocation)
    this.#outstandingCount++
    return invocation
  }

  /**
   * True for the first answer. A later one, to a retry under the same name, must be the same, unless it is a read's: those are answered
   * as of each place in the log. @throws Violation
   */
  onAnswer(invocation: Invocation, answer: Answer, nowUs: number): boolean {
    if (invocation.isAbandoned) return false
    const first = invocation.answer
    if (first === undefined) {
      invocation.answer = answer
      invocation.returnedUs = nowUs
      this.#outstandingCount--
      this.#acknowledgedCount++
      return true
    }
    check(
      isRead(invocation.asked) || isSameAnswer(invocation, first, answer),
      () => `${tellInvocation(invocation)}, was answered ${tellAnswer(first)}, and when retried ${tellAnswer(answer)}`,
    )
    return false
  }

  /**
   * An answer has reached the client's machine. Each to the same request must be the same, unless it is a read's: those are answered as of
   * each place in the log. @throws Violation
   */
  hear(invocation: Invocation, answer: Answer): void {
    const first = invocation.heard
    invocation.heard ??= answer
    if (first === undefined || isRead(invocation.asked)) return
    check(
      isSameAnswer(invocation, first, answer),
      () => `${tellInvocation(invocation)}, was answered ${tellAnswer(first)}, and when retried ${tellAnswer(answer)}`,
    )
  }

  /** The client is told that it was not carried out. */
  deny(invocation: Invocation): void {
    invocation.isDenied = true
    this.abandon(invocation)
  }

  /** The client gives up on it: it does not know whether it took effect, or ever will. */
  abandon(invocation: Invocation): void {
    if (invocation.answer !== undefined || invocation.isAbandoned) return
    invocation.isAbandoned = true
    this.#outstandingCount--
  }

  /** @throws Violation when the id is somebody's already */
  onSessionOpened(client: string, clientId: number): void {
    const owner = this.#owners.get(clientId)
    check(owner === undefined, () => `client id ${clientId} was given to ${owner} and to ${client}`)
    this.#owners.set(clientId, client)
  }
}

function isRefusedFor({ outcome }: Answer, ...reasons: readonly string[]): boolean {
  return outcome.kind === 'refused' && reasons.includes(outcome.reason)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** Sent anew under another name, an id that was used before is refused each time: in the slot of that time. */
function isSameAnswer({ sentAs }: Invocation, first: Answer, answer: Answer): boolean {
  // Asked again under another name when the first answer was kept no more, or when there was room on one of the tries only.
  if (sentAs.length !== 1 && [first, answer].some((one) => isRefusedFor(one, 'EXPIRED_ID', 'QUOTA_EXCEEDED'))) return true
  return sameOutcome(first.outcome, answer.outcome) && (first.slot === answer.slot || sentAs.length !== 1)
}

function isRead(asked: Asked): boolean {
  return asked.kind === 'read' || asked.request.operation.kind === 'logRead'
}
