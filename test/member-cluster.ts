import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { freePorts } from '../src/cli/ports.js'
import { Member, type MemberOptions, type Restoration, type StateEntry, type StateMachine } from '../src/member.js'

const encode = (text: string): Uint8Array => new TextEncoder().encode(text)
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** Counts the bytes of each of its first thousand commands' places, round and round: its state is bounded. */
export class Places implements StateMachine {
  #count = 0
  /** At this command its result is another than it should be; 0 for never. */
  readonly #faultyAt: number
  readonly #places = new Map<string, Uint8Array>()
  readonly #changed = new Set<string>()

  constructor({ faultyAt = 0 } = {}) {
    this.#faultyAt = faultyAt
  }

  apply(command: Uint8Array): Uint8Array {
    const key = `place-${this.#count++ % 1_000}`
    this.#places.set(key, command)
    this.#changed.add(key)
    return encode(this.#count === this.#faultyAt ? 'a bit has flipped' : String(this.#count))
  }

  query(): Uint8Array {
    let sum = 0
    for (const [key, bytes] of this.#places) sum = (sum + key.length * bytes.length + (bytes[0] ?? 0)) % 1_000_003
    return encode(`${this.#count} commands, ${this.#places.size} places, ${sum}`)
  }

  changes(): Iterable<StateEntry> {
    const entries = [...this.#changed].map((key): StateEntry => ({ key, value: this.#places.get(key), keyspace: 'state' }))
    this.#changed.clear()
    return [...entries, { key: 'count', value: encode(String(this.#count)), keyspace: 'state' }]
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.#count = 0
    this.#places.clear()
    this.#changed.clear()
    return {
      load: (entries) => {
        for (const { key, value = new Uint8Array() } of entries) {
          if (key === 'count') this.#count = Number(decode(value))
          else this.#places.set(key, Uint8Array.from(value))
        }
      },
      finish: () => {},
    }
  }
}

type Listed = MemberOptions['members'][number]

/** Members in this process, each on a directory and a port of its own, with checkpoints every 20 slots and hardly any log behind them. */
export class MemberCluster {
  readonly directory: string
  readonly listed: readonly Listed[]
  readonly #running = new Map<number, Member>()
  /** What each node has logged at `info` and above. */
  readonly lines: Record<string, unknown>[] = []

  /** With so many members to found it, and ports for more. */
  static async create(t: TestContext, { ports = 3 } = {}): Promise<MemberCluster> {
    const directory = await mkdtemp(join(tmpdir(), 'synod-members-'))
    const listed = (await freePorts(ports)).map((port, i) => ({
      nodeId: i + 1,
      peerAddress: `127.0.0.1:${port}`,
      clientAddress: '',
    }))
    const cluster = new MemberCluster(directory, listed)
    t.after(async () => {
      await Promise.all([...cluster.#running.values()].map((member) => member.stop()))
      await rm(directory, { recursive: true })
    })
    return cluster
  }

  private constructor(directory: string, listed: readonly Listed[]) {
    this.directory = directory
    this.listed = listed
  }

  get founders(): readonly Listed[] {
    return this.listed.slice(0, 3)
  }

  listing(nodeId: number): Listed {
    const listed = this.listed[nodeId - 1]
    if (listed === undefined) throw new Error(`there is no port for node ${nodeId}`)
    return listed
  }

  pathOf(nodeId: number): string {
    return join(this.directory, `n${nodeId}`)
  }

  memberOf(nodeId: number): Member {
    const member = this.#running.get(nodeId)
    if (member === undefined) throw new Error(`node ${nodeId} does not run`)
    return member
  }

  async start(nodeId: number, change: Partial<MemberOptions> = {}): Promise<Member> {
    const write = (line: string): void => void this.lines.push({ nodeId, ...JSON.parse(line) })
    const member = await Member.start({
      nodeId,
      directory: this.pathOf(nodeId),
      listenAddress: this.listing(nodeId).peerAddress,
      members: this.founders,
      machine: new Places(),
      logger: pino({ level: 'info' }, { write }),
      checkpoints: { slotsMax: 20, commandsMax: 1_000_000 },
      logWindow: { slots: 20, bytes: 1 << 30 },
      // What a peer has in memory would serve it as well.
      options: { recentSlotsMax: 8 },
      ...change,
    })
    this.#running.set(nodeId, member)
    return member
  }

  startAll(): Promise<Member[]> {
    return Promise.all(this.founders.map(({ nodeId }) => this.start(nodeId)))
  }

  async stop(nodeId: number): Promise<void> {
    await this.#running.get(nodeId)?.stop()
    this.#running.delete(nodeId)
  }

  /** Carries commands of so many bytes out, one slot after the other. */
  async work(via: number, slots: number, bytes = 100): Promise<void> {
    for (let i = 0; i < slots; i++) await this.memberOf(via).invoke(new Uint8Array(bytes).fill(i), { timeoutMs: 20_000 })
  }

  /** What each of them reads; they all read the same, or it throws. */
  async stateAt(...nodeIds: number[]): Promise<string> {
    const states = await Promise.all(
      nodeIds.map(async (nodeId) => decode((await this.memberOf(nodeId).query(new Uint8Array(), { timeoutMs: 20_000 })).result)),
    )
    if (new Set(states).size > 1) throw new Error(`they differ: ${states.join(' | ')}`)
    return states[0] ?? ''
  }
}

/** Looks every few milliseconds; fails after 20 s. */
export async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000
  while (!isSo()) {
    if (performance.now() > deadlineMs) throw new Error(`not within 20 s: ${what}`)
    await delay(5)
  }
}
