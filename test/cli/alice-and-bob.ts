import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Authority, type Client, generateKeyPair, makeAuthority } from '../../src/client/client.js'
import { Nodes } from './nodes.js'

const keys = generateKeyPair()
const mint: Authority = makeAuthority('mint', keys)
const AUTHORITY = `mint=${Buffer.from(keys.publicKey).toString('base64')}`

export interface OldCluster {
  readonly nodes: Nodes
  readonly client: Client
  readonly root: string
  readonly close: () => Promise<void>
}

/** A cluster of three in which alice has 1,000, and a directory for what is made of it. */
export async function startOldCluster(): Promise<OldCluster> {
  const root = mkdtempSync(join(tmpdir(), 'synod-backup-'))
  const nodes = await Nodes.make(3)
  for (const id of [1, 2, 3]) nodes.start(id, [1, 2, 3], '--authority', AUTHORITY)
  const client = nodes.connect(1, 2, 3)
  await client.bank.openAccount({ accountId: 'alice', asset: 'EUR' }, { timeoutMs: 60_000 })
  await client.bank.openAccount({ accountId: 'bob', asset: 'EUR' })
  await client.bank.deposit(deposit('d-1', 1_000n))
  async function close(): Promise<void> {
    await nodes.close()
    rmSync(root, { recursive: true, force: true })
  }
  return { nodes, client, root, close }
}

/** A good deposit for alice. */
export const deposit = (depositId: string, amount: bigint) => ({
  depositId,
  accountId: 'alice',
  asset: 'EUR',
  amount,
  authority: mint,
})
/** From alice to bob. */
export const transfer = (transferId: string, amount: bigint) => ({
  transferId,
  sourceAccountId: 'alice',
  destinationAccountId: 'bob',
  amount,
})

/** Alice's and bob's. */
export async function balances({ bank }: Client): Promise<bigint[]> {
  const accounts = await Promise.all(['alice', 'bob'].map((accountId) => bank.getBalance(accountId, { timeoutMs: 60_000 })))
  return accounts.map(({ account }) => account.balance)
}
