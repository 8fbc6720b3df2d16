import { decodeText } from '../../encoding/text.js'
import {
  MovementKind,
  MovementStatus,
  type TransferResult,
  type Account as WireAccount,
  type Movement as WireMovement,
} from '../../gen/synod/bank/v1/bank.js'
import type { KeyValuePair } from '../../gen/synod/kv/v1/kv.js'
import { Result } from '../../gen/synod/session/v1/session.js'
import type { Answer as HostAnswer } from '../../host/api.js'
import {
  type AccountView,
  type MovementView,
  type PairView,
  type PlainAnswer,
  type PlainOutcome,
  refused,
} from './plain-outcomes.js'

type ProtoOutcome = Result['outcome']

const KINDS = new Map<MovementKind, MovementView['kind']>([
  [MovementKind.DEPOSIT, 'deposit'],
  [MovementKind.WITHDRAWAL, 'withdrawal'],
  [MovementKind.TRANSFER, 'transfer'],
])

const STATUSES = new Map<MovementStatus, MovementView['status']>([
  [MovementStatus.POSTED, 'posted'],
  [MovementStatus.PENDING, 'pending'],
  [MovementStatus.VOIDED, 'voided'],
  [MovementStatus.EXPIRED, 'expired'],
  [MovementStatus.REFUSED, 'refused'],
])

/** Decodes a node's answer. The slot in the result, if any, is where it took effect the first time. */
export function decodeAnswer({ slot, result }: HostAnswer): PlainAnswer {
  const decoded = Result.decode(result)
  return { slot: decoded.slot || slot, outcome: toOutcome(decoded.outcome) }
}

/** Converts an outcome to plain fields. */
export function toOutcome(outcome: ProtoOutcome): PlainOutcome {
  // oxlint-disable-next-line typescript/switch-exhaustiveness-check -- what operations.ts does not ask for stands together
  switch (outcome?.$case) {
    case 'refusal':
      return refused(outcome.value.reason)
    case 'put':
      return { kind: 'put', revision: Number(outcome.value.revision), previous: toPair(outcome.value.previous) }
    case 'get':
      return { kind: 'get', pair: toPair(outcome.value.pair), revision: Number(outcome.value.revision) }
    case 'delete': {
      const { deletedCount, revision, previous } = outcome.value
      return { kind: 'delete', deleted: Number(deletedCount), revision: Number(revision), pairs: previous.map(pairView) }
    }
    case 'list': {
      const { pairs, count, nextPageToken, revision } = outcome.value
      const hasMore = nextPageToken !== ''
      return { kind: 'list', pairs: pairs.map(pairView), count: Number(count), hasMore, revision: Number(revision) }
    }
    case 'txn': {
      const { succeeded, responses, revision } = outcome.value
      const views = responses.map(({ response }) => toOutcome(response))
      return { kind: 'txn', succeeded, responses: views, revision: Number(revision) }
    }
    case 'openAccount':
    case 'getBalance':
      return outcome.value.account === undefined ? refused('') : { kind: 'account', account: accountView(outcome.value.account) }
    case 'listAccounts':
      return { kind: 'accounts', accounts: outcome.value.accounts.map(accountView) }
    case 'deposit':
      return movementOutcome({ movement: outcome.value.movement, destination: outcome.value.account })
    case 'withdraw':
      return movementOutcome({ movement: outcome.value.movement, source: outcome.value.account })
    case 'transfer':
    case 'postTransfer':
    case 'voidTransfer':
    case 'getTransfer':
      return movementOutcome(outcome.value)
    case 'transferBatch':
      return { kind: 'batch', results: outcome.value.results.map(transferResult) }
    default:
      return refused(`an answer to something else: ${outcome?.$case}`)
  }
}

function movementOutcome(response: {
  movement: WireMovement | undefined
  source?: WireAccount | undefined
  destination?: WireAccount | undefined
}): PlainOutcome {
  const { movement, source, destination } = response
  if (movement === undefined) return refused('an answer without its movement')
  return {
    kind: 'movement',
    movement: movementView(movement),
    source: source === undefined ? null : accountView(source),
    destination: destination === undefined ? null : accountView(destination),
  }
}

function transferResult({ movement, reason }: TransferResult): MovementView | { readonly reason: string } {
  return movement === undefined ? { reason } : movementView(movement)
}

function movementView(movement: WireMovement): MovementView {
  return {
    id: movement.id,
    kind: KINDS.get(movement.kind) ?? 'transfer',
    source: movement.source,
    destination: movement.destination,
    asset: movement.asset,
    amount: Number(movement.amount),
    status: STATUSES.get(movement.status) ?? 'refused',
    pendingAmount: Number(movement.pendingAmount),
    refusalReason: movement.refusalReason,
    timeMs: movement.time?.getTime() ?? 0,
    expiresMs: movement.expiresAt?.getTime() ?? null,
  }
}

function accountView(account: WireAccount): AccountView {
  return {
    account: account.accountId,
    asset: account.asset,
    balance: Number(account.balance),
    held: Number(account.held),
    overdraftLimit: Number(account.overdraftLimit),
    openedMs: account.openedAt?.getTime() ?? 0,
  }
}

function toPair(pair: KeyValuePair | undefined): PairView | null {
  return pair === undefined ? null : pairView(pair)
}

function pairView({ key, value, createRevision, modRevision, version }: KeyValuePair): PairView {
  return {
    key,
    value: decodeText(value),
    createRevision: Number(createRevision),
    modRevision: Number(modRevision),
    version: Number(version),
  }
}
