/**
 * A cluster for tests: real nodes in one process, in virtual time, with a network, disks and clocks that fail when they are told to.
 *
 *   import { SimCluster } from 'synod/testing'
 *
 *   const cluster = await SimCluster.start({ nodes: 3, seed: 42 })
 *   const { kv } = cluster.client()
 *   await kv.put('color', 'red')
 *   await cluster.partition(['n1'], ['n2', 'n3'])
 *   await cluster.run(5_000)
 */

import { BankAndKeys } from '../api/bank-and-keys.js'
import { type AuthorityConfig, initialAuthority } from '../api/initial-authority.js'
import { BankAudit } from '../app/bank/bank-audit.js'
import { isPlainObject } from '../client/arguments.js'
import { BankClient } from '../client/bank-client.js'
import { Caller } from '../client/caller.js'
import { settingsOf } from '../client/client-options.js'
import { ClientSessions } from '../client/client-sessions.js'
import { KeyValueStore } from '../client/kv-client.js'
import { SynodError } from '../client/synod-error.js'
import { type Answer, MemberError, type MemberStatus } from '../host/api.js'
import { COMMAND_BYTES_MAX } from '../host/hosted-member.js'
import { DEFAULT_OPTIONS } from '../paxos/core-options.js'
import type { FeedCursor } from '../replication/commit-feed.js'
import type { StateMachine } from '../replication/state-machine.js'
import { SimulatedPort } from '../sim/clients/simulated-port.js'
import { GOOD_LINK } from '../sim/cluster/network.js'
import type { SimulatedApplication } from '../sim/cluster/simulated-application.js'
import { SimulatedCluster } from '../sim/cluster/simulated-cluster.js'
import { EPOCH_MS, type SimulatedNode } from '../sim/cluster/simulated-node.js'
import { SimulatedRuntime } from '../sim/cluster/simulated-runtime.js'
import { STATE_LIMITS } from '../sim/cluster/state-limits.js'

export type { AuthorityConfig } from '../api/initial-authority.js'
export type { BankClient } from '../client/bank-client.js'
export type { KeyValueStore } from '../client/kv-client.js'
export { SynodError } from '../client/synod-error.js'
export { type Answer, MemberError, type MemberStatus } from '../host/api.js'
export type { FeedCursor, FeedProgress, FeedRead } from '../replication/commit-feed.js'
export type { StoreEvent } from '../replication/event-log.js'
export type { HistoryReader, Restoration, StateEntry, StateMachine } from '../replication/state-machine.js'
export { Violation } from '../sim/checkers/violation.js'

/** `n1`, `n2` and so on. */
export type NodeName = `n${number}`

export interface SimClusterOptions {
  /** 1 to 7. Default: 3. */
  readonly nodes?: number
  /** Decides all that is left to chance: the same seed and the same calls give the same run. Default: 1. */
  readonly seed?: number
  /** Makes the state machine of a node, anew at each of its starts. Default: Synod's bank and keys. */
  readonly machine?: () => StateMachine
  /** Applied before anything else. */
  readonly initialCommands?: readonly Uint8Array[]
  /** Initial authorities of the bank, for the default machine. */
  readonly authorities?: readonly AuthorityConfig[]
  /** Every link, in both directions. */
  readonly network?: {
    /** Minimum delay of each message, 0 to 10,000 ms. Default: 0.2. */
    readonly delayMs?: number
    /** Average additional delay, 0 to 10,000 ms. Default: 0.5. */
    readonly jitterMs?: number
    /** 0 to 0.9. Default: 0. */
    readonly lossRate?: number
    /** 0 to 0.9. Default: 0. */
    readonly duplicationRate?: number
    /** True lets messages overtake each other. Default: false. */
    readonly reorders?: boolean
  }
  /** A state is written to disk after so many slots, at least 1: a restart replays no more. Default: 1,000. */
  readonly checkpointEverySlots?: number
  /** Quota of the replicated state, in bytes, from 1; past it, commands that make it grow are refused. Default: none. */
  readonly quotaBytes?: number
}

