import { setTimeout as delay } from 'node:timers/promises'
import { type Client, Consistency } from '../../../src/client/client.js'
import { Frame } from '../../../src/gen/synod/backup/v1/backup.js'
import { forEach, keyOf, valueOf } from '../../lib/bank-load.js'
import type { Cluster, ClusterNode } from '../../lib/cluster.js'
import { yieldToOthers } from '../../lib/priority.js'
import { inTurn } from '../in-turn.js'
import type { Operation } from '../types.js'

const TIMEOUT_MS = 120_000
const KEYS = 1_000
const VALUE_BYTES = 1_000
const FILL_VALUE_BYTES = 16_384
const FILLS_IN_FLIGHT = 16
/** What a put counts for beside its value. */
const COMMAND_BYTES = 64
/** A checkpoint follows on so many bytes of commands, by default; see CheckpointOptions of src/host/apply/applier.ts. */
const CHECKPOINT_BYTES = 16 << 20
/** In such steps the next one is looked for, for so long after each. */
const STEP_BYTES = 1 << 20
const CHECKPOINT_SHOWS_MS = 100
/** Left to the measured time. */
const BYTES_LEFT = 1 << 18
/** Until what the filling has left to do is done. */
const SETTLE_MS = 1_000
/** What a node that was away has missed. */
const MISSED_BYTES = 12 << 20
/** Of a backup file: the magic number and the version, and then the length of the first frame. */
const HEAD_OFFSET = 16
const LENGTH_OFFSET = 12

/** Where a node's last checkpoint stands. */
interface CheckpointMark {
  readonly slot: number
  /** What was counted there towards the next one. One that was asked for comes before its time: then this is not about 0. */
  readonly countedBytes: number
}

/** A cluster of which one follower is stopped, paused, or left alone, while clients of the others go on. */
export class Disturbed {
  readonly #cluster: Cluster
  readonly #leader: ClusterNode
  readonly #victim: ClusterNode
  /** One of each node that is never disturbed, so that no client has to find another node. */
  readonly #clients: readonly Client[]
  #fills = 0
  #checkpointBefore = 0

  static async among(cluster: Cluster): Promise<Disturbed> {
    const leader = await cluster.untilFormed(TIMEOUT_MS)
    const victim = cluster.nodes.find((node) => node !== leader)
    if (victim === undefined) throw new Error('there is a follower')
    return new Disturbed(cluster, leader, victim)
  }

  private constructor(cluster: Cluster, leader: ClusterNode, victim: ClusterNode) {
    this.#cluster = cluster
    this.#leader = leader
    this.#victim = victim
    this.#clients = cluster.nodes
      .filter((node) => node !== victim)
      .map(({ clientAddress }) => cluster.connect({ endpoints: clientAddress, timeoutMs: TIMEOUT_MS }))
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }

  /** The load: few keys, so that what a checkpoint holds of it is little. */
  get puts(): Operation {
    const value = valueOf(1, VALUE_BYTES)
    return (n) => this.#client(n).kv.put(keyOf(n % KEYS), value)
  }

  /** Changes about as much as a checkpoint waits for, but for what so many puts of the load add, and a little. */
  async fillUpToCheckpoint(putsBefore: number): Promise<void> {
    const counted = await this.#countedBytes()
    await this.#fill(CHECKPOINT_BYTES - counted - putsBefore * (VALUE_BYTES + COMMAND_BYTES) - BYTES_LEFT)
    this.#checkpointBefore = (await this.#lastCheckpoint()).slot
    await delay(SETTLE_MS)
  }

  /** @throws Error when there is none after fillUpToCheckpoint */
  async expectCheckpoint(): Promise<void> {
    if (await this.#showsWithin(CHECKPOINT_SHOWS_MS, ({ slot }) => slot > this.#checkpointBefore)) return
    throw new Error('no checkpoint was flushed in the measured time')
  }

  async leaveBehind(): Promise<void> {
    await this.#cluster.kill(this.#victim)
    await this.#fill(MISSED_BYTES)
    await delay(SETTLE_MS)
  }

  /** With the lowest priority: a node that catches up has a machine of its own, elsewhere. */
  startAgain(): void {
    this.#cluster.start(this.#victim)
    const { pid } = this.#victim.child ?? {}
    if (pid !== undefined) yieldToOthers(pid, true)
  }

  async untilCaughtUp(): Promise<void> {
    await this.#cluster.untilLevel(TIMEOUT_MS)
    // A process cannot be given its priority back by whoever is not the superuser: it gets a new one.
    await this.#cluster.kill(this.#victim, 'SIGTERM')
    this.#cluster.start(this.#victim)
    await this.#cluster.untilFormed(TIMEOUT_MS)
  }

  pause(): void {
    this.#victim.child?.kill('SIGSTOP')
  }

  async resume(): Promise<void> {
    this.#victim.child?.kill('SIGCONT')
    await this.#cluster.untilFormed(TIMEOUT_MS)
    await this.#cluster.untilLevel(TIMEOUT_MS)
  }

  #client(n: number): Client {
    return inTurn(this.#clients, n)
  }

  async #fill(bytes: number): Promise<void> {
    await forEach(Math.floor(bytes / (FILL_VALUE_BYTES + COMMAND_BYTES)), FILLS_IN_FLIGHT, () => {
      const n = this.#fills++
      const key = `fill-${n % Math.floor(CHECKPOINT_BYTES / FILL_VALUE_BYTES)}`
      return this.#client(n).kv.put(key, valueOf(n, FILL_VALUE_BYTES))
    })
  }

  /**
   * Towards the next checkpoint, at most. Only the last one tells, of its own slot: unless nothing has come after it, the next one is
   * brought about.
   */
  async #countedBytes(): Promise<number> {
    const before = await this.#lastCheckpoint()
    const status = await this.#cluster.statusOf(this.#leader)
    if (status?.appliedUpTo === before.slot) return before.countedBytes
    const isNext = ({ slot, countedBytes }: CheckpointMark): boolean => slot > before.slot && countedBytes < STEP_BYTES
    do await this.#fill(STEP_BYTES)
    while (!(await this.#showsWithin(CHECKPOINT_SHOWS_MS, isNext)))
    return STEP_BYTES
  }

  async #showsWithin(timeoutMs: number, isIt: (mark: CheckpointMark) => boolean): Promise<boolean> {
    const deadlineMs = performance.now() + timeoutMs
    do if (isIt(await this.#lastCheckpoint())) return true
    while (performance.now() < deadlineMs)
    return false
  }

  /** The leader's: a backup begins with what it is. */
  async #lastCheckpoint(): Promise<CheckpointMark> {
    const client = this.#cluster.connect({ endpoints: this.#leader.clientAddress })
    for await (const bytes of client.cluster.backup({ consistency: Consistency.STALE })) {
      const file = Buffer.from(bytes)
      const { part } = Frame.decode(file.subarray(HEAD_OFFSET, HEAD_OFFSET + file.readUInt32BE(LENGTH_OFFSET)))
      if (part?.$case !== 'head') break
      return { slot: part.value.checkpoint?.slot ?? 0, countedBytes: part.value.checkpoint?.boundaryBytes ?? 0 }
    }
    throw new Error('a backup has a head')
  }
}
