import { Bootstrap } from '../bootstrap.js'
import { genesisRecord } from '../memberships.js'
import type { Join, Welcome } from '../messages.js'
import type { Genesis, MembershipRecord, NodeId } from '../types.js'
import type { Elections } from './elections.js'
import { NO_REQUESTER, type Requests } from './requests.js'
import type { NodeSettings, Roles } from './roles.js'

/** Lets this node join its cluster; after that, lets others join through it. */
export class Joining {
  readonly #roles: Roles
  readonly #elections: Elections
  readonly #requests: Requests
  readonly #bootstrap: Bootstrap
  readonly #onJoined: () => void

  constructor(settings: NodeSettings, roles: Roles, elections: Elections, requests: Requests, onJoined: () => void) {
    const { windowSlots } = settings.options
    this.#roles = roles
    this.#elections = elections
    this.#requests = requests
    this.#bootstrap = new Bootstrap({ ...settings, windowSlots }, roles.out, settings.recovered.genesis)
    this.#onJoined = onJoined
  }

  /** Continues as a member after a restart, if this node was one. */
  resume(memberships: readonly MembershipRecord[]): void {
    const { genesis } = this.#bootstrap
    if (genesis !== undefined) this.#start(genesis, memberships)
  }

  get genesis(): Genesis | undefined {
    return this.#elections.hasJoined ? this.#bootstrap.genesis : undefined
  }

  /** See Bootstrap.differences. */
  get differences(): ReadonlyMap<NodeId, string> {
    return this.#bootstrap.differences
  }

  tick(nowMs: number): void {
    this.#bootstrap.tick(nowMs)
  }

  /** See Node.joinThrough. */
  joinThrough(peer: NodeId): void {
    this.#bootstrap.joinThrough(peer)
  }

  onJoin(from: NodeId, m: Join): void {
    const { memberships, settled } = this.#roles
    this.#bootstrap.onJoin(from, m, memberships.toRecords(), settled.epoch)
    const member = this.#elections.hasJoined ? memberships.latest.member(from) : undefined
    if (member === undefined || member.dataDirId === m.dataDirId) return
    const { dataDirId } = m
    // The joining node may not know the leader: this one requests the change for it.
    if (member.dataDirId === '') {
      this.#requests.changeMembership(NO_REQUESTER, { kind: 'bind', nodeId: from, dataDirId })
    } else if (member.dataDirId === m.replacesDataDirId) {
      const change = { kind: 'reset', nodeId: from, dataDirId: m.replacesDataDirId, newDataDirId: dataDirId } as const
      this.#requests.changeMembership(NO_REQUESTER, change)
    }
  }

  onWelcome(from: NodeId, m: Welcome): void {
    const { told, removal } = this.#roles
    if (this.#elections.hasJoined) {
      if (m.genesis.clusterId === this.#bootstrap.genesis?.clusterId) removal.onWelcome(m)
      return
    }
    // The seed's own welcome comes through onDurable, when it already has its genesis.
    if (!this.#bootstrap.onWelcome(from, m) && this.#bootstrap.genesis?.clusterId !== m.genesis.clusterId) return
    told.onTold(m.memberships)
    this.#start(m.genesis, [genesisRecord(m.genesis)])
  }

  /** Tells a removed node that it was removed: it may not know. */
  tellRemoved(nodeId: NodeId): void {
    const { memberships, settled } = this.#roles
    if (settled.isCurrent) this.#bootstrap.welcome(nodeId, memberships.toRecords(), settled.epoch)
  }

  #start(genesis: Genesis, records: readonly MembershipRecord[]): void {
    this.#roles.memberships.begin(records, genesis.windowSlots)
    this.#elections.start()
    this.#onJoined()
  }
}