/** Keys and accounts, in a session of the client's own: each command is carried out once, whatever fails. */
export interface SimClient {
  readonly kv: KeyValueStore
  readonly bank: BankClient
}

const DISK_STATES = ['normal', 'slow', 'stalled', 'full'] as const
type DiskState = (typeof DISK_STATES)[number]

const START_OPTIONS: readonly (keyof SimClusterOptions)[] = [
  'nodes',
  'seed',
  'machine',
  'initialCommands',
  'authorities',
  'network',
  'checkpointEverySlots',
  'quotaBytes',
]
const LINK_OPTIONS = ['delayMs', 'jitterMs', 'lossRate', 'duplicationRate', 'reorders']
const ASK_OPTIONS = ['node', 'timeoutMs']

const NODES_MAX = 7
const DEFAULT_TIMEOUT_MS = 10_000
const START_TIMEOUT_MS = 10_000
/** Clients are near the nodes, and nothing between them fails. */
const CLIENT_WAY = Object.freeze({ delayMsMean: 0.5, lossRate: 0 })
const CLIENT_TURN_MS_MAX = 0.2
/** Time after a deadline at which a node is assumed not to answer any more. */
const SILENCE_MS = 1_000
/** Step in which virtual time goes on while something is awaited. */
const DRIVE_MS = 60_000

/**
 * Virtual time passes while something of the cluster is awaited, and only then: no test waits in earnest. Every step of every node is
 * checked as in `synod sim`, and whatever is awaited rejects with a Violation as soon as a guarantee of Synod's is seen violated.
 */
export class SimCluster {
  readonly #cluster: SimulatedCluster
  #awaitedCount = 0
  #isDriving = false
  readonly #broken: Promise<never>
  #reportBroken: (error: unknown) => void = () => undefined

  /** Starts the nodes, and waits until one leads. @throws RangeError for an option out of its bounds, TypeError for what is none */
  static async start(options: SimClusterOptions = {}): Promise<SimCluster> {
    const cluster = new SimCluster(options)
    cluster.#cluster.start()
    await cluster.until(() => cluster.leader !== undefined, START_TIMEOUT_MS)
    return cluster
  }

