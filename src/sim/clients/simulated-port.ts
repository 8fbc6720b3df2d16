import type { SessionName, SessionPort, SessionStream, StreamOptions } from '../../client/session-port.js'
import type { ClientPort } from '../cluster/client-port.js'
import type { Scheduler } from '../cluster/scheduler.js'
import type { Random } from '../random.js'
import { type PathQuality, SimulatedStream, type StreamWatcher } from './simulated-stream.js'

interface Settings {
  readonly nodes: readonly ClientPort[]
  readonly quality: PathQuality
  readonly random: Random
  readonly scheduler: Scheduler
  readonly watcher?: StreamWatcher
  readonly onLoss?: () => void
}

const CLOSE_MS = 1_000

const nothing = (): void => undefined
const NO_WATCHER: StreamWatcher = { onWelcome: nothing, onSent: nothing, onAnswer: nothing, onStalled: nothing }

/** The endpoint that stands for a node. */
export function endpointOf({ id }: Pick<ClientPort, 'id'>): string {
  return `n${id}:7100`
}

/** A client's transport to simulated nodes: streams have delays, and break or fall silent now and then. */
export class SimulatedPort implements SessionPort {
  readonly #settings: Settings
  #quality: PathQuality
  #nodes: readonly ClientPort[]
  /** Endpoints of the nodes that the client knows. Changed in place. */
  readonly endpoints: string[]
  #streams: SimulatedStream[] = []

  constructor(settings: Settings) {
    this.#settings = settings
    this.#quality = settings.quality
    this.#nodes = settings.nodes
    this.endpoints = settings.nodes.map(endpointOf)
  }

  /** Sets the nodes that the client knows. */
  setNodes(nodes: readonly ClientPort[]): void {
    this.#nodes = [...nodes]
    this.endpoints.splice(0, this.endpoints.length, ...nodes.map(endpointOf))
  }

  /** Sets the nodes, and breaks streams to others. */
  useOnly(nodes: readonly ClientPort[]): void {
    this.setNodes(nodes)
    for (const stream of this.#streams) if (!this.endpoints.includes(stream.endpoint)) stream.break()
  }

  nodeAt(endpoint: string): ClientPort | undefined {
    return this.#nodes.find((node) => endpointOf(node) === endpoint)
  }

  openStream(options: StreamOptions): SessionStream {
    const { random, scheduler, watcher = NO_WATCHER, onLoss = nothing } = this.#settings
    const stream = new SimulatedStream(this.nodeAt(options.endpoint), options, {
      quality: () => this.#quality,
      random,
      scheduler,
      watcher,
      onLoss,
    })
    this.#streams = [...this.#streams.filter((other) => !other.isOver), stream]
    return stream
  }

  closeSession(endpoint: string, session: SessionName): void {
    const { random, scheduler } = this.#settings
    if (random.chance(this.#quality.lossRate)) return
    const node = this.nodeAt(endpoint)
    scheduler.after(random.exponential(this.#quality.delayMsMean), () => node?.closeSession(session, CLOSE_MS, () => undefined))
  }

  async findTrouble(): Promise<undefined> {
    return undefined
  }

  /** Ends all losses. */
  heal(): void {
    this.#quality = { ...this.#quality, lossRate: 0 }
    for (const stream of this.#streams) stream.heal()
  }

  /** Leaves all streams: the client's process is gone. */
  onClientDied(): void {
    for (const stream of this.#streams) stream.onClientDied()
    this.#streams = []
  }
}
