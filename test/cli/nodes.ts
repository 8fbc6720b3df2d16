import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { freePorts } from '../../src/cli/ports.js'
import { type Client, connect, NodeRole, type SynodError } from '../../src/client/client.js'
import { type Ended, type Running, type Surroundings, start, synod } from './synod.js'

const POLL_MS = 50
/** Between two operations of one caller: without it a load would take all the time of the machine for what waits. */
const PAUSE_MS = 5

/** Nodes as `synod start` runs them, each in a process of its own. Close it. */
export class Nodes {
  readonly root = mkdtempSync(join(tmpdir(), 'synod-nodes-'))
  readonly #addresses: { readonly peer: string; readonly client: string }[]
  readonly #running = new Map<number, Running>()
  readonly #clients: Client[] = []

  /** With addresses for `count` nodes; none of them runs yet. */
  static async make(count: number): Promise<Nodes> {
    const ports = await freePorts(2 * count)
    const at = (i: number): string => `127.0.0.1:${ports[i]}`
    return new Nodes(Array.from({ length: count }, (_, i) => ({ peer: at(2 * i), client: at(2 * i + 1) })))
  }

  private constructor(addresses: { readonly peer: string; readonly client: string }[]) {
    this.#addresses = addresses
  }

  /** Where a node is reached: `ID=HOST:PEERPORT/HOST:CLIENTPORT`. */
  spec(id: number): string {
    const address = this.#addresses[id - 1]
    assert.ok(address !== undefined)
    return `${id}=${address.peer}/${address.client}`
  }

  member(id: number): { nodeId: number; peerAddress: string; clientAddress: string } {
    const address = this.#addresses[id - 1]
    assert.ok(address !== undefined)
    return { nodeId: id, peerAddress: address.peer, clientAddress: address.client }
  }

  /** Its next start is at other addresses. */
  async move(id: number): Promise<void> {
    const [peer, client] = await freePorts(2)
    this.#addresses[id - 1] = { peer: `127.0.0.1:${peer}`, client: `127.0.0.1:${client}` }
  }

  peers(...ids: readonly number[]): string {
    return ids.map((id) => this.spec(id)).join(',')
  }

  endpoints(...ids: readonly number[]): string {
    return ids.map((id) => this.member(id).clientAddress).join(',')
  }

  directory(id: number): string {
    return join(this.root, `node-${id}`)
  }

  /** `last`: what the process is started with, in the end perhaps its surroundings. */
  start(id: number, peers: readonly number[], ...last: readonly (string | Surroundings)[]): Running {
    const flags = last.filter((flag) => typeof flag === 'string')
    const surroundings = last.find((flag) => typeof flag !== 'string')
    const data = ['--data', this.directory(id)]
    const args = ['start', '--id', String(id), '--peers', this.peers(...peers), '--log-level', 'info', ...flags]
    const running = start(flags.includes('--data') ? args : [...args, ...data], surroundings)
    this.#running.set(id, running)
    return running
  }

  kill(id: number, signal: NodeJS.Signals = 'SIGKILL'): Promise<Ended> {
    this.#running.get(id)?.process.kill(signal)
    return this.untilEnded(id)
  }

  /** Resolves when its process is gone. */
  untilEnded(id: number): Promise<Ended> {
    return this.#running.get(id)?.ended ?? assert.fail(`node ${id} was never started`)
  }

  connect(...ids: readonly number[]): Client {
    const client = connect({ endpoints: this.endpoints(...ids), timeoutMs: 30_000 })
    this.#clients.push(client)
    return client
  }

  /** `synod` against these nodes. */
  run(ids: readonly number[], ...args: readonly string[]): Promise<Ended> {
    return synod([...args, '--endpoints', this.endpoints(...ids)])
  }

  /** Resolves with the leader once each of these follows it, and all have applied the same slots. */
  async untilLevel(...ids: readonly number[]): Promise<number> {
    const client = this.connect(...ids)
    for (;;) {
      const statuses = (await client.cluster.status({ timeoutMs: 2_000 })).map(({ status }) => status)
      const leader = statuses.find((status) => status?.role === NodeRole.LEADER)?.nodeId
      const isFollowed = leader !== undefined && statuses.every((status) => status?.leaderId === leader)
      if (isFollowed && new Set(statuses.map((status) => status?.stateDigest)).size === 1) return leader
      await delay(POLL_MS)
    }
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close()
    for (const { process } of this.#running.values()) process.kill('SIGKILL')
    await Promise.all([...this.#running.values()].map(({ ended }) => ended))
    rmSync(this.root, { recursive: true, force: true })
  }
}

/** Clients that never stop asking: each adds one to a counter of its own, again and again, some two hundred times a second. */
export class Load {
  readonly #client: Client
  readonly #done: Promise<void>[]
  readonly failures: unknown[] = []
  acknowledged = 0
  #isStopped = false

  constructor(client: Client, callers: number) {
    this.#client = client
    this.#done = Array.from({ length: callers }, (_, i) => this.#run(`counter-${i}`))
  }

  /** Resolves when so many more operations have been acknowledged. */
  async progress(count: number): Promise<void> {
    const target = this.acknowledged + count
    while (this.acknowledged < target && this.failures.length === 0) await delay(10)
  }

  /** The sum of all counters is what was acknowledged. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all(this.#done)
    assert.deepEqual(this.failures, [])
    let sum = 0
    for (const i of this.#done.keys()) {
      const { pair } = await this.#client.kv.get(`counter-${i}`)
      sum += Number(Buffer.from(pair?.value ?? '0').toString())
      assert.equal(Number(pair?.version ?? 0n), Number(Buffer.from(pair?.value ?? '0').toString()), 'each put happened once')
    }
    assert.equal(sum, this.acknowledged)
  }

  async #run(key: string): Promise<void> {
    for (let value = 1; !this.#isStopped; value++) {
      try {
        await this.#client.kv.put(key, String(value))
        this.acknowledged++
        await delay(PAUSE_MS)
      } catch (error) {
        this.failures.push(error)
        return
      }
    }
  }
}

/** Closed after the test. */
export async function nodesFor(t: TestContext, count: number): Promise<Nodes> {
  const nodes = await Nodes.make(count)
  t.after(() => nodes.close())
  return nodes
}

/** Asks again until the learner has caught up. */
export async function promote({ cluster }: Client, id: number): Promise<void> {
  for (;;) {
    try {
      await cluster.promoteMember(id)
      return
    } catch (error) {
      if ((error as SynodError).reason !== 'NOT_CAUGHT_UP') throw error
      await delay(100)
    }
  }
}
