import { LocalCluster } from '../../src/cli/local-cluster.js'
import { freePorts } from '../../src/cli/ports.js'
import { type Client, connect, generateKeyPair, makeAuthority } from '../../src/client/client.js'
import { ACCOUNTS, type Workload } from './workload.js'

const NODES = 3
const DEPOSIT = 1_000_000n
const TOTAL = DEPOSIT * BigInt(ACCOUNTS.length)
const FORM_TIMEOUT_MS = 30_000

/** Three processes that keep a workload's accounts, and a client of all of them. */
export interface BankCluster {
  readonly cluster: LocalCluster
  readonly client: Client
}

/** Starts the processes, on free ports and with their data under `directory`, and brings money into the accounts. */
export async function startBankCluster(directory: string): Promise<BankCluster> {
  const ports = await freePorts(2 * NODES)
  const keys = generateKeyPair()
  const authority = makeAuthority('mint', keys)
  const cluster = new LocalCluster({
    directory,
    ports: Array.from({ length: NODES }, (_, i) => ({ client: ports[i] ?? 0, peer: ports[NODES + i] ?? 0 })),
    authority: `mint=${Buffer.from(keys.publicKey).toString('base64')}`,
  })
  const client = connect({ endpoints: cluster.endpoints })
  try {
    cluster.prepare()
    for (const node of cluster.nodes) cluster.spawn(node)
    await cluster.untilFormed(client, FORM_TIMEOUT_MS)
    for (const accountId of ACCOUNTS) {
      await client.bank.openAccount({ accountId, asset: 'EUR' })
      await client.bank.deposit({ depositId: `d-${accountId}`, accountId, asset: 'EUR', amount: DEPOSIT, authority })
    }
    return { cluster, client }
  } catch (error) {
    client.close()
    cluster.killAll()
    throw error
  }
}

/** As Workload.check, by each node in turn: an answer is that node's own. */
export async function checkEveryNode({ cluster }: BankCluster, workload: Workload): Promise<void> {
  for (const { clientAddress } of cluster.nodes) {
    const one = connect({ endpoints: clientAddress })
    await workload.check(one, TOTAL)
    one.close()
  }
}
