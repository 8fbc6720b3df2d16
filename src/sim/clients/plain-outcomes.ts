/**
 * The outcomes of requests, in plain fields, so that the answers of the nodes and those of the model can be held side by side. Fields
 * always stand in the order given here. Names that end in Ms are log time, in ms since 1970.
 */

export interface PairView {
  readonly key: string
  readonly value: string
  readonly createRevision: number
  readonly modRevision: number
  readonly version: number
}

export interface AccountView {
  readonly account: string
  readonly asset: string
  readonly balance: number
  readonly held: number
  readonly overdraftLimit: number
  readonly openedMs: number
}

export interface MovementView {
  readonly id: string
  readonly kind: 'deposit' | 'withdrawal' | 'transfer'
  readonly source: string
  readonly destination: string
  readonly asset: string
  readonly amount: number
  readonly status: 'posted' | 'pending' | 'voided' | 'expired' | 'refused'
  /** The amount held by a two-phase transfer. */
  readonly pendingAmount: number
  readonly refusalReason: string
  readonly timeMs: number
  readonly expiresMs: number | null
}

export type PlainOutcome =
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'put'; readonly revision: number; readonly previous: PairView | null }
  | { readonly kind: 'delete'; readonly deleted: number; readonly revision: number; readonly pairs: readonly PairView[] }
  | { readonly kind: 'txn'; readonly succeeded: boolean; readonly responses: readonly PlainOutcome[]; readonly revision: number }
  | { readonly kind: 'get'; readonly pair: PairView | null; readonly revision: number }
  | {
      readonly kind: 'list'
      readonly pairs: readonly PairView[]
      readonly count: number
      readonly hasMore: boolean
      readonly revision: number
    }
  /** The outcome of an opening, or of a read of one account. */
  | { readonly kind: 'account'; readonly account: AccountView }
  | { readonly kind: 'accounts'; readonly accounts: readonly AccountView[] }
  /** A movement and the accounts right after it; a read of a movement gives no accounts. */
  | {
      readonly kind: 'movement'
      readonly movement: MovementView
      readonly source: AccountView | null
      readonly destination: AccountView | null
    }
  /** One for each transfer, in order: the movement, or why it was refused. */
  | { readonly kind: 'batch'; readonly results: readonly (MovementView | { readonly reason: string })[] }

/** An answer to a client: what, and in which slot it took effect, or as of which it was read. */
export interface PlainAnswer {
  readonly slot: number
  readonly outcome: PlainOutcome
}

export function refused(reason: string): PlainOutcome {
  return { kind: 'refused', reason }
}

export function sameOutcome(a: PlainOutcome, b: PlainOutcome): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}

/** Formats an outcome without its times, for people and for comparisons. */
export function withoutTimes(outcome: PlainOutcome): string {
  return JSON.stringify(outcome, (name, value: unknown) => (name.endsWith('Ms') ? undefined : value))
}
