import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Locks } from '../../examples/locks.js'
import { generateKeyPair, makeAuthority, signDeposit } from '../../src/client/client.js'
import {
  MemberError,
  type NodeName,
  type Restoration,
  SimCluster,
  type StateEntry,
  type StateMachine,
  SynodError,
  Violation,
} from '../../src/testing/sim-cluster.js'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (result: Uint8Array): string => new TextDecoder().decode(result)

/** A command is appended; every result is the whole so far. */
class Journal implements StateMachine {
  protected lines: string[] = []

  apply(command: Uint8Array): Uint8Array {
    this.lines.push(text(command))
    return this.query()
  }

  query(): Uint8Array {
    return bytes(this.lines.join())
  }

  changes(): Iterable<StateEntry> {
    return [{ key: 'lines', value: this.query(), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.lines = []
    return {
      load: (entries) => {
        for (const { value } of entries) this.lines = text(value ?? new Uint8Array()).split(',')
      },
      finish: () => {},
    }
  }
}

function others(cluster: SimCluster, node: NodeName): NodeName[] {
  return cluster.nodes.filter((other) => other !== node)
}

function leaderOf(cluster: SimCluster): NodeName {
  return cluster.leader ?? assert.fail('nobody leads')
}

/** How a run with that seed ends. */
async function endOf(seed: number): Promise<string> {
  const cluster = await SimCluster.start({ seed, network: { lossRate: 0.1, reorders: true } })
  const { kv } = cluster.client('n2')
  await Promise.all([kv.put('a', '1'), kv.put('b', '2')])
  await cluster.crash(leaderOf(cluster))
  await kv.put('c', '3')
  return `${cluster.nowMs} ${cluster.leader}`
}

describe('a cluster for tests', () => {
  it("replicates one's own state machine, and keeps it through crashes of all nodes", async () => {
    const cluster = await SimCluster.start({ machine: () => new Journal(), checkpointEverySlots: 2 })
    for (const [i, node] of cluster.nodes.entries()) await cluster.invoke(bytes(`c${i}`), { node })
    for (const node of cluster.nodes) await cluster.crash(node)
    assert.equal(cluster.status('n2'), undefined)
    await assert.rejects(
      cluster.query(bytes(''), { node: 'n2' }),
      (error) => error instanceof MemberError && error.code === 'STOPPED',
    )
    for (const node of cluster.nodes) await cluster.restart(node)
    await cluster.until(() => cluster.leader !== undefined)
    for (const node of cluster.nodes) assert.equal(text((await cluster.query(bytes(''), { node })).result), 'c0,c1,c2')
  })

  it('gives the same run for the same seed and the same calls, and another for another seed', async () => {
    assert.equal(await endOf(5), await endOf(5))
    assert.notEqual(await endOf(5), await endOf(6))
  })

  it('lets its clients fail over: a transfer through a leader that crashes is made once', async () => {
    const mint = makeAuthority('mint', generateKeyPair())
    const cluster = await SimCluster.start({ authorities: [mint], nodes: 5 })
    const { bank } = cluster.client(leaderOf(cluster))
    await bank.openAccount({ accountId: 'alice', asset: 'EUR' })
    await bank.openAccount({ accountId: 'bob', asset: 'EUR' })
    await bank.deposit(signDeposit(mint, { depositId: 'd1', accountId: 'alice', asset: 'EUR', amount: 100n }))
    for (let i = 0; i < 5; i++) {
      const transfer = bank.transfer({
        transferId: `t${i}`,
        sourceAccountId: 'alice',
        destinationAccountId: 'bob',
        amount: 10n,
      })
      const leader = leaderOf(cluster)
      await cluster.crash(leader)
      await transfer
      await cluster.restart(leader)
      await cluster.until(() => cluster.leader !== undefined)
    }
    assert.equal((await bank.getBalance('bob')).account.balance, 50n)
  })

  it('ends holds in time, though nobody writes', async () => {
    const mint = makeAuthority('mint', generateKeyPair())
    const cluster = await SimCluster.start({ authorities: [mint] })
    const { bank } = cluster.client()
    for (const accountId of ['alice', 'bob']) await bank.openAccount({ accountId, asset: 'EUR' })
    await bank.deposit(signDeposit(mint, { depositId: 'd1', accountId: 'alice', asset: 'EUR', amount: 100n }))
    const hold = { transferId: 'h1', sourceAccountId: 'alice', destinationAccountId: 'bob', amount: 40n, pending: true }
    await bank.transfer({ ...hold, timeoutMs: 1_000 })
    assert.equal((await bank.getBalance('alice')).account.held, 40n)
    const before = cluster.status('n1')?.decidedUpTo ?? 0
    await cluster.run(1_100)
    assert.equal((await bank.getBalance('alice')).account.held, 0n)
    await cluster.run(5_000)
    assert.equal((cluster.status('n1')?.decidedUpTo ?? 0) - before, 1, 'one slot is enough')
  })

  it("ends the rows of one's own machine in time, through crashes of all nodes and though nobody writes", async () => {
    const cluster = await SimCluster.start({ machine: () => new Locks(), checkpointEverySlots: 2 })
    const ask = async (command: string): Promise<string> => text((await cluster.invoke(bytes(command))).result)
    assert.equal(await ask('a alice 2000'), 'alice')
    assert.equal(await ask('b alice 60000'), 'alice')
    assert.equal(await ask('a bob 2000'), 'alice', 'as long as it is hers')
    for (const node of cluster.nodes) await cluster.crash(node)
    for (const node of cluster.nodes) await cluster.restart(node)
    await cluster.until(() => cluster.leader !== undefined)
    assert.equal(text((await cluster.query(bytes('a'))).result), 'alice')
    await cluster.run(2_000)
    assert.equal(text((await cluster.query(bytes('a'))).result), '')
    assert.equal(text((await cluster.query(bytes('b'))).result), 'alice')
    assert.equal(await ask('a bob 2000'), 'bob')
  })

  it('tells what changes, on every node alike, and goes on under the same revisions after a restart', async () => {
    const cluster = await SimCluster.start({ checkpointEverySlots: 3 })
    const { kv } = cluster.client()
    const told = (node: NodeName, from?: bigint): (() => string[]) => {
      const cursor = cluster.events(node, from)
      return () => {
        const events: string[] = []
        for (let read = cursor.next(); read.kind !== 'upToDate'; read = cursor.next()) {
          assert.ok(read.kind === 'events', read.kind)
          for (const { revision, sub, kind } of read.events) events.push(`${revision}.${sub} ${kind}`)
        }
        return events
      }
    }
    const readers = cluster.nodes.map((node) => told(node))
    for (let i = 0; i < 4; i++) await kv.put(`k${i}`, 'v')
    await cluster.run(1_000)
    for (const read of readers) assert.deepEqual(read(), ['2.0 put', '3.0 put', '4.0 put', '5.0 put'])
    const dying = cluster.events('n2', 2n)
    const read = dying.next()
    assert.ok(read.kind === 'events' && Object.isFrozen(read.events[0]?.after), 'rows are not to be written into')
    const changed = dying.changed()
    await cluster.crash('n2')
    await changed
    assert.equal(dying.next().kind, 'closed')
    assert.throws(
      () => cluster.events('n2'),
      (error) => error instanceof MemberError && error.code === 'STOPPED',
    )
    await cluster.restart('n2')
    await cluster.until(() => (cluster.status('n2')?.appliedUpTo ?? 0) > 0)
    const again = told('n2')
    await kv.put('k5', 'v')
    await kv.delete({ prefix: 'k' })
    await cluster.run(1_000)
    const expected = ['6.0 put', ...Array.from({ length: 5 }, (_, i) => `7.${i} delete`)]
    for (const read of [again, readers[0], readers[2]]) assert.deepEqual(read?.(), expected)
  })

  it('cuts a leader off: it answers nobody, the others go on, and it catches up when the links are mended', async () => {
    const cluster = await SimCluster.start({ machine: () => new Journal() })
    const old = leaderOf(cluster)
    await cluster.isolate(old)
    const lost = assert.rejects(cluster.query(bytes(''), { node: old, timeoutMs: 2_000 }), MemberError)
    await cluster.until(() => cluster.leader !== old)
    await cluster.invoke(bytes('new'), { node: leaderOf(cluster) })
    await lost
    await cluster.mend()
    assert.equal(text((await cluster.query(bytes(''), { node: old })).result), 'new')
  })

  it('stops, pauses and wakes nodes, fills disks, shifts clocks and loses directories', async () => {
    const cluster = await SimCluster.start({ nodes: 5, machine: () => new Journal() })
    const [a, b] = others(cluster, leaderOf(cluster)) as [NodeName, NodeName]
    const first = leaderOf(cluster)
    await cluster.stop(first)
    assert.equal(cluster.status(first), undefined)
    await cluster.restart(first)
    await cluster.setDisk(a, 'full')
    await cluster.shiftClock(b, -3_600_000)
    await cluster.until(() => cluster.leader !== undefined)
    await cluster.invoke(bytes('x'))
    await cluster.until(() => cluster.status(a) === undefined)
    await cluster.setDisk(a, 'normal')
    await cluster.restart(a)
    const leader = leaderOf(cluster)
    await cluster.pause(leader, { clockStops: true })
    await cluster.until(() => cluster.leader !== leader || cluster.status(leader)?.role !== 'leader', 20_000)
    await cluster.wake(leader)
    await cluster.loseDirectory(b)
    await cluster.restart(b)
    await cluster.until(() => cluster.status(b) === undefined)
    await cluster.invoke(bytes('y'))
    assert.equal(text((await cluster.query(bytes(''), { node: a })).result), 'x,y')
  })

  it('tells a request that is not valid which field is wrong, as a node would', async () => {
    const cluster = await SimCluster.start()
    await assert.rejects(cluster.client().kv.put('', 'x'), (error) => {
      assert.ok(error instanceof SynodError)
      assert.equal(error.reason, 'INVALID_ARGUMENT')
      assert.match(error.message, /key/)
      return true
    })
  })

  it('rejects what is awaited when a state machine is not deterministic', async () => {
    let made = 0
    class Moody extends Journal {
      readonly #mood = made++
      override apply(): Uint8Array {
        return Uint8Array.of(this.#mood)
      }
    }
    const cluster = await SimCluster.start({ machine: () => new Moody() })
    const asked = (async () => {
      await cluster.invoke(bytes('x'))
      await cluster.run(1_000)
    })()
    await assert.rejects(asked, (error) => error instanceof Violation && /got other results/.test(error.message))
  })

  it("tells the caller of a mistake of the caller's, and goes on", async () => {
    const cluster = await SimCluster.start({ machine: () => new Journal() })
    await assert.rejects(cluster.invoke(new Uint8Array((16 << 20) + 1)), /command: must be at most 16777216 bytes/)
    await assert.rejects(cluster.invoke('text' as unknown as Uint8Array), TypeError)
    await cluster.isolate('n2')
    await cluster.run(2_000)
    const asked = cluster.query(bytes(''), { node: 'n2', timeoutMs: 500 })
    await assert.rejects(asked, (error) => error instanceof MemberError && error.code === 'NO_QUORUM')
    await cluster.invoke(bytes('on'), { node: cluster.leader === 'n1' ? 'n1' : 'n3' })
  })

  it('names the option that is out of its bounds', async () => {
    await assert.rejects(SimCluster.start({ nodes: 8 }), /nodes: must be a whole number from 1 to 7, not 8/)
    await assert.rejects(
      SimCluster.start({ network: { lossRate: 1 } }),
      /network.lossRate: must be a number from 0 to 0.9, not 1/,
    )
    const cluster = await SimCluster.start({ nodes: 1 })
    await assert.rejects(cluster.run(-1), /durationMs/)
    assert.throws(() => cluster.client('n2'), /there is no n2, only n1/)
    // What is misspelt is not left out, and text is no number that time could be counted in.
    const anything = cluster as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
    const { start } = SimCluster as unknown as { start: (options: unknown) => Promise<unknown> }
    await assert.rejects(start({ nodse: 5 }), /nodse is not known/)
    await assert.rejects(start({ network: { delay: 5 } }), /network: delay is not known/)
    await assert.rejects(start({ network: { delayMs: '5' } }), /network.delayMs: must be a number/)
    await assert.rejects(start({ authorities: [{ authorityId: 'mint' }] }), /publicKey/)
    await assert.rejects(start({ initialCommands: ['text'] }), /initialCommands\[0\]: must be a Uint8Array/)
    await assert.rejects(async () => anything['run']?.('5'), /durationMs: must be a number/)
    await assert.rejects(async () => anything['invoke']?.(bytes('x'), { timeout: 5 }), /timeout is not known/)
    await assert.rejects(async () => anything['setDisk']?.('n1', 'sloow'), /state: must be one of normal, slow, stalled, full/)
    await assert.rejects(async () => anything['pause']?.('n1', { clockstops: true }), /clockstops is not known/)
    await assert.rejects(
      cluster.until(() => false, 100),
      /after 100 ms of virtual time it was still not so/,
    )
  })
})
