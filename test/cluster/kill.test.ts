import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { LocalCluster, type LocalNode } from '../../src/cli/local-cluster.js'
import { type Authority, type Client, connect, generateKeyPair, makeAuthority, signDeposit } from '../../src/client/client.js'
import { freePorts } from '../support/ports.js'
import { ACCOUNTS, Workload } from '../support/workload.js'

const DEPOSIT = 100_000n
const TOTAL = DEPOSIT * BigInt(ACCOUNTS.length)
const FORM_TIMEOUT_MS = 30_000

describe('three processes under load', () => {
  let directory: string
  let cluster: LocalCluster
  let client: Client
  let authority: Authority

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'synod-kill-'))
    const ports = await freePorts(6)
    const keys = generateKeyPair()
    authority = makeAuthority('mint', keys)
    cluster = new LocalCluster({
      directory,
      ports: [0, 1, 2].map((i) => ({ client: ports[i] ?? 0, peer: ports[i + 3] ?? 0 })),
      authority: `mint=${Buffer.from(keys.publicKey).toString('base64')}`,
    })
    cluster.prepare()
    for (const node of cluster.nodes) cluster.spawn(node)
    client = connect({ endpoints: cluster.endpoints })
    await cluster.untilFormed(client, FORM_TIMEOUT_MS)
    for (const accountId of ACCOUNTS) {
      await client.bank.openAccount({ accountId, asset: 'EUR' })
      await client.bank.deposit(signDeposit(authority, { depositId: `d-${accountId}`, accountId, asset: 'EUR', amount: DEPOSIT }))
    }
  })

  after(async () => {
    client?.close()
    cluster?.killAll()
    await cluster?.stop()
    await rm(directory, { recursive: true })
  })

  async function killed(nodes: readonly LocalNode[]): Promise<void> {
    await Promise.all(nodes.map((node) => cluster.kill(node, 'SIGKILL')))
  }

  async function restarted(nodes: readonly LocalNode[]): Promise<void> {
    for (const node of nodes) cluster.spawn(node)
    await cluster.untilFormed(client, FORM_TIMEOUT_MS)
  }

  /** Each node by itself, so that an answer is that node's. */
  async function checkEveryNode(workload: Workload): Promise<void> {
    for (const { clientAddress } of cluster.nodes) {
      const one = connect({ endpoints: clientAddress })
      await workload.check(one, TOTAL)
      one.close()
    }
    const statuses = (await client.cluster.status()).map(({ status }) => status)
    const sameSlot = new Set(statuses.map((s) => s?.appliedUpTo)).size === 1
    if (sameSlot) assert.equal(new Set(statuses.map((s) => s?.stateDigest)).size, 1, 'one digest at one slot')
  }

  it('lose nothing and do nothing twice when the leader, then a follower, then all three are killed', async () => {
    const workload = new Workload(cluster.endpoints, { clients: 6, name: 'w' })
    await workload.untilAcknowledged(200)

    const leader = await cluster.untilFormed(client, FORM_TIMEOUT_MS)
    await killed([leader])
    await workload.untilAcknowledged(200)
    await restarted([leader])
    await workload.untilAcknowledged(100)

    const second = await cluster.untilFormed(client, FORM_TIMEOUT_MS)
    const follower = cluster.nodes.find((node) => node !== second) ?? assert.fail('there are followers')
    await killed([follower])
    await workload.untilAcknowledged(200)
    await restarted([follower])

    await killed(cluster.nodes)
    await restarted(cluster.nodes)
    await workload.untilAcknowledged(200)

    await workload.stop()
    assert.equal(workload.unknownCount, 0, 'every request was answered, through every failure')
    await checkEveryNode(workload)
  })
})