  private constructor(options: SimClusterOptions) {
    checkNames('options', options, START_OPTIONS)
    const { nodes = 3, seed = 1, machine, network = {}, authorities = [], initialCommands = [] } = options
    const checkpointEverySlots = options.checkpointEverySlots ?? 1_000
    const quotaBytes = options.quotaBytes ?? 0
    checkWhole('nodes', nodes, 1, NODES_MAX)
    if (machine !== undefined && typeof machine !== 'function') throw new TypeError('machine: must be a function that makes one')
    for (const [name, list] of Object.entries({ authorities, initialCommands })) {
      if (!Array.isArray(list)) throw new TypeError(`${name}: must be a list`)
    }
    for (const [i, command] of initialCommands.entries()) checkBytes(`initialCommands[${i}]`, command)
    checkWhole('seed', seed, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
    checkWhole('checkpointEverySlots', checkpointEverySlots, 1, Number.MAX_SAFE_INTEGER)
    checkWhole('quotaBytes', quotaBytes, 0, Number.MAX_SAFE_INTEGER)
    this.#cluster = new SimulatedCluster({
      seed,
      plan: {
        nodeCount: nodes,
        spareCount: 0,
        options: DEFAULT_OPTIONS,
        link: linkOf(network),
        syncMsMean: 0.3,
        turnMsMax: 0.2,
        tickMs: 10,
        checkpointEverySlots,
        logSlotsMax: 16_384,
        quotaBytes,
        limits: STATE_LIMITS,
        encodesMessages: false,
      },
      initialCommands: [...authorities.map(initialAuthority), ...initialCommands],
      makeApplication: machine === undefined ? newBankAndKeys : () => ({ machine: machine(), brokenInvariants: () => [] }),
    })
    this.#broken = new Promise((_, reject) => {
      this.#reportBroken = reject
    })
    // It may be seen while nothing is awaited: then the next awaited promise rejects.
    this.#broken.catch(() => undefined)
  }

  // --- time -----------------------------------------------------------------------------------------------------------------------

  /** Virtual ms since the start. */
  get nowMs(): number {
    return this.#cluster.nowMs
  }

  /** Lets so much virtual time pass, at least 0 ms. @throws Violation */
  async run(durationMs: number): Promise<void> {
    checkBetween('durationMs', durationMs, 0, Number.MAX_SAFE_INTEGER)
    await this.#driven(new Promise<void>((resolve) => this.#cluster.scheduler.after(durationMs, resolve)))
  }

  /** Lets virtual time pass until `isSo`. @throws Violation; Error when it is not so within that time */
  async until(isSo: () => boolean, withinMs: number = DEFAULT_TIMEOUT_MS): Promise<void> {
    if (typeof isSo !== 'function') throw new TypeError('isSo: must be a function')
    checkBetween('withinMs', withinMs, 0, Number.MAX_SAFE_INTEGER)
    try {
      if (await this.#cluster.runUntil(isSo, withinMs)) return
    } catch (error) {
      this.#reportBroken(error)
      throw error
    }
    throw new Error(`after ${withinMs} ms of virtual time it was still not so: ${isSo.toString()}`)
  }

  // --- what it is asked -----------------------------------------------------------------------------------------------------------

  get nodes(): readonly NodeName[] {
    return this.#cluster.nodes.map(({ id }): NodeName => `n${id}`)
  }

  /** The leader of the highest ballot; it may have lost its majority. */
  get leader(): NodeName | undefined {
    const { leader } = this.#cluster
    return leader && `n${leader.id}`
  }

  /** Returns the status of a node; undefined while it is down. */
  status(node: NodeName): MemberStatus | undefined {
    return this.#node(node).member?.status()
  }

  /** Carries a command of at most 16 MiB out through a node, the leader if none is named. @throws MemberError; Violation; RangeError */
  async invoke(command: Uint8Array, options: { readonly node?: NodeName; readonly timeoutMs?: number } = {}): Promise<Answer> {
    checkBytes('command', command)
    return this.#ask(options, (node, timeoutMs, settle) => node.invoke(command, timeoutMs, settle))
  }

  /** A linearizable read through a node, the leader if none is named. @throws MemberError; Violation */
  async query(query: Uint8Array, options: { readonly node?: NodeName; readonly timeoutMs?: number } = {}): Promise<Answer> {
    checkBytes('query', query)
    return this.#ask(options, (node, timeoutMs, settle) => node.read(query, timeoutMs, settle))
  }

  /**
   * Makes a cursor over the events of a node's machine, as the node applies them: see Member.events. It ends with the node's process.
   * @throws MemberError when the node is down
   */
  events(node: NodeName, from?: bigint): FeedCursor {
    const { member } = this.#node(node)
    if (member === undefined) throw new MemberError('STOPPED', `${node} is down`)
    return member.events(from)
  }

  /** A client of the default machine that begins with that node, and fails over like the SDK's. Its reads are linearizable. */
  client(node: NodeName = 'n1'): SimClient {
    const session = this.#newSession(this.#node(node))
    const caller = new Caller(
      {
        submit: (call) => {
          const settled = new Promise<void>((resolve) => {
            session.submit({
              ...call,
              resolve: (response) => resolve(call.resolve(response)),
              reject: (error) => resolve(call.reject(error)),
            })
          })
          this.#driven(settled).catch((cause: unknown) => call.reject(internalError(cause)))
        },
      },
      DEFAULT_TIMEOUT_MS,
    )
    return { kv: new KeyValueStore(caller), bank: new BankClient(caller) }
  }

  // --- what happens to it ---------------------------------------------------------------------------------------------------------

  /** Cuts all links between nodes of different groups. Links cut before stay cut, until `mend`. */
  partition(...groups: readonly (readonly NodeName[])[]): Promise<void> {
    return this.#happens(() => {
      if (!groups.every(Array.isArray)) throw new TypeError('groups: each must be a list of nodes')
      this.#cluster.network.partition(...groups.map((group) => group.map((name) => this.#node(name).id)))
    })
  }

  /** Cuts the link from one node to another. The opposite direction is another link. */
  cut(from: NodeName, to: NodeName): Promise<void> {
    return this.#happens(() => this.#cluster.network.cut(this.#node(from).id, this.#node(to).id))
  }

  /** Cuts all links to and from a node. */
  isolate(node: NodeName): Promise<void> {
    return this.partition(
      [node],
      this.nodes.filter((other) => other !== node),
    )
  }

  /** Restores every link. */
  mend(): Promise<void> {
    return this.#happens(() => this.#cluster.network.mendAll())
  }

  /** Kills the process at once, as kill -9 does; writes that were not synced may be lost. */
  crash(node: NodeName): Promise<void> {
    return this.#happens(() => {
      this.#node(node).member?.endEvents()
      this.#node(node).crash()
    })
  }

  /** Starts a node that is down. */
  restart(node: NodeName): Promise<void> {
    return this.#happens(() => this.#node(node).start())
  }

  /** Stops a node as SIGTERM does: it hands leadership over and writes its state first. */
  async stop(node: NodeName): Promise<void> {
    const stopped = this.#node(node)
    stopped.stop()
    await this.until(() => !stopped.isUp)
  }

  /** Pauses the process. With `clockStops` its monotonic clock stops, too, as in a suspended virtual machine. */
  pause(node: NodeName, options: { readonly clockStops?: boolean } = {}): Promise<void> {
    return this.#happens(() => {
      checkNames('options', options, ['clockStops'])
      this.#node(node).pause(options)
    })
  }

  /** Ends a pause: the process receives everything that arrived meanwhile at once. */
  wake(node: NodeName): Promise<void> {
    return this.#happens(() => this.#node(node).wake())
  }

  /** Sets the wall clock of a node forward by so many ms, or back. */
  shiftClock(node: NodeName, byMs: number): Promise<void> {
    return this.#happens(() => {
      checkWhole('byMs', byMs, -1e12, 1e12)
      this.#node(node).wallOffsetMs += byMs
    })
  }

  /** Writes to the node's disk take 60 times as long, or (`stalled`) do not end before the disk is `normal` again. `full`: they fail. */
  setDisk(node: NodeName, state: DiskState): Promise<void> {
    return this.#happens(() => {
      if (!DISK_STATES.includes(state)) throw new RangeError(`state: must be one of ${DISK_STATES.join(', ')}, not ${state}`)
      const { disk } = this.#node(node)
      disk.isSlow = state === 'slow'
      disk.isFull = state === 'full'
      disk.isStalled = state === 'stalled'
    })
  }

  /** Crashes the node and deletes its data directory: when it starts again it is refused. */
  loseDirectory(node: NodeName): Promise<void> {
    return this.#happens(() => this.#node(node).loseDirectory())
  }

  // --------------------------------------------------------------------------------------------------------------------------------

  #node(name: NodeName): SimulatedNode {
    const node = this.#cluster.nodes.find(({ id }) => `n${id}` === name)
    if (node === undefined) throw new RangeError(`node: there is no ${name}, only ${this.nodes.join(', ')}`)
    return node
  }

  #ask(
    options: { readonly node?: NodeName; readonly timeoutMs?: number },
    ask: (node: SimulatedNode, timeoutMs: number, settle: (outcome: Answer | MemberError) => void) => void,
  ): Promise<Answer> {
    checkNames('options', options, ASK_OPTIONS)
    const { node, timeoutMs = DEFAULT_TIMEOUT_MS } = options
    checkBetween('timeoutMs', timeoutMs, 1, Number.MAX_SAFE_INTEGER)
    const name = node ?? this.leader ?? 'n1'
    const asked = this.#node(name)
    if (!asked.isUp) return Promise.reject(new MemberError('STOPPED', `${name} is down`))
    return this.#driven(
      new Promise((resolve, reject) => {
        ask(asked, timeoutMs, (outcome) => (outcome instanceof MemberError ? reject(outcome) : resolve(outcome)))
        // A node that crashes says nothing; one that runs says at its deadline what it knows.
        this.#cluster.scheduler.after(timeoutMs + SILENCE_MS, () =>
          reject(new MemberError('OUTCOME_UNKNOWN', `${name} has not answered within ${timeoutMs} ms`)),
        )
      }),
    )
  }

  #newSession(first: SimulatedNode): ClientSessions {
    const { nodes, scheduler, random } = this.#cluster
    const port = new SimulatedPort({ nodes, quality: CLIENT_WAY, random: random.fork(), scheduler })
    const runtime = new SimulatedRuntime({
      scheduler,
      random: random.fork(),
      wallMs: () => EPOCH_MS + scheduler.nowMs,
      turnMsMax: () => CLIENT_TURN_MS_MAX,
    })
    const settings = settingsOf({ endpoints: port.endpoints })
    return new ClientSessions({ ...settings, firstIndex: nodes.indexOf(first) }, { runtime, port })
  }

  async #happens(happen: () => void): Promise<void> {
    happen()
    await this.run(0)
  }

  /** Lets time pass until that is settled. */
  async #driven<T>(settled: Promise<T>): Promise<T> {
    this.#awaitedCount++
    void this.#drive()
    try {
      return await Promise.race([settled, this.#broken])
    } finally {
      this.#awaitedCount--
    }
  }

  async #drive(): Promise<void> {
    if (this.#isDriving) return
    this.#isDriving = true
    try {
      while (this.#awaitedCount > 0) await this.#cluster.runUntil(() => this.#awaitedCount === 0, DRIVE_MS)
    } catch (error) {
      this.#reportBroken(error)
    } finally {
      this.#isDriving = false
    }
  }
}

function internalError(cause: unknown): SynodError {
  return new SynodError('INTERNAL', 'INTERNAL', cause instanceof Error ? cause.message : String(cause), { cause })
}

function newBankAndKeys(): SimulatedApplication {
  const machine = new BankAndKeys()
  const audit = new BankAudit()
  return { machine, brokenInvariants: () => audit.brokenInvariants(machine.books.bank.ledger) }
}

function linkOf(network: NonNullable<SimClusterOptions['network']>): typeof GOOD_LINK {
  checkNames('network', network, LINK_OPTIONS)
  const {
    delayMs = GOOD_LINK.delayMsMin,
    jitterMs = GOOD_LINK.delayMsMean,
    lossRate = 0,
    duplicationRate = 0,
    reorders = false,
  } = network
  checkBetween('network.delayMs', delayMs, 0, 10_000)
  checkBetween('network.jitterMs', jitterMs, 0, 10_000)
  checkBetween('network.lossRate', lossRate, 0, 0.9)
  checkBetween('network.duplicationRate', duplicationRate, 0, 0.9)
  if (typeof reorders !== 'boolean') throw new TypeError('network.reorders: must be true or false')
  return { ...GOOD_LINK, delayMsMin: delayMs, delayMsMean: jitterMs, lossRate, duplicationRate, canReorder: reorders }
}

/** Refuses other values than bytes, which a node would take for a bug of its own. */
function checkBytes(name: string, bytes: Uint8Array): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name}: must be a Uint8Array`)
  if (bytes.length > COMMAND_BYTES_MAX)
    throw new RangeError(`${name}: must be at most ${COMMAND_BYTES_MAX} bytes, not ${bytes.length}`)
}

/** Refuses unknown names: a misspelt option would be taken for one left out. */
function checkNames(what: string, given: unknown, known: readonly string[]): void {
  if (!isPlainObject(given)) throw new TypeError(`${what}: must be an object`)
  const strange = Object.keys(given as object).find((name) => !known.includes(name))
  if (strange !== undefined) throw new TypeError(`${what}: ${strange} is not known; there are ${known.join(', ')}`)
}

function checkWhole(name: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return
  throw new RangeError(`${name}: must be a whole number from ${min} to ${max}, not ${String(value)}`)
}

function checkBetween(name: string, value: number, min: number, max: number): void {
  // Text would be compared like a number, and added like text.
  if (typeof value === 'number' && value >= min && value <= max) return
  throw new RangeError(`${name}: must be a number from ${min} to ${max}, not ${String(value)}`)
}
