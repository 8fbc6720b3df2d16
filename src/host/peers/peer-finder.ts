import type { Message, Roster } from '../../paxos/messages.js'
import type { Node } from '../../paxos/node.js'
import type { Announcement, MembershipRecord, NodeId } from '../../paxos/types.js'
import type { Storage } from '../../storage/storage.js'
import type { BinaryVersion } from '../membership/binary-version.js'
import type { HostedMemberOptions } from '../start/member-parts.js'
import type { GateKeepers } from '../start/start-gate.js'
import { AddressBook } from './address-book.js'
import type { PeerPort, PeerRoute } from './peer-port.js'
import { RosterExchange } from './roster-exchange.js'

interface Settings {
  readonly options: Pick<HostedMemberOptions, 'nodeId' | 'members' | 'join'>
  readonly storage: Pick<Storage, 'dataDirId' | 'replacesDataDirId' | 'announcements' | 'noteAnnouncements'>
  readonly core: Pick<
    Node,
    'genesis' | 'memberships' | 'knownMemberships' | 'toldMemberships' | 'onMembershipsTold' | 'learnFirst' | 'joinThrough'
  >
  readonly port: Pick<PeerPort, 'setPeers' | 'redial'>
  readonly send: (to: NodeId, message: Message) => void
  /** The version and levels of this node's binary. */
  readonly binary: BinaryVersion
  /** A newer membership than the one that was known has been told. */
  readonly onMembershipsTold: () => void
}

/**
 * Finds a node's peers, wherever they are by now and however long it was away: it dials everybody that it was started with, everybody
 * whom a membership names and whoever has announced itself, tells each what it knows and takes in what they know.
 *
 * The keepers of the start gate (start-gate.ts) follow from it. That is safe, whatever is told and however old it is:
 * - Only memberships that the log has decided are told, with the promise that every slot below the first one's fromSlot is decided. The
 *   teller is of this cluster by its id. An older one than is known changes nothing, as epochs ascend.
 * - Told of memberships that it has not learned, a node waits for a majority of each of these instead of those that it has learned, and
 *   from then on votes in no slot below the first one's fromSlot, but learns them (Node.learnFirst). So in each slot in which it votes
 *   the gate was opened by a majority of a membership that is, or was, in force from that slot on; and what it may have forgotten of the
 *   slots below cannot matter any more, as they are decided.
 * - A directory that was lost or replaced by an older copy is named by its id in the memberships: a newer one names it, or another, or
 *   none, and then the node is refused by a majority of its voters (DATA_DIR_MISMATCH, REMOVED) as before.
 */
export class PeerFinder {
  readonly #s: Settings
  readonly #book: AddressBook
  readonly #exchange: RosterExchange
  readonly #isNew: boolean
  readonly #wasMember: boolean
  /** Nodes that have said something of themselves since the start. */
  readonly #heard = new Set<NodeId>()
  #routes: readonly PeerRoute[] = []

