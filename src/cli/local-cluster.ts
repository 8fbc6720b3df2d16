import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, writeFileSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Client } from '../client/client.js'
import { makeDirectory } from '../storage/directory/files.js'
import { CliError, EXIT } from './failure.js'
import { formatPeers, NODE_VARIABLES, type NodeConfigFile } from './node-options.js'
import type { NodeReport } from './start.js'

const MAIN = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url))
const POLL_MS = 50
const STOP_MS_MAX = 15_000

export interface LocalNode {
  readonly nodeId: number
  readonly clientAddress: string
  readonly peerAddress: string
  readonly configFile: string
  readonly logFile: string
  child: ChildProcess | undefined
  /** Message of the process before it gave up. */
  lastWords: string | undefined
}

export interface LocalClusterOptions {
  readonly directory: string
  readonly ports: readonly { readonly client: number; readonly peer: number }[]
  /** `ID=BASE64` of the first bank authority's public key. */
  readonly authority: string
}

/** The nodes of a cluster on this machine, each a process of its own: `synod start --config DIRECTORY/nI/config.json`. */
export class LocalCluster {
  readonly nodes: readonly LocalNode[]
  /** Called when a node's process has ended, whether it was asked to or not. */
  onExit: (node: LocalNode, how: string) => void = () => {}
  readonly #options: LocalClusterOptions

  constructor(options: LocalClusterOptions) {
    this.#options = options
    this.nodes = options.ports.map(({ client, peer }, i) => ({
      nodeId: i + 1,
      clientAddress: `127.0.0.1:${client}`,
      peerAddress: `127.0.0.1:${peer}`,
      configFile: join(options.directory, `n${i + 1}`, 'config.json'),
      logFile: join(options.directory, `n${i + 1}`, 'node.log'),
      child: undefined,
      lastWords: undefined,
    }))
  }

  get endpoints(): string[] {
    return this.nodes.map((node) => node.clientAddress)
  }

  get runningCount(): number {
    return this.nodes.filter((node) => node.child !== undefined).length
  }

  /** Writes each node's directory and configuration. */
  prepare(): void {
    for (const node of this.nodes) {
      makeDirectory(join(this.#options.directory, `n${node.nodeId}`))
      const config: NodeConfigFile = {
        id: node.nodeId,
        data: 'db',
        peers: formatPeers(this.nodes),
        authority: [this.#options.authority],
      }
      writeFileSync(node.configFile, `${JSON.stringify(config, undefined, 2)}\n`)
    }
  }

  /** Starts one node's process. It ends with this process, however that ends: the IPC channel breaks. */
  spawn(node: LocalNode): void {
    const log = openSync(node.logFile, 'a')
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !NODE_VARIABLES.includes(name)))
    // A process group of its own, so that the terminal's Ctrl-C reaches it only through us.
    const child = fork(MAIN, ['start', '--config', node.configFile], { stdio: ['ignore', log, log, 'ipc'], env, detached: true })
    closeSync(log)
    node.child = child
    node.lastWords = undefined
    child.on('message', (report: NodeReport) => {
      node.lastWords = report.failed
    })
    child.on('exit', (code, signal) => {
      node.child = undefined
      this.onExit(node, signal ?? `exit code ${code}`)
    })
  }

  /**
   * Resolves with the leader once every node of `expected` is up and follows it.
   * @throws CliError when one of them ends, or after timeoutMs.
   */
  async untilFormed(client: Client, timeoutMs: number, expected: readonly LocalNode[] = this.nodes): Promise<LocalNode> {
    const { NodeRole } = await import('../client/client.js')
    const deadlineMs = performance.now() + timeoutMs
    while (performance.now() < deadlineMs) {
      const dead = expected.find((node) => node.child === undefined)
      if (dead !== undefined) throw new CliError(dead.lastWords ?? `node ${dead.nodeId} ended; see ${dead.logFile}`)
      const statuses = (await client.cluster.status({ timeoutMs: 1_000 })).map(({ status }) => status)
      checkOneCluster(statuses)
      const leaderId = statuses.find((status) => status?.role === NodeRole.LEADER)?.nodeId
      const isFormed = expected.every(({ nodeId }) => statuses[nodeId - 1]?.leaderId === leaderId)
      const leader = expected.find((node) => node.nodeId === leaderId)
      if (isFormed && leader !== undefined) return leader
      await delay(POLL_MS)
    }
    const logs = relative('', join(this.#options.directory, 'n*', 'node.log'))
    throw new CliError(`no leader within ${timeoutMs / 1_000} s; the nodes' logs are in ${logs}`, EXIT.unavailable)
  }

  /** Sends the signal and resolves when the process is gone. */
  async kill(node: LocalNode, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { child } = node
    if (child === undefined) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }

  /** Lets every node drain and stop; a node that takes longer than 15 s is killed. */
  async stop(): Promise<void> {
    const timer = setTimeout(() => this.killAll(), STOP_MS_MAX)
    await Promise.all(this.nodes.map((node) => this.kill(node, 'SIGTERM')))
    clearTimeout(timer)
  }

  /** Kills every node at once. */
  killAll(): void {
    for (const { child } of this.nodes) child?.kill('SIGKILL')
  }
}

/**
 * Checks that all nodes belong to one cluster: nodes of different clusters never talk to each other, and waiting would only end in "no
 * leader".
 * @throws CliError that names two of them, with their clusters
 */
export function checkOneCluster(
  statuses: readonly ({ readonly nodeId: number; readonly clusterId: string } | undefined)[],
): void {
  const members = statuses.filter((status) => status !== undefined && status.clusterId !== '')
  const [first] = members
  const other = members.find((status) => status?.clusterId !== first?.clusterId)
  if (first === undefined || other === undefined) return
  throw new CliError(
    `the data directories of node ${first.nodeId} and node ${other.nodeId} belong to different clusters, ` +
      `${first.clusterId} and ${other.clusterId}: put the right ones back`,
  )
}
