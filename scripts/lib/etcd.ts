import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire'
import { Client, credentials } from '@grpc/grpc-js'
import { freePorts } from '../../src/cli/ports.js'
import { until } from './cluster.js'

/** What is asked of etcd, written down by hand: three fields are not worth its protos. */
const PUT = '/etcdserverpb.KV/Put'
const RANGE = '/etcdserverpb.KV/Range'
const STATUS = '/etcdserverpb.Maintenance/Status'
const DEADLINE_MS = 60_000
const QUOTA_BYTES = 8 << 30

export interface EtcdNode {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
  readonly dataDirectory: string
  readonly logFile: string
  child: ChildProcess | undefined
}

/** What it says of its version; undefined when there is none. By default the etcd on the PATH, or $ETCD. */
export function etcdVersion(command = etcdPath()): string | undefined {
  try {
    return execFileSync(command, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0]
  } catch {
    return undefined
  }
}

function etcdPath(): string {
  return process.env['ETCD'] ?? 'etcd'
}

/** An etcd cluster on this machine, with its own defaults but for the size that it may grow to. */
export class Etcd {
  readonly nodes: readonly EtcdNode[]
  readonly #clients: readonly Client[]
  readonly #command: string

  static async make(directory: string, count: number, command = etcdPath()): Promise<Etcd> {
    const ports = await freePorts(2 * count)
    const nodes = Array.from({ length: count }, (_, i): EtcdNode => {
      const home = join(directory, `e${i + 1}`)
      mkdirSync(home, { recursive: true })
      const [clientPort = 0, peerPort = 0] = ports.slice(2 * i)
      return {
        name: `e${i + 1}`,
        clientPort,
        peerPort,
        dataDirectory: join(home, 'data'),
        logFile: join(home, 'log'),
        child: undefined,
      }
    })
    return new Etcd(nodes, command)
  }

  private constructor(nodes: readonly EtcdNode[], command: string) {
    this.nodes = nodes
    this.#command = command
    this.#clients = nodes.map(
      ({ clientPort }) =>
        new Client(`127.0.0.1:${clientPort}`, credentials.createInsecure(), {
          'grpc.initial_reconnect_backoff_ms': 50,
          'grpc.min_reconnect_backoff_ms': 50,
          'grpc.max_reconnect_backoff_ms': 50,
        }),
    )
  }

  get endpoints(): string[] {
    return this.nodes.map(({ clientPort }) => `127.0.0.1:${clientPort}`)
  }

  start(nodes: readonly EtcdNode[] = this.nodes): void {
    for (const node of nodes) {
      const log = openSync(node.logFile, 'a')
      const peer = `http://127.0.0.1:${node.peerPort}`
      const client = `http://127.0.0.1:${node.clientPort}`
      const args = [
        ['--name', node.name],
        ['--data-dir', node.dataDirectory],
        ['--listen-peer-urls', peer],
        ['--initial-advertise-peer-urls', peer],
        ['--listen-client-urls', client],
        ['--advertise-client-urls', client],
        ['--initial-cluster', this.nodes.map(({ name, peerPort }) => `${name}=http://127.0.0.1:${peerPort}`).join(',')],
        ['--quota-backend-bytes', String(QUOTA_BYTES)],
      ].flat()
      node.child = spawn(this.#command, args, { stdio: ['ignore', log, log] })
      closeSync(log)
    }
  }

  async kill(nodes: readonly EtcdNode[] = this.nodes): Promise<void> {
    await Promise.all(
      nodes.map(async ({ child }) => {
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, 'exit')
        child.kill('SIGKILL')
        await gone
      }),
    )
  }

  /** The node that leads, as it says itself. */
  async leader(): Promise<EtcdNode> {
    for (const [i, node] of this.nodes.entries()) {
      const { self, leader } = decodeStatus(await this.#call(i, STATUS, new Uint8Array(), DEADLINE_MS))
      if (self === leader) return node
    }
    throw new Error('no node of etcd leads')
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }

  /** By the i-th node. */
  put(i: number, key: string, value: Uint8Array): Promise<unknown> {
    const request = new BinaryWriter().uint32(10).string(key).uint32(18).bytes(value).finish()
    return this.#call(i, PUT, request, DEADLINE_MS)
  }

  /** A linearizable read by the i-th node. Whether the key is there. */
  async has(i: number, key: string, timeoutMs = DEADLINE_MS): Promise<boolean> {
    const response = await this.#call(i, RANGE, new BinaryWriter().uint32(10).string(key).finish(), timeoutMs)
    return countIn(response) > 0
  }

  async untilServing(key: string, timeoutMs: number): Promise<void> {
    await until('etcd answers a linearizable read', timeoutMs, async () => {
      const answers = this.nodes.map((_, i) => this.has(i, key, 1_000))
      return await Promise.any(answers).catch(() => false)
    })
  }

  async untilUp(timeoutMs: number): Promise<void> {
    for (const node of this.nodes) await this.untilAnswering(node, timeoutMs)
  }

  /** Resolves when that node answers a linearizable read. @throws Error */
  async untilAnswering(node: EtcdNode, timeoutMs: number): Promise<void> {
    await until(`etcd's node ${node.name} answers`, timeoutMs, () =>
      this.has(this.nodes.indexOf(node), '-', 1_000).then(
        () => true,
        () => false,
      ),
    )
  }

  #call(i: number, path: string, request: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    const client = this.#clients[i % this.#clients.length]
    if (client === undefined) throw new Error('there is a node')
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        (bytes: Uint8Array) => Buffer.from(bytes),
        (bytes: Buffer): Uint8Array => bytes,
        request,
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          if (error === null) resolve(response ?? new Uint8Array())
          else reject(error)
        },
      )
    })
  }
}

/** RangeResponse.count, field 4. */
function countIn(response: Uint8Array): number {
  return Number(uint64In(response, 4))
}

/** Of a StatusResponse: who answers, in field 2 of its header, and whom that follows, in its field 4. */
function decodeStatus(response: Uint8Array): { self: bigint; leader: bigint } {
  const reader = new BinaryReader(response)
  const status = { self: 0n, leader: 0n }
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (field === 1) status.self = uint64In(reader.bytes(), 2)
    else if (field === 4) status.leader = BigInt(reader.uint64())
    else reader.skip(wireType)
  }
  return status
}

function uint64In(message: Uint8Array, wanted: number): bigint {
  const reader = new BinaryReader(message)
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag()
    if (field === wanted) return BigInt(reader.uint64())
    reader.skip(wireType)
  }
  return 0n
}