  constructor(settings: Settings) {
    this.#s = settings
    const { options, storage, core, send } = settings
    const { nodeId: self, members: given, join = false } = options
    this.#book = new AddressBook({ self, dataDirId: storage.dataDirId, given, remembered: storage.announcements })
    if (this.#book.announcementOf(self) !== storage.announcements.find(({ nodeId }) => nodeId === self)) this.#remember()
    this.#wasMember = core.knownMemberships.some((m) => m.members.some(({ nodeId }) => nodeId === self))
    this.#isNew = join || storage.replacesDataDirId !== '' || core.knownMemberships.length > 0
    this.#exchange = new RosterExchange({
      peers: () => this.peerIds,
      roster: () => this.#roster,
      send,
    })
  }

  /** The voters of the open slots, as far as this node knows. A node that knows no membership with itself takes everybody it knows. */
  get gateKeepers(): GateKeepers {
    const { options, core } = this.#s
    const self = options.nodeId
    const known = this.#newest
    if (this.#wasMember || this.#isNamedIn(known)) return { voters: known.map(votersOf), needed: 'majority' }
    const others = [
      ...new Set([...options.members.map((m) => m.nodeId), ...core.knownMemberships.flatMap(votersOf), ...this.#heard]),
    ]
    const voters = others.filter((nodeId) => nodeId !== self)
    return this.#isNew
      ? { voters: [voters], needed: 'one' }
      : { voters: [options.members.map((m) => m.nodeId)], needed: 'majority' }
  }

  /** The gate keepers have had their say. */
  onGateOpened(): void {
    const [first] = this.#newest
    if (first !== undefined) this.#s.core.learnFirst(first.fromSlot - 1)
  }

  /** Dials whoever there is to dial by now. */
  refresh(): void {
    if (this.#book.forget((nodeId) => this.#isGone(nodeId))) this.#remember()
    this.#routes = this.#findRoutes()
    this.#s.port.setPeers(this.#routes)
  }

  /** Takes a peer's roster, which may have come with a refusal. */
  onRoster(from: NodeId, roster: Roster): void {
    const { core, port } = this.#s
    const { genesis } = core
    if (genesis !== undefined && roster.clusterId !== '' && roster.clusterId !== genesis.clusterId) return
    this.#heard.add(from)
    if (genesis === undefined) core.joinThrough(from)
    const isIts = (nodeId: NodeId, dataDirId: string): boolean =>
      this.#newest.some((m) => m.members.some((one) => one.nodeId === nodeId && one.dataDirId === dataDirId))
    const epoch = this.#newest.at(-1)?.epoch ?? 0
    if (roster.clusterId === genesis?.clusterId || this.#isNamedIn(roster.memberships)) core.onMembershipsTold(roster.memberships)
    const news = roster.announcements.map((told) => this.#book.take(told, from, isIts))
    const isMembershipNew = (this.#newest.at(-1)?.epoch ?? 0) > epoch
    if (news.some((one) => one !== 'none')) this.#remember()
    if (isMembershipNew) this.#s.onMembershipsTold()
    if (isMembershipNew || news.some((one) => one !== 'none')) {
      this.refresh()
      this.#exchange.onNews()
    }
    if (news.includes('moved')) port.redial(from)
    this.#exchange.onRoster(from, roster)
  }

  /** The addresses that nodes announce, this one's among them. */
  get announcements(): readonly Announcement[] {
    return this.#book.announcements
  }

  /** Where that node is looked for. */
  addressesOf(nodeId: NodeId): readonly string[] {
    return this.#routes.find((route) => route.nodeId === nodeId)?.addresses ?? []
  }

  /** The peers that this node dials. */
  get peerIds(): readonly NodeId[] {
    return this.#routes.map(({ nodeId }) => nodeId)
  }

  /** Asks a peer what it knows, and which binary it runs. */
  ask(peer: NodeId): void {
    this.#s.send(peer, { kind: 'roster', ...this.#roster, asks: true })
  }

  /** Makes a roster for a node that this one does not talk to. */
  tell(): Roster {
    return { kind: 'roster', ...this.#roster, asks: false }
  }

  onConnected(peer: NodeId): void {
    this.#exchange.onConnected(peer)
  }

  tick(nowMs: number): void {
    this.#exchange.tick(nowMs)
  }

  /** The newest memberships that this node has learned or was told of. */
  get #newest(): readonly MembershipRecord[] {
    const { core } = this.#s
    return core.genesis === undefined ? core.toldMemberships : core.knownMemberships
  }

  get #roster(): Omit<Roster, 'kind' | 'asks'> {
    const { core } = this.#s
    return {
      clusterId: core.genesis?.clusterId ?? '',
      memberships: core.knownMemberships.map(recordOf),
      announcements: this.#book.announcements,
      ...this.#s.binary,
    }
  }

  #isNamedIn(memberships: readonly MembershipRecord[]): boolean {
    const { options, storage } = this.#s
    return memberships.some((m) =>
      m.members.some(({ nodeId, dataDirId }) => nodeId === options.nodeId && dataDirId === storage.dataDirId),
    )
  }

  #remember(): void {
    this.#s.storage.noteAnnouncements(this.#book.announcements)
  }

  /** Every membership that matters to somebody, as far as this node knows. */
  get #all(): readonly MembershipRecord[] {
    return [...(this.#s.core.memberships?.governing ?? []), ...this.#newest]
  }

  /** It was a member, and never will be again. */
  #isGone(nodeId: NodeId): boolean {
    const { lastNodeId = 0 } = this.#newest.at(-1) ?? {}
    return nodeId <= lastNodeId && !this.#all.some((m) => m.members.some((one) => one.nodeId === nodeId))
  }

  #findRoutes(): PeerRoute[] {
    const members = this.#all.toReversed().flatMap((m) => m.members)
    const nodeIds = new Set([...members.map((m) => m.nodeId), ...this.#book.nodeIds])
    const routes: PeerRoute[] = []
    for (const nodeId of nodeIds) {
      if (nodeId === this.#s.options.nodeId || this.#isGone(nodeId)) continue
      const listed = members.filter((m) => m.nodeId === nodeId).map((m) => m.peerAddress)
      const addresses = this.#book.addressesOf(nodeId, listed)
      if (addresses.length > 0) routes.push({ nodeId, addresses })
    }
    return routes
  }
}

function votersOf({ members }: MembershipRecord): NodeId[] {
  return members.filter((m) => m.votesFrom > 0).map((m) => m.nodeId)
}

/** Plain, without what the core keeps beside it. */
export function recordOf({ epoch, fromSlot, members, lastNodeId }: MembershipRecord): MembershipRecord {
  return { epoch, fromSlot, members, lastNodeId }
}
