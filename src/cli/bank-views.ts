import type { Account, Movement } from '../client/client.js'
import { formatTable } from './output.js'

export function accountTable(accounts: readonly Account[]): string {
  const head = ['account', 'asset', 'balance', 'held', 'overdraft']
  return formatTable(
    head,
    accounts.map(({ accountId, asset, balance, held, overdraftLimit }) => [
      accountId,
      asset,
      String(balance),
      String(held),
      String(overdraftLimit),
    ]),
  )
}

export async function movementTable(movements: readonly Movement[]): Promise<string> {
  const nameOf = await enumNames()
  const head = ['id', 'kind', 'source', 'destination', 'asset', 'amount', 'status', 'slot', 'time']
  return formatTable(
    head,
    movements.map((movement) => {
      const { id, source, destination, asset, amount, pendingAmount, slot, time } = movement
      const { kind, status } = nameOf(movement)
      const shown = movement.amount === 0n ? pendingAmount : amount
      return [id, kind, source, destination, asset, String(shown), status, String(slot), time?.toISOString() ?? '']
    }),
  )
}

/** Formats every field, defaults included; enums by name. */
export async function movementToJson(movement: Movement): Promise<unknown> {
  const nameOf = await enumNames()
  return { ...movement, ...nameOf(movement) }
}

async function enumNames(): Promise<(movement: Movement) => { kind: string; status: string }> {
  const { MovementKind, MovementStatus } = await import('../client/client.js')
  return ({ kind, status }) => ({ kind: nameIn(MovementKind, kind), status: nameIn(MovementStatus, status) })
}

function nameIn(values: Readonly<Record<string, number>>, value: number): string {
  const name = Object.keys(values).find((known) => values[known] === value)
  return name?.toLowerCase() ?? String(value)
}
