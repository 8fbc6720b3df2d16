import type { Client } from '../../src/client/client.js'
import type { Cluster } from './cluster.js'

/** Of a transaction. */
const OPERATIONS_MAX = 128
/** Transactions under way. */
const IN_FLIGHT = 32
const TIMEOUT_MS = 120_000

export function accountOf(i: number): string {
  return `account-${i}`
}

export function keyOf(i: number): string {
  return `key-${String(i).padStart(9, '0')}`
}

/** Does `task(0)` to `task(count - 1)`, so many at a time. */
export async function forEach(count: number, inFlight: number, task: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++)
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
}

/** Opens so many accounts that may be overdrawn at will: nothing is refused then, and no deposits are needed. */
export async function openAccounts(cluster: Cluster, count: number): Promise<void> {
  const client = cluster.connect({ timeoutMs: TIMEOUT_MS })
  await forEach(Math.ceil(count / OPERATIONS_MAX), IN_FLIGHT, (n) => {
    const first = n * OPERATIONS_MAX
    const accounts = Array.from({ length: Math.min(OPERATIONS_MAX, count - first) }, (_, i) => ({
      openAccount: { accountId: accountOf(first + i), asset: 'EUR', overdraftLimit: 1n << 50n },
    }))
    // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
    return client.kv.txn({ then: accounts })
  })
  client.close()
}

/** Puts keys 0 to count - 1, each with a value of so many bytes, each a request of its own. */
export async function putKeys(client: Client, count: number, bytes: number, inFlight = 1_024): Promise<void> {
  await forEach(count, inFlight, (i) => client.kv.put(keyOf(i), valueOf(i, bytes)))
}

/** Bytes that no compression shortens much. */
export function valueOf(seed: number, bytes: number): Uint8Array {
  const value = new Uint8Array(bytes)
  let state = (seed * 2_654_435_761 + 1) >>> 0
  for (let i = 0; i < bytes; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    value[i] = state >>> 24
  }
  return value
}
