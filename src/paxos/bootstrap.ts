import { Membership } from './membership.js'
import { genesisRecord } from './memberships.js'
import type { Formation, Join, Welcome } from './messages.js'
import type { Halt, Outbox } from './outbox.js'
import type { Genesis, GenesisMember, MembershipRecord, NodeId } from './types.js'

/** The time for which a difference is shown after its node has reported it last. */
const DIFFERENCE_MS = 3_000

/** The start options of a node. Every initial member must have the same ones, except for its own id and directory. */
export interface BootstrapSettings {
  readonly self: NodeId
  readonly dataDirId: string
  /** The damaged directory that this one replaces; empty for none. */
  readonly replacesDataDirId: string
  /** The node joins an existing cluster: it never founds one, and waits until it has been added. */
  readonly joins: boolean
  /** The initial members; the one with the lowest node id is the seed. For a node that joins: the members to ask. */
  readonly members: readonly Omit<GenesisMember, 'dataDirId'>[]
  /** Used only if this node is the seed: a random UUID for the cluster. */
  readonly newClusterId: string
  /** Used only if this node is the seed: the cluster's initial state (the chapter's Seed brings it). */
  readonly initialCommands: readonly Uint8Array[]
  /** A digest of the initial commands, by which members compare them. */
  readonly initialDigest: string
  readonly joinIntervalMs: number
  /** The largest state that this node has memory for, in bytes; 0: unknown. */
  readonly capacityBytes: number
  /** The highest level that this node knows. */
  readonly levelMax: number
  /** The version of this node's binary; may be empty. */
  readonly version: string
  /** The pipeline window that the seed writes into the genesis. */
  readonly windowSlots: number
}

/**
 * Joins a cluster, or founds a new one (the chapter's Bootstrap and Seed). A cluster is founded once: the seed waits until *every*
 * initial member has reported the data directory that it will vote from. So a lost directory is noticed from the first vote on
 * (docs/protocol.md, rule 5). A node with a genesis welcomes a node without one. A welcomed node compares itself with the latest membership:
 * it stops if it is listed with another directory; it waits if it is not listed yet, or is listed with the directory that it replaces.
 */
export class Bootstrap {
  readonly #settings: BootstrapSettings
  readonly #out: Outbox
  readonly #seed: NodeId
  /** The seed's list of the members that have joined, with the data directory, the memory and the highest level of each. */
  readonly #joined = new Map<NodeId, Pick<Join, 'dataDirId' | 'capacityBytes' | 'levelMax'>>()
  /** Peers to ask that are not in this node's list of members. */
  readonly #others = new Set<NodeId>()
  /** The start options to compare with those of others; undefined when this node joins an existing cluster. */
  readonly #formation: Formation | undefined
  /** Nodes with other start options: the difference in words, and when it was reported last. */
  readonly #differences = new Map<NodeId, { readonly what: string; readonly atMs: number }>()
  #nowMs = 0
  /** Members that list this node with another directory. */
  readonly #strangeTo = new Set<NodeId>()
  #genesis: Genesis | undefined
  #nextJoinMs = 0

  constructor(settings: BootstrapSettings, out: Outbox, genesis: Genesis | undefined) {
    this.#settings = settings
    this.#out = out
    this.#seed = Math.min(...settings.members.map((m) => m.nodeId))
    // This node was let in with this directory before. If it has been removed since, it will learn so from the log or from peers.
    this.#genesis = genesis
    this.#formation = formationOf(settings)
  }

