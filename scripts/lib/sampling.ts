import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { Level } from 'level'
import type { ClusterNode } from './cluster.js'

const PAGE_BYTES = 4_096
const BLOCK_BYTES = 512
/** Of /proc: the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const TAIL_BYTES = 4_096

/** How a node's process and directory were at one moment; bytes. */
export interface Sample {
  /** ms since the sampler began. */
  readonly atMs: number
  /** Without the files that LevelDB maps. */
  readonly rss: number
  /** 0 where the node has no probe. */
  readonly heap: number
  readonly disk: number
  /** Whatever the caller counts: operations, say. */
  readonly done: number
}

/** Looks at every node once a second. */
export class Sampler {
  readonly samples = new Map<number, Sample[]>()
  readonly #nodes: readonly ClusterNode[]
  readonly #done: () => number
  readonly #beganMs = performance.now()
  readonly #timer: NodeJS.Timeout

  constructor(nodes: readonly ClusterNode[], done: () => number, intervalMs = 1_000) {
    this.#nodes = nodes
    this.#done = done
    for (const { nodeId } of nodes) this.samples.set(nodeId, [])
    this.#timer = setInterval(() => this.#take(), intervalMs)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#take()
  }

  #take(): void {
    const atMs = performance.now() - this.#beganMs
    for (const node of this.#nodes) {
      const rss = ownBytesOfPid(node.child?.pid)
      if (rss === undefined) continue
      const { heap } = lastProbeOf(node)
      this.samples.get(node.nodeId)?.push({ atMs, rss, heap, disk: diskOf(node.dataDirectory), done: this.#done() })
    }
  }
}

/** Resident bytes of the process, on Linux; undefined when it does not run. */
export function rssOfPid(pid: number | undefined): number | undefined {
  return memoryOfPid(pid)?.resident
}

/**
 * The same without the files that it maps: LevelDB maps its tables, and what is resident of those is the system's file cache, which
 * grows with the disk and is given up when it is needed.
 */
function ownBytesOfPid(pid: number | undefined): number | undefined {
  const memory = memoryOfPid(pid)
  return memory && memory.resident - memory.mapped
}

function memoryOfPid(pid: number | undefined): { readonly resident: number; readonly mapped: number } | undefined {
  try {
    const [, resident, mapped] = readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')
    return { resident: Number(resident) * PAGE_BYTES, mapped: Number(mapped) * PAGE_BYTES }
  } catch {
    return undefined
  }
}

/** What the process has had of the processors so far, in s, on Linux; 0 elsewhere. */
export function cpuSecondsOf(pid: number | undefined): number {
  try {
    // The second field, the name, is in brackets and may hold spaces; user and system time are the 14th and 15th.
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
  } catch {
    return 0
  }
}

/** As du: bytes of the blocks that its files take, a file of several names once. What goes away while it looks counts for nothing. */
export function diskOf(directory: string, seen = new Set<number>()): number {
  let bytes = 0
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      const path = join(directory, entry.name)
      bytes += entry.isDirectory() ? diskOf(path, seen) : blocksOf(path, seen)
    }
  } catch {
    // The directory has gone.
  }
  return bytes
}

function blocksOf(path: string, seen: Set<number>): number {
  try {
    const { blocks, ino } = lstatSync(path)
    if (seen.has(ino)) return 0
    seen.add(ino)
    return blocks * BLOCK_BYTES
  } catch {
    return 0
  }
}

/** A line of node-probe.mjs, which tells what its fields are. */
export interface Probe {
  readonly t: number
  readonly rss: number
  readonly heap: number
  readonly gc: number
  readonly pauses: readonly (readonly [gap: number, waited: number, ran: number, gc: number])[]
}

const NO_PROBE: Probe = { t: 0, rss: 0, heap: 0, gc: 0, pauses: [] }

export function probesOf({ probeFile }: ClusterNode): Probe[] {
  return readFileSync(probeFile, 'utf8').split('\n').slice(0, -1).map(parseProbe)
}

function lastProbeOf({ probeFile }: ClusterNode): Probe {
  try {
    const file = openSync(probeFile, 'r')
    const { size } = fstatSync(file)
    const tail = Buffer.alloc(Math.min(size, TAIL_BYTES))
    readSync(file, tail, 0, tail.length, size - tail.length)
    closeSync(file)
    return parseProbe(tail.toString().split('\n').at(-2) ?? '')
  } catch {
    return NO_PROBE
  }
}

function parseProbe(line: string): Probe {
  return JSON.parse(line) as Probe
}

/** What a node that has stopped keeps, in bytes of keys and values; see src/storage/record-keys.ts for the tags. */
export interface Kept {
  readonly state: number
  readonly history: number
  readonly log: number
  readonly rest: number
}

export async function keptBy({ dataDirectory }: ClusterNode): Promise<Kept> {
  const db = new Level<Buffer, Buffer>(join(dataDirectory, 'db'), { keyEncoding: 'buffer', valueEncoding: 'buffer' })
  const kept = { state: 0, history: 0, log: 0, rest: 0 }
  const iterator = db.iterator()
  for (;;) {
    const entries = await iterator.nextv(1_000)
    if (entries.length === 0) break
    for (const [key, value] of entries) kept[kindOf(key)] += key.length + value.length
  }
  await iterator.close()
  await db.close()
  return kept
}

function kindOf(key: Buffer): keyof Kept {
  switch (String.fromCharCode(key[0] ?? 0)) {
    case 's':
    case 't':
      return 'state'
    case 'h':
    case 'i':
      return 'history'
    case 'l':
      return 'log'
    default:
      return 'rest'
  }
}

export function medianOf(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)] ?? 0
}

/** Of the least squares line through the points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const n = points.length
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / n
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / n
  const over = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0)
  const under = points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0)
  return under === 0 ? 0 : over / under
}

export function mib(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(1)} MiB`
}
