import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { pino } from 'pino'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { initialAuthority } from '../../src/api/initial-authority.js'
import { generateKeyPair, makeAuthority } from '../../src/client/authority-signing.js'
import { Consistency, type SynodError } from '../../src/client/client.js'
import { Alarms } from '../../src/host/alarms.js'
import { SafeReads } from '../../src/host/requests/safe-reads.js'
import type { HistoryReader, Restoration } from '../../src/replication/state-machine.js'
import { notWritable, StorageError } from '../../src/storage/storage-error.js'
import { SimCluster } from '../../src/testing/sim-cluster.js'

const MINT = makeAuthority('mint', generateKeyPair())

/** What of the account's history cannot be had back from disk: it is gone, as by a bug, or damaged. */
type Damage = 'none' | 'gone' | 'damaged'

class Damaged extends BankAndKeys {
  readonly #damage: Damage

  constructor(damage: Damage) {
    super()
    this.#damage = damage
  }

  override restore(history: HistoryReader): Restoration {
    return super.restore({
      read: (key) => {
        if (this.#damage === 'none' || !key.startsWith('history/alice/')) return history.read(key)
        if (this.#damage === 'gone') return undefined
        throw new StorageError('DAMAGED', 'a record does not match its checksum')
      },
    })
  }
}

/** With a history of alice that stands on disk only; the first of the nodes have these damages. */
async function start(t: TestContext, ...damages: Damage[]): Promise<SimCluster> {
  let made = 0
  const cluster = await SimCluster.start({
    machine: () => new Damaged(damages[made++] ?? 'none'),
    initialCommands: [initialAuthority(MINT)],
    checkpointEverySlots: 3,
  })
  t.after(() => cluster.run(0))
  const { bank, kv } = cluster.client('n1')
  await bank.openAccount({ accountId: 'alice', asset: 'EUR' })
  await bank.deposit({ depositId: 'd', accountId: 'alice', asset: 'EUR', amount: 100n, authority: MINT })
  for (let i = 0; i < 8; i++) await kv.put(`key-${i}`, 'value')
  await cluster.run(1_000)
  return cluster
}

async function* partsOnFullDisk(): AsyncGenerator<string> {
  yield 'first'
  throw notWritable('/data', new Error('ENOSPC: no space left on device'))
}

describe('a read that meets what cannot be', () => {
  for (const damage of ['gone', 'damaged'] as const) {
    for (const consistency of [Consistency.LINEARIZABLE, Consistency.LOG]) {
      const how = consistency === Consistency.LOG ? 'through the log' : 'beside the log'
      it(`ends with DATA_DAMAGED, ${how}, and the node goes on: ${damage} on every node`, async (t) => {
        const cluster = await start(t, damage, damage, damage)
        const { bank, kv } = cluster.client('n2')
        const list = bank.listMovements({ accountId: 'alice', consistency })
        await assert.rejects(list, { code: 'INTERNAL', reason: 'DATA_DAMAGED', retrySafe: false })
        assert.deepEqual(
          cluster.status('n2')?.alarms.map(({ code }) => code),
          ['DATA_DAMAGED'],
        )
        assert.equal((await bank.getBalance('alice', { consistency })).account.balance, 100n)
        await kv.put('after', 'it')
        for (const node of cluster.nodes) await cluster.crash(node)
        for (const node of cluster.nodes) await cluster.restart(node)
        assert.equal((await kv.get('after')).pair?.key, 'after')
      })
    }
  }

  it('is not one for which there is no room on the disk: that raises no alarm', async () => {
    const logger = pino({ level: 'silent' })
    const alarms = new Alarms({ runtime: { wallMs: () => 0 }, logger })
    const read = new SafeReads(alarms, logger).through(partsOnFullDisk())
    assert.equal((await read.next()).value, 'first')
    await assert.rejects(read.next(), { name: 'MemberError', code: 'OVERLOADED', message: /no space left/ })
    assert.deepEqual(alarms.list, [])
  })

  it('is answered by a node that has it whole, and the states stay the same', async (t) => {
    const cluster = await start(t, 'damaged')
    const damaged: string[] = []
    for (const node of cluster.nodes) {
      try {
        const listed = await cluster.client(node).bank.listMovements({ accountId: 'alice', consistency: Consistency.LOG })
        assert.deepEqual(
          listed.movements.map(({ id }) => id),
          ['d'],
        )
      } catch (error) {
        assert.equal((error as SynodError).reason, 'DATA_DAMAGED')
        damaged.push(node)
      }
    }
    assert.equal(damaged.length, 1)
    await cluster.client('n3').kv.put('after', 'it')
    await cluster.run(2_000)
    const states = cluster.nodes.map((node) => cluster.status(node))
    assert.equal(new Set(states.map((state) => state?.stateDigest)).size, 1)
    assert.deepEqual(
      states.map((state) => state?.alarms.length),
      cluster.nodes.map((node) => (damaged.includes(node) ? 1 : 0)),
    )
  })
})
