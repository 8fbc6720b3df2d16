/** What simulated clients ask for: enough of the bank and the keys that every answer depends on what was done before. */
export type Operation =
  | { readonly kind: 'put'; readonly key: string; readonly value: string }
  /** Puts `value` only where `expected` stands. */
  | { readonly kind: 'swap'; readonly key: string; readonly expected: string; readonly value: string }
  | { readonly kind: 'open'; readonly account: string; readonly overdraftLimit: number }
  | { readonly kind: 'deposit'; readonly id: string; readonly account: string; readonly amount: number }
  | { readonly kind: 'withdraw'; readonly id: string; readonly account: string; readonly amount: number }
  | {
      readonly kind: 'transfer'
      readonly id: string
      readonly source: string
      readonly destination: string
      readonly amount: number
    }

export type Query = { readonly kind: 'get'; readonly key: string } | { readonly kind: 'balance'; readonly account: string }

/** Which request of which client. */
export interface RequestId {
  readonly clientId: number
  readonly requestNumber: number
}

/** One request of a client's session. */
export interface SessionRequest extends RequestId {
  readonly firstUnacknowledged: number
  readonly operation: Operation
}

/** What clients put into the log. */
export type Command =
  | { readonly kind: 'openSession'; readonly nonce: string }
  | { readonly kind: 'request'; readonly request: SessionRequest }

/** Tells a command from every other: whoever waits under it is answered. */
export function nameOf(command: Command): string {
  return command.kind === 'openSession' ? command.nonce : nameOfRequest(command.request)
}

export function nameOfRequest({ clientId, requestNumber }: RequestId): string {
  return `${clientId}:${requestNumber}`
}
