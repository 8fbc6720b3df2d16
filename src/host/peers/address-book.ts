import type { Announcement, NodeId } from '../../paxos/types.js'
import { ANNOUNCEMENTS_MAX } from '../../protocol/roster.js'

/** A node's addresses from another source than the node itself. */
interface ListedAddresses {
  readonly nodeId: NodeId
  readonly peerAddress: string
  readonly clientAddress: string
}

interface Settings {
  readonly self: NodeId
  readonly dataDirId: string
  /** The addresses that this node was started with: others', and its own, which it announces. */
  readonly given: readonly ListedAddresses[]
  /** Announcements that it had heard before it was started. */
  readonly remembered: readonly Announcement[]
}

/** The effect of an announcement. */
type News = 'none' | 'new' | 'moved'

/**
 * Where each node is reached. A node announces its own addresses with a version that ascends whenever they change; others keep the newest
 * announcement of each and pass it on. Nothing depends on it but where a node is looked for: who answers there proves its identity by its
 * data directory, so an announcement that is old, or wrong, costs time and no more.
 */
export class AddressBook {
  readonly #self: NodeId
  readonly #given: ReadonlyMap<NodeId, ListedAddresses>
  readonly #announcements = new Map<NodeId, Announcement>()
  /**
   * Where nodes have said themselves that they are since this one was started: that beats all else, also a higher version that somebody
   * passes on. A node that forgot its last version before it was on disk is reached so, and raises it (see #refute).
   */
  readonly #live = new Map<NodeId, string>()

  /** `given` must name this node. */
  constructor({ self, dataDirId, given, remembered }: Settings) {
    this.#self = self
    this.#given = new Map(given.map((listed) => [listed.nodeId, listed]))
    for (const announcement of remembered) this.#announcements.set(announcement.nodeId, announcement)
    const before = this.#announcements.get(self)
    const { peerAddress, clientAddress } = this.#given.get(self) ?? { peerAddress: '', clientAddress: '' }
    const version = before?.dataDirId === dataDirId ? before.version : 0
    const isSame = version > 0 && before?.peerAddress === peerAddress && before.clientAddress === clientAddress
    if (!isSame) this.#announcements.set(self, { nodeId: self, dataDirId, peerAddress, clientAddress, version: version + 1 })
  }

  /** The newest of each node, this one's own first. */
  get announcements(): readonly Announcement[] {
    const own = this.#announcements.get(this.#self)
    return [...(own ? [own] : []), ...[...this.#announcements.values()].filter((one) => one !== own)]
  }

  /** Returns that node's newest announcement; undefined when there is none. */
  announcementOf(nodeId: NodeId): Announcement | undefined {
    return this.#announcements.get(nodeId)
  }

  /**
   * `from` has told this. `isIts`: whether that is the data directory of its node, as far as the memberships say. 'moved' when a node that
   * was elsewhere before has said so itself.
   */
  take(told: Announcement, from: NodeId, isIts: (nodeId: NodeId, dataDirId: string) => boolean): News {
    const { nodeId, dataDirId } = told
    if (nodeId === this.#self) return this.#refute(told)
    const known = this.#announcements.get(nodeId)
    const isNewer = known?.dataDirId === dataDirId ? told.version > known.version : from === nodeId || isIts(nodeId, dataDirId)
    const isTaken = known === undefined ? this.#announcements.size < ANNOUNCEMENTS_MAX : isNewer
    const where = this.#live.get(nodeId) ?? known?.peerAddress
    const hasMoved = from === nodeId && where !== undefined && where !== told.peerAddress
    if (from === nodeId && (known !== undefined || isTaken)) this.#live.set(nodeId, told.peerAddress)
    if (isTaken) this.#announcements.set(nodeId, told)
    if (hasMoved) return 'moved'
    return isTaken ? 'new' : 'none'
  }

  /** Forgets nodes that will not be back. True when there was one. */
  forget(isGone: (nodeId: NodeId) => boolean): boolean {
    const gone = [...this.#announcements.keys()].filter((nodeId) => nodeId !== this.#self && isGone(nodeId))
    for (const nodeId of gone) {
      this.#announcements.delete(nodeId)
      this.#live.delete(nodeId)
    }
    return gone.length > 0
  }

  /** Nodes of which an address is known without the memberships: given at the start, or announced. */
  get nodeIds(): readonly NodeId[] {
    return [...new Set([...this.#given.keys(), ...this.#announcements.keys()])]
  }

  /** Returns the addresses at which the node may be, the likeliest first; `listed`: those in the memberships. */
  addressesOf(nodeId: NodeId, listed: readonly string[]): readonly string[] {
    const announced = this.#announcements.get(nodeId)?.peerAddress
    const given = this.#given.get(nodeId)?.peerAddress
    const addresses = [this.#live.get(nodeId), given, announced, ...listed].filter(
      (address): address is string => address !== undefined && address !== '',
    )
    return [...new Set(addresses)]
  }

  /** Raises the version of this node's own announcement when others keep a newer or different one: they remember what this node has forgotten. */
  #refute(told: Announcement): News {
    const own = this.#announcements.get(this.#self)
    if (own === undefined || told.dataDirId !== own.dataDirId || told.version < own.version) return 'none'
    const isSame = told.peerAddress === own.peerAddress && told.clientAddress === own.clientAddress
    if (isSame && told.version === own.version) return 'none'
    this.#announcements.set(this.#self, { ...own, version: told.version + (isSame ? 0 : 1) })
    return 'new'
  }
}
