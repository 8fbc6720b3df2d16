import type { Outbox } from './outbox.js'
import type { Genesis, GenesisMember, NodeId } from './types.js'

/** What every initial member is told alike, but for its own id. */
export interface BootstrapSettings {
  readonly self: NodeId
  readonly dataDirId: string
  /** The initial members' addresses; the lowest node id among them is the seed. */
  readonly members: readonly Omit<GenesisMember, 'dataDirId'>[]
  /** Used only if this node is the seed: a random UUID for the cluster. */
  readonly newClusterId: string
  /** Used only if this node is the seed: the cluster's initial state (the chapter's Seed brings it). */
  readonly initialCommands: readonly Uint8Array[]
  readonly joinIntervalMs: number
}

/**
 * Joins a cluster, or starts a new one (the chapter's Bootstrap and Seed). A cluster is formed once: the seed waits until *every*
 * initial member has said which data directory it will vote from, so that from the first vote on a lost directory is noticed
 * (DESIGN.md, rule 5). Whoever has a genesis welcomes whoever lacks one; whoever finds another directory than its own in it stops.
 */
export class Bootstrap {
  readonly #settings: BootstrapSettings
  readonly #out: Outbox
  readonly #seed: NodeId
  /** The seed's list: who has joined, with which data directory. */
  readonly #joined = new Map<NodeId, string>()
  #genesis: Genesis | undefined
  #nextJoinMs = 0

  constructor(settings: BootstrapSettings, out: Outbox, genesis: Genesis | undefined) {
    this.#settings = settings
    this.#out = out
    this.#seed = Math.min(...settings.members.map((m) => m.nodeId))
    if (genesis !== undefined && this.#checkOwnEntry(genesis)) this.#genesis = genesis
  }

  /** Absent until this node is a member; durable before anybody is told. */
  get genesis(): Genesis | undefined {
    return this.#genesis
  }

  tick(nowMs: number): void {
    if (nowMs < this.#nextJoinMs) return
    this.#nextJoinMs = nowMs + this.#settings.joinIntervalMs
    for (const { nodeId } of this.#settings.members) {
      if (nodeId === this.#settings.self) this.onJoin(nodeId, this.#settings.dataDirId)
      else this.#out.send(nodeId, { kind: 'join', dataDirId: this.#settings.dataDirId })
    }
  }

  onJoin(from: NodeId, dataDirId: string): void {
    if (this.#genesis !== undefined) {
      return this.#out.sendOnceDurable(from, { kind: 'welcome', genesis: this.#genesis })
    }
    if (this.#settings.self !== this.#seed || !this.#settings.members.some((m) => m.nodeId === from)) return
    this.#joined.set(from, dataDirId)
    if (this.#joined.size === this.#settings.members.length) this.#found()
  }

  /** True when this node has just become a member. */
  onWelcome(genesis: Genesis): boolean {
    if (this.#genesis !== undefined || !this.#checkOwnEntry(genesis)) return false
    this.#genesis = genesis
    this.#out.persist({ kind: 'genesis', genesis })
    return true
  }

  /** Makes the genesis; it is told to others, and to this node itself, only once it is durable. */
  #found(): void {
    const genesis: Genesis = Object.freeze({
      clusterId: this.#settings.newClusterId,
      members: this.#settings.members
        .map((m) => ({ ...m, dataDirId: this.#joined.get(m.nodeId) ?? '' }))
        .toSorted((a, b) => a.nodeId - b.nodeId),
      initialCommands: this.#settings.initialCommands,
    })
    this.#genesis = genesis
    this.#out.persist({ kind: 'genesis', genesis })
    for (const { nodeId } of genesis.members) this.#out.sendOnceDurable(nodeId, { kind: 'welcome', genesis })
  }

  #checkOwnEntry(genesis: Genesis): boolean {
    const { self, dataDirId } = this.#settings
    const own = genesis.members.find((m) => m.nodeId === self)
    if (own === undefined) {
      this.#out.halt({ code: 'NOT_A_MEMBER', message: `node ${self} is not a member of cluster ${genesis.clusterId}` })
      return false
    }
    if (own.dataDirId !== dataDirId) {
      this.#out.halt({
        code: 'DATA_DIR_MISMATCH',
        message:
          `node ${self} of cluster ${genesis.clusterId} votes from data directory ${own.dataDirId}, but this one is ${dataDirId}: ` +
          'the directory was lost or swapped, and voting from another could undo what was acknowledged. ' +
          'Put the original directory back.',
      })
      return false
    }
    return true
  }
}
