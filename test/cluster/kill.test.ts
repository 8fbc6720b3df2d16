import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { LocalCluster, LocalNode } from '../../src/cli/local-cluster.js'
import type { Client } from '../../src/client/client.js'
import { type BankCluster, checkEveryNode, startBankCluster } from '../support/bank-cluster.js'
import { Workload } from '../support/workload.js'

const FORM_TIMEOUT_MS = 30_000

describe('three processes under load', () => {
  let directory: string
  let bank: BankCluster
  let cluster: LocalCluster
  let client: Client

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'synod-kill-'))
    bank = await startBankCluster(directory)
    cluster = bank.cluster
    client = bank.client
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

  /** Nodes that have applied the same slots have the same state. */
  async function checkDigests(): Promise<void> {
    const statuses = (await client.cluster.status()).map(({ status }) => status)
    const sameSlot = new Set(statuses.map((s) => s?.appliedUpTo)).size === 1
    if (sameSlot) assert.equal(new Set(statuses.map((s) => s?.stateDigest)).size, 1, 'one digest at one slot')
  }

  it('lose nothing and do nothing twice when the leader, then a follower, then all three are killed', async () => {
    const workload = new Workload(cluster.endpoints, { clients: 3, name: 'w', pauseMs: 3 })
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
    await checkEveryNode(bank, workload)
    await checkDigests()
  })
})