  /** Nodes that were started with other options than this one, with the difference. They keep the cluster from being founded. */
  get differences(): ReadonlyMap<NodeId, string> {
    if (this.#genesis !== undefined) return new Map()
    const fresh = [...this.#differences].filter(([, { atMs }]) => this.#nowMs - atMs < DIFFERENCE_MS)
    return new Map(fresh.map(([nodeId, { what }]) => [nodeId, what]))
  }

  /** Undefined until this node is a member. It is durable before it is told to another node. */
  get genesis(): Genesis | undefined {
    return this.#genesis
  }

  tick(nowMs: number): void {
    this.#nowMs = nowMs
    if (nowMs < this.#nextJoinMs) return
    this.#nextJoinMs = nowMs + this.#settings.joinIntervalMs
    const { dataDirId, replacesDataDirId, capacityBytes, levelMax } = this.#settings
    for (const nodeId of [...this.#settings.members.map((m) => m.nodeId), ...this.#others]) {
      const join = { dataDirId, replacesDataDirId, capacityBytes, formation: this.#formation, levelMax }
      if (nodeId === this.#settings.self) this.onJoin(nodeId, join)
      else this.#out.send(nodeId, { kind: 'join', ...join })
    }
  }

  /** Adds a peer to those that are asked to let this node in. */
  joinThrough(peer: NodeId): void {
    if (peer !== this.#settings.self && !this.#settings.members.some((m) => m.nodeId === peer)) this.#others.add(peer)
  }

  /** `memberships`: those that govern open slots, as far as this node knows; empty before it has joined. */
  onJoin(from: NodeId, join: Omit<Join, 'kind'>, memberships: readonly MembershipRecord[] = [], settledEpoch = 0): void {
    if (this.#genesis !== undefined) return this.welcome(from, memberships, settledEpoch)
    const { joins, replacesDataDirId } = this.#settings
    const isAlike = this.#compare(from, join.formation)
    if (
      joins ||
      replacesDataDirId !== '' ||
      // A replaced directory means that there was a cluster: losing its data is no reason to found another.
      join.replacesDataDirId !== '' ||
      this.#settings.self !== this.#seed ||
      !this.#settings.members.some((m) => m.nodeId === from)
    )
      return
    if (!isAlike) {
      // It will be restarted with other options, and join again.
      this.#joined.delete(from)
      return
    }
    this.#joined.set(from, join)
    if (this.#joined.size === this.#settings.members.length) this.#found()
  }

  /** Tells another node the genesis and the memberships; does nothing before there is a genesis. */
  welcome(to: NodeId, memberships: readonly MembershipRecord[], settledEpoch: number): void {
    if (this.#genesis === undefined) return
    const records = memberships.length > 0 ? memberships : [genesisRecord(this.#genesis)]
    this.#out.sendOnceDurable(to, { kind: 'welcome', genesis: this.#genesis, memberships: records, settledEpoch })
  }

  /** Takes a peer's welcome; true when this node has just become a member. */
  onWelcome(from: NodeId, { genesis, memberships }: Pick<Welcome, 'genesis' | 'memberships'>): boolean {
    if (this.#genesis !== undefined || !this.#isLetIn(from, genesis, memberships)) return false
    this.#genesis = genesis
    this.#out.persist({ kind: 'genesis', genesis })
    return true
  }

  #compare(from: NodeId, theirs: Formation | undefined): boolean {
    const what = theirs && this.#formation && differenceOf(this.#formation, theirs)
    if (what === undefined) this.#differences.delete(from)
    else this.#differences.set(from, { what, atMs: this.#nowMs })
    return what === undefined
  }

  /** Makes the genesis. Others, and this node itself, are told only when it is durable. */
  #found(): void {
    const capacities = Array.from(this.#joined.values(), ({ capacityBytes }) => capacityBytes).filter((bytes) => bytes > 0)
    const genesis: Genesis = Object.freeze({
      clusterId: this.#settings.newClusterId,
      members: this.#settings.members
        .map((m) => ({ ...m, dataDirId: this.#joined.get(m.nodeId)?.dataDirId ?? '' }))
        .toSorted((a, b) => a.nodeId - b.nodeId),
      initialCommands: this.#settings.initialCommands,
      windowSlots: this.#settings.windowSlots,
      quotaBytes: capacities.length === 0 ? 0 : Math.min(...capacities),
      level: Math.min(...Array.from(this.#joined.values(), ({ levelMax }) => levelMax)),
      levelVersion: this.#settings.version,
    })
    this.#genesis = genesis
    this.#out.persist({ kind: 'genesis', genesis })
    const memberships = [genesisRecord(genesis)]
    const welcome = { kind: 'welcome', genesis, memberships, settledEpoch: 0 } as const
    for (const { nodeId } of genesis.members) this.#out.sendOnceDurable(nodeId, welcome)
  }

  #isLetIn(from: NodeId, genesis: Genesis, memberships: readonly MembershipRecord[]): boolean {
    const { self, dataDirId, replacesDataDirId, joins } = this.#settings
    const latest = memberships.at(-1) ?? genesisRecord(genesis)
    const own = latest.members.find((m) => m.nodeId === self)
    if (own?.dataDirId === dataDirId) return true
    if (own === undefined) {
      const wasGiven = self <= latest.lastNodeId
      // This node was added and the peer has not learned so yet, or it will be added.
      if (joins && !wasGiven) return false
      const message = `node ${self} is not a member of cluster ${genesis.clusterId}`
      if (wasGiven) {
        const why = 'it was removed, and its number is never given again'
        this.#out.halt({ code: 'REMOVED', message: `${message}: ${why}: add a node with one above ${latest.lastNodeId}` })
      } else {
        const remedy = { code: 'ADD_MEMBER', nodeId: self } as const
        this.#out.halt({ code: 'NOT_A_MEMBER', message: `${message}: add it first, and start it as a node that joins`, remedy })
      }
      return false
    }
    const isExpected = own.dataDirId === '' || (replacesDataDirId !== '' && own.dataDirId === replacesDataDirId)
    if (isExpected) this.#strangeTo.delete(from)
    else this.#strangeTo.add(from)
    // A single peer may lag and name a directory that was replaced long before: only a majority is believed.
    if (this.#strangeTo.size >= (replacesDataDirId === '' ? 1 : new Membership(latest).quorum))
      this.#out.halt(this.#mismatch(genesis.clusterId, own.dataDirId, latest))
    return false
  }

  #mismatch(clusterId: string, expected: string, { lastNodeId }: MembershipRecord): Halt {
    const { self, dataDirId } = this.#settings
    const successorId = lastNodeId + 1
    const message =
      `node ${self} of cluster ${clusterId} votes from data directory ${expected}, but this one is ${dataDirId}: the directory was ` +
      'lost or swapped, and voting from another could undo what was acknowledged. Put the original directory back; or, if it is ' +
      `lost, let a new member, node ${successorId}, take its place, and start that one in an empty directory as a node that joins`
    return { code: 'DATA_DIR_MISMATCH', message, remedy: { code: 'REPLACE_MEMBER', nodeId: self, successorId } }
  }
}

function formationOf({
  joins,
  replacesDataDirId,
  members,
  initialCommands,
  initialDigest,
}: BootstrapSettings): Formation | undefined {
  if (joins || replacesDataDirId !== '') return undefined
  const listed = members.map(({ nodeId, peerAddress, clientAddress }) => ({ nodeId, peerAddress, clientAddress }))
  return {
    members: listed.toSorted((a, b) => a.nodeId - b.nodeId),
    initialCommandCount: initialCommands.length,
    initialDigest,
  }
}

/** The first difference in start options, worded to follow the other node's name; undefined when there is none. */
function differenceOf(ours: Formation, theirs: Formation): string | undefined {
  if (idsOf(ours) !== idsOf(theirs)) return `was started with the members ${idsOf(theirs)}, this node with ${idsOf(ours)}`
  for (const [i, { nodeId, peerAddress, clientAddress }] of ours.members.entries()) {
    const other = theirs.members[i]
    if (other?.peerAddress === peerAddress && other.clientAddress === clientAddress) continue
    const [there, here] = [`${other?.peerAddress}/${other?.clientAddress}`, `${peerAddress}/${clientAddress}`]
    return `was started with member ${nodeId} at ${there}, this node with ${here}`
  }
  if (ours.initialDigest === theirs.initialDigest) return undefined
  return (
    `was started with other authorities or other initial commands: ${countOf(theirs)} there, ${countOf(ours)} here` +
    (theirs.initialCommandCount === ours.initialCommandCount ? ', which differ' : '')
  )
}

function idsOf({ members }: Formation): string {
  return members.map(({ nodeId }) => nodeId).join(', ')
}

function countOf({ initialCommandCount }: Formation): string {
  return initialCommandCount === 0 ? 'none' : String(initialCommandCount)
}
