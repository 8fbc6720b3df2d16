import { type ChildProcess, execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { formatPeers, NODE_VARIABLES, type NodeConfigFile } from '../../src/cli/node-options.js'
import { freePorts } from '../../src/cli/ports.js'
import type { NodeReport } from '../../src/cli/start.js'
import {
  type Authority,
  type Client,
  type ConnectOptions,
  connect,
  generateKeyPair,
  makeAuthority,
  NodeRole,
  type NodeStatus,
} from '../../src/client/client.js'
import { MAIN } from './build.js'

const POLL_MS = 50
const STOP_MS_MAX = 15_000
const PROBE = new URL('./node-probe.mjs', import.meta.url).href

export type Status = NonNullable<NodeStatus['status']>

export interface ClusterNode {
  readonly nodeId: number
  readonly clientAddress: string
  readonly peerAddress: string
  /** Where all of it is kept: its configuration, its log, and its data unless the cluster was told otherwise. */
  readonly home: string
  readonly dataDirectory: string
  readonly configFile: string
  readonly logFile: string
  /** What node-probe.mjs writes, if it was asked for. */
  readonly probeFile: string
  /** It is not of the first members. */
  joined: boolean
  child: ChildProcess | undefined
  /** performance.now() at its last start. */
  startedMs: number
  /** How its last process ended, and what that said before it gave up; undefined while it runs. */
  ended: { readonly how: string; readonly lastWords: string } | undefined
}

export interface ClusterOptions {
  /** Exists. */
  readonly directory: string
  readonly nodes: number
  /** Has every node measure its event loop, its memory and its garbage collections (node-probe.mjs). */
  readonly probes?: boolean
  /** Of Node itself: `--cpu-prof`. */
  readonly nodeArgumentsOf?: (nodeId: number) => readonly string[]
  /** More environment variables for its process. */
  readonly environmentOf?: (nodeId: number) => Readonly<Record<string, string>>
  /** Instead of a folder under the node's own. */
  readonly dataDirectoryOf?: (nodeId: number) => string
  /** Instead of a file in the node's own folder. */
  readonly logFileOf?: (nodeId: number) => string
}

/**
 * A cluster on this machine, each node a process of `synod start` as it is built. Unlike src/cli/local-cluster.ts it lets members come
 * and go, and expects its nodes to end.
 */
export class Cluster {
  readonly authority: Authority
  /** The members; of a removed one nothing is kept here. */
  nodes: readonly ClusterNode[] = []
  readonly #options: ClusterOptions
  readonly #authorityOption: string
  #lastNodeId = 0

  /** On free ports; nothing runs yet. */
  static async make(options: ClusterOptions): Promise<Cluster> {
    const cluster = new Cluster(options)
    const made: ClusterNode[] = []
    for (let i = 0; i < options.nodes; i++) made.push(await cluster.newNode())
    cluster.nodes = made
    for (const node of made) cluster.#writeConfig(node, { peers: formatPeers(made), authority: [cluster.#authorityOption] })
    return cluster
  }

  private constructor(options: ClusterOptions) {
    const keys = generateKeyPair()
    this.authority = makeAuthority('mint', keys)
    this.#authorityOption = `mint=${Buffer.from(keys.publicKey).toString('base64')}`
    this.#options = options
  }

  get endpoints(): string[] {
    return this.nodes.map((node) => node.clientAddress)
  }

  /** With the next number, and addresses; not a member yet. */
  async newNode(): Promise<ClusterNode> {
    const nodeId = ++this.#lastNodeId
    const [client, peer] = await freePorts(2)
    const home = join(this.#options.directory, `n${nodeId}`)
    mkdirSync(home, { recursive: true })
    return {
      nodeId,
      clientAddress: `127.0.0.1:${client}`,
      peerAddress: `127.0.0.1:${peer}`,
      home,
      dataDirectory: this.#options.dataDirectoryOf?.(nodeId) ?? join(home, 'data'),
      configFile: join(home, 'config.json'),
      logFile: this.#options.logFileOf?.(nodeId) ?? join(home, 'node.log'),
      probeFile: join(home, 'probe.jsonl'),
      joined: false,
      child: undefined,
      startedMs: 0,
      ended: undefined,
    }
  }

  /**
   * Who the members are from now on: `fresh` joins, and the others are told of it, too. A node's own memory counts as long as it has
   * one; but when its directory is damaged, it can ask only those that its configuration names.
   */
  configure(members: readonly ClusterNode[], fresh: ClusterNode): void {
    for (const node of members) this.#writeConfig(node, { peers: formatPeers(members), join: node === fresh || node.joined })
    fresh.joined = true
    this.nodes = members
  }

  #writeConfig(node: ClusterNode, config: NodeConfigFile): void {
    const whole: NodeConfigFile = { id: node.nodeId, data: node.dataDirectory, ...config }
    writeFileSync(node.configFile, `${JSON.stringify(whole, undefined, 2)}\n`)
  }

  /** Starts its process. It ends when this one does, however this one ends: its IPC channel breaks. */
  start(node: ClusterNode): void {
    const log = openSync(node.logFile, 'a')
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !NODE_VARIABLES.includes(name)))
    const probe = this.#options.probes === true ? { NODE_OPTIONS: `--import=${PROBE}`, SYNOD_PROBE_FILE: node.probeFile } : {}
    const child = fork(MAIN, ['start', '--config', node.configFile], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...env, ...probe, ...this.#options.environmentOf?.(node.nodeId) },
      execArgv: [...(this.#options.nodeArgumentsOf?.(node.nodeId) ?? [])],
      // A process group of its own: the terminal's Ctrl-C reaches it only through us.
      detached: true,
    })
    closeSync(log)
    node.child = child
    node.startedMs = performance.now()
    node.ended = undefined
    let lastWords = ''
    child.on('message', (report: NodeReport) => {
      lastWords = report.failed
    })
    child.on('exit', (code, signal) => {
      node.child = undefined
      node.ended = { how: signal ?? `exit code ${code}`, lastWords }
    })
  }

  /** Sends the signal and resolves when the process is gone. */
  async kill(node: ClusterNode, signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const { child } = node
    if (child === undefined) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** Lets every node drain and stop; who takes longer than 15 s is killed. */
  async stop(nodes: readonly ClusterNode[] = this.nodes): Promise<void> {
    const timer = setTimeout(() => nodes.forEach(({ child }) => child?.kill('SIGKILL')), STOP_MS_MAX)
    await Promise.all(nodes.map((node) => this.kill(node, 'SIGTERM')))
    clearTimeout(timer)
  }

  connect(options: Partial<ConnectOptions> = {}): Client {
    return connect({ endpoints: this.endpoints, ...options })
  }

  /** Undefined when it does not answer. */
  async statusOf(node: ClusterNode): Promise<Status | undefined> {
    const client = connect({ endpoints: node.clientAddress })
    try {
      const [answer] = await client.cluster.status({ timeoutMs: 1_000 })
      return answer?.status
    } finally {
      client.close()
    }
  }

  statuses(nodes: readonly ClusterNode[] = this.nodes): Promise<(Status | undefined)[]> {
    return Promise.all(nodes.map((node) => this.statusOf(node)))
  }

  /** Resolves with the leader once all of `nodes` follow it, and vote. @throws Error after timeoutMs, or when one of them has ended */
  async untilFormed(timeoutMs: number, nodes: readonly ClusterNode[] = this.nodes): Promise<ClusterNode> {
    let leader: ClusterNode | undefined
    await until(`${names(nodes)} follow one leader and vote`, timeoutMs, async () => {
      for (const node of nodes) if (node.ended !== undefined) throw new Error(describeEnd(node))
      const statuses = await this.statuses(nodes)
      leader = nodes.find((_, i) => statuses[i]?.role === NodeRole.LEADER)
      return leader !== undefined && statuses.every((s) => s?.leaderId === leader?.nodeId && isVoter(s))
    })
    if (leader === undefined) throw new Error('there is a leader')
    return leader
  }

  /** Resolves with how long, since its start, until this node itself answered a linearizable read. @throws Error */
  async untilServing(node: ClusterNode, timeoutMs: number): Promise<number> {
    const client = connect({ endpoints: node.clientAddress, timeoutMs: 1_000 })
    try {
      await until(`node ${node.nodeId} answers a read`, timeoutMs, async () => {
        if (node.ended !== undefined) throw new Error(describeEnd(node))
        return await client.kv.get('-').then(
          () => true,
          () => false,
        )
      })
      return performance.now() - node.startedMs
    } finally {
      client.close()
    }
  }

  /** Resolves with the slot that all have applied, while nobody writes. @throws Error when their states differ there */
  async untilLevel(timeoutMs: number): Promise<number> {
    let slot = 0
    await until(`${names(this.nodes)} have applied the same slots`, timeoutMs, async () => {
      const statuses = await this.statuses()
      const slots = new Set(statuses.map((status) => status?.appliedUpTo))
      if (slots.size > 1 || slots.has(undefined)) return false
      slot = statuses[0]?.appliedUpTo ?? 0
      const digests = new Set(statuses.map((status) => status?.stateDigest))
      if (digests.size > 1) throw new Error(`at slot ${slot} the states differ: ${[...digests].join(', ')}`)
      return true
    })
    return slot
  }

  /** `synod` against these nodes. */
  synod(args: readonly string[], timeoutMs = 120_000): Promise<{ code: number; output: string }> {
    return new Promise((resolve) => {
      const env = { ...process.env, SYNOD_ENDPOINTS: this.endpoints.join(',') }
      execFile(process.execPath, [MAIN, ...args], { env, timeout: timeoutMs }, (error, stdout, stderr) => {
        const code = error === null ? 0 : Number(error.code ?? 1)
        resolve({ code, output: `${stdout}${stderr}` })
      })
    })
  }
}

function isVoter(status: Status | undefined): boolean {
  return status?.membership?.members.some((m) => m.nodeId === status.nodeId && m.voter) === true
}

export function names(nodes: readonly ClusterNode[]): string {
  return nodes.map(({ nodeId }) => `n${nodeId}`).join(', ')
}

export function describeEnd(node: ClusterNode): string {
  const { how, lastWords } = node.ended ?? { how: 'it runs', lastWords: '' }
  return `node ${node.nodeId} ended (${how}): ${lastWords || lastLinesOf(node)}`
}

function lastLinesOf(node: ClusterNode): string {
  return readFileSync(node.logFile, 'utf8').trimEnd().split('\n').slice(-3).join('\n')
}

/** Polls. @throws Error that says what did not come true in time */
export async function until(what: string, timeoutMs: number, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs / 1_000} s: ${what}`)
    await delay(POLL_MS)
  }
}
