import { check } from '../checkers/violation.js'
import { encodeQuery, encodeRequest } from '../clients/encode-request.js'
import { type PlainAnswer, sameOutcome } from '../clients/plain-outcomes.js'
import type { SimulatedQuery, SimulatedRequest } from '../clients/simulated-operations.js'

/** A client's question: a command for the log, or a linearizable read beside it. */
export type Asked =
  | { readonly kind: 'command'; readonly request: SimulatedRequest }
  | { readonly kind: 'read'; readonly query: SimulatedQuery }

/** One request of a simulated client, from the first try to the first answer. */
export interface ClientInvocation {
  /** Position in the order in which invocations were made, from 1. */
  readonly number: number
  readonly client: string
  readonly asked: Asked
  /** The encoded request, as it is sent to nodes. */
  readonly bytes: Uint8Array
  readonly invokedUs: number
  /** Undefined while the request is outstanding, and for good once its outcome is unknown. */
  returnedUs: number | undefined
  answer: PlainAnswer | undefined
  /** The first answer that reached the client's machine, even if the client did not take it. */
  heard: PlainAnswer | undefined
  /** True once the client has given up, or was told that the request was not carried out. */
  isAbandoned: boolean
  /** True once the client was told that the request was not carried out and never will be. */
  isDenied: boolean
  /** Names under which it was sent in the client's own sessions (see sessionName); empty for a bare call. */
  readonly sentAs: string[]
}

/** Returns the name of a request in the session in which it was sent. */
export function sessionName(clientId: number, requestNumber: number): string {
  return `${clientId}:${requestNumber}`
}

/** Describes a request and its client, for people. */
export function tellInvocation({ number, client, asked }: ClientInvocation): string {
  const what = asked.kind === 'read' ? `read ${JSON.stringify(asked.query)}` : JSON.stringify(asked.request.operation)
  return `request ${number} of ${client}, ${what}`
}

export function tellAnswer({ slot, outcome }: PlainAnswer): string {
  return `${JSON.stringify(outcome)} at slot ${slot}`
}

/** Records everything that the clients asked and were told. */
export class History {
  readonly #invocations: ClientInvocation[] = []
  /** Clients by the client id that they were given. */
  readonly #owners = new Map<number, string>()
  /** Commands that must never be carried out. */
  readonly #misuses = new Set<string>()
  #outstandingCount = 0
  #acknowledgedCount = 0

  /** Invocations in the order in which they were made. */
  get invocations(): readonly ClientInvocation[] {
    return this.#invocations
  }

  get outstandingCount(): number {
    return this.#outstandingCount
  }

  get acknowledgedCount(): number {
    return this.#acknowledgedCount
  }

  /** Returns the client that owns this client id; undefined if it is no client's (it may be a node's). */
  ownerOf(clientId: number): string | undefined {
    return this.#owners.get(clientId)
  }

  get clientIds(): Iterable<number> {
    return this.#owners.keys()
  }

  /** Records a command that must never be carried out, as it is sent under another client's name. Returns its bytes. */
  misuse(value: string): Uint8Array {
    const bytes = encodeRequest({ operation: { kind: 'put', key: 'misused', value }, requestId: '' })
    this.#misuses.add(textOf(bytes))
    return bytes
  }

  isMisuse(bytes: Uint8Array): boolean {
    return this.#misuses.has(textOf(bytes))
  }

  invoke(client: string, asked: Asked, nowUs: number): ClientInvocation {
    const invocation: ClientInvocation = {
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
   * Records an answer. Returns true for the first one. A later answer, to a retry under the same name, must be the same, except
   * for a read: a read is answered as of each of its places in the log.
   * @throws Violation
   */
  onAnswer(invocation: ClientInvocation, answer: PlainAnswer, nowUs: number): boolean {
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
   * Records an answer that reached the client's machine. All answers to one request must be the same, except for a read: a read
   * is answered as of each of its places in the log.
   * @throws Violation
   */
  hear(invocation: ClientInvocation, answer: PlainAnswer): void {
    const first = invocation.heard
    invocation.heard ??= answer
    if (first === undefined || isRead(invocation.asked)) return
    check(
      isSameAnswer(invocation, first, answer),
      () => `${tellInvocation(invocation)}, was answered ${tellAnswer(first)}, and when retried ${tellAnswer(answer)}`,
    )
  }

  /** Records that the client is told that the request was not carried out. */
  deny(invocation: ClientInvocation): void {
    invocation.isDenied = true
    this.abandon(invocation)
  }

  /** Records that the client gives up: it does not know if the request took effect or ever will. */
  abandon(invocation: ClientInvocation): void {
    if (invocation.answer !== undefined || invocation.isAbandoned) return
    invocation.isAbandoned = true
    this.#outstandingCount--
  }

  /** @throws Violation if the id was given to another client before */
  onSessionOpened(client: string, clientId: number): void {
    const owner = this.#owners.get(clientId)
    check(owner === undefined, () => `client id ${clientId} was given to ${owner} and to ${client}`)
    this.#owners.set(clientId, client)
  }
}

function isRefusedFor({ outcome }: PlainAnswer, ...reasons: readonly string[]): boolean {
  return outcome.kind === 'refused' && reasons.includes(outcome.reason)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/**
 * Compares two answers to one request. A request that is sent again under another name, with an id that was used before, is
 * refused each time, in the slot of that time.
 */
function isSameAnswer({ sentAs }: ClientInvocation, first: PlainAnswer, answer: PlainAnswer): boolean {
  // The second name was used when the first answer was no longer kept, or when there was room on one of the tries only.
  if (sentAs.length !== 1 && [first, answer].some((one) => isRefusedFor(one, 'EXPIRED_ID', 'QUOTA_EXCEEDED'))) return true
  return sameOutcome(first.outcome, answer.outcome) && (first.slot === answer.slot || sentAs.length !== 1)
}

function isRead(asked: Asked): boolean {
  return asked.kind === 'read' || asked.request.operation.kind === 'logRead'
}
