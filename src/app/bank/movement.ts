/** The largest amount and the largest balance, in minor units. */
export const INT64_MAX = 2n ** 63n - 1n

export interface Account {
  readonly accountId: string
  readonly asset: string
  /** Minor units. Never below -overdraftLimit. */
  readonly balance: bigint
  /** The part of the balance that pending transfers out hold. balance - held is never below -overdraftLimit. */
  readonly held: bigint
  readonly overdraftLimit: bigint
  readonly openedAtMs: number
}

/** An account as the books have it. */
export interface AccountRow extends Account {
  /** Number of movements that have touched it: the length of its list. */
  readonly movementCount: number
  /** The place of the last of these, if it is in memory: see AccountLists. In no checkpoint; 0: none since the last start. */
  readonly lastPlace: number
}

/** The accounts of a movement; undefined: it has none on that side. */
export interface MovedAccounts {
  readonly source: AccountRow | undefined
  readonly destination: AccountRow | undefined
}

/** The balances and holds of a movement's accounts at a time; 0 for an account that it does not have. Nothing else of an account ever changes. */
export interface Standing {
  readonly sourceBalance: bigint
  readonly sourceHeld: bigint
  readonly destinationBalance: bigint
  readonly destinationHeld: bigint
}

/** A deposit, a withdrawal or a transfer; also one that was refused, so that its id stays refused. */
export interface Movement {
  readonly id: string
  readonly kind: 'deposit' | 'withdrawal' | 'transfer'
  /** Empty for a deposit. */
  readonly source: string
  /** Empty for a withdrawal. */
  readonly destination: string
  /** Empty when it was refused because there is no account to tell it. */
  readonly asset: string
  /** Minor units. For a pending transfer that was posted in part: the part. */
  readonly amount: bigint
  readonly status: 'posted' | 'pending' | 'voided' | 'expired' | 'refused'
  readonly slot: number
  readonly timeMs: number
  /** The amount that a two-phase transfer held; 0 for any other movement. */
  readonly pendingAmount: bigint
  /** Duration of a two-phase transfer's hold, in log time; 0: until it is posted or voided. */
  readonly timeoutMs: number
  readonly refusalReason: MovementRefusalReason | ''
  /** The account that a refusal is about; empty when it is about none. */
  readonly refusedAccount: string
  /** For a deposit: the digest of the signer and the signature, which a repeat must have in common. */
  readonly authorization: string
  /** Counts movements in the order of the log, from 1. */
  readonly sequence: number
  /** Right after it was made, for repeats of the request; undefined when it was refused. */
  readonly standing: Standing | undefined
  /** The slot in which a two-phase transfer was posted or voided; 0 for any other movement. */
  readonly endSlot: number
  /** Right after that, for repeats of the request. */
  readonly endStanding: Standing | undefined
}

/** The reasons for which a movement's id stays refused; see bank.ts for their order. */
export type MovementRefusalReason = 'ACCOUNT_NOT_FOUND' | 'ASSET_MISMATCH' | 'INSUFFICIENT_FUNDS' | 'BALANCE_OVERFLOW'

/** A movement as a request asks for it, before it is made or refused. */
export interface MovementDraft {
  readonly id: string
  readonly kind: Movement['kind']
  readonly source: string
  readonly destination: string
  /** Empty: that of the account. */
  readonly asset: string
  readonly amount: bigint
  readonly isPending: boolean
  readonly timeoutMs: number
  readonly authorization: string
}

/** When the hold of a two-phase transfer ends by itself, in log time; undefined when it does not. */
export function expiresAtMs(movement: Movement): number | undefined {
  return movement.timeoutMs === 0 || movement.status === 'refused' ? undefined : movement.timeMs + movement.timeoutMs
}
