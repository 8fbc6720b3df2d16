import type { Logger } from 'pino'
import type { Node } from '../../paxos/node.js'
import type { NodeId } from '../../paxos/types.js'
import type { Alarms } from '../alarms.js'
import type { PeerFinder } from '../peers/peer-finder.js'
import type { PeerPort } from '../peers/peer-port.js'
import type { PeerTalk } from '../peers/peer-talk.js'
import type { HostedMemberOptions } from '../start/member-parts.js'
import type { Watch } from './watches.js'

interface Settings {
  readonly options: Pick<HostedMemberOptions, 'nodeId' | 'members'>
  readonly joins: boolean
  readonly core: Pick<Node, 'genesis' | 'leaderId' | 'formingDifferences' | 'knownMemberships'>
  readonly talk: Pick<PeerTalk, 'isOpen' | 'silentKeepers'>
  readonly finder: Pick<PeerFinder, 'addressesOf' | 'gateKeepers' | 'peerIds'>
  readonly port: Pick<PeerPort, 'links'>
  readonly alarms: Alarms
  readonly logger: Logger
}

/** Waiting is nothing to tell of before it has taken so long. */
const GRACE_MS = 3_000
const LOG_INTERVAL_MS = 30_000

/** Tells, in the log and as an alarm, for whom this node waits, where it looks for them, and what comes of that. */
export class Waiting implements Watch {
  readonly #s: Settings
  #sinceMs: number | undefined
  #nextLogMs = 0

  constructor(settings: Settings) {
    this.#s = settings
  }

  tick(nowMs: number): void {
    this.#checkDifferences()
    const what = this.#what()
    if (what === undefined) {
      this.#sinceMs = undefined
      this.#s.alarms.clear('WAITING')
      return
    }
    this.#sinceMs ??= nowMs
    const waitedMs = nowMs - this.#sinceMs
    if (waitedMs < GRACE_MS) {
      this.#nextLogMs = nowMs + LOG_INTERVAL_MS
      return
    }
    this.#s.alarms.raise('WAITING', what)
    if (nowMs < this.#nextLogMs) return
    this.#nextLogMs = nowMs + LOG_INTERVAL_MS
    this.#s.logger.warn({ waitedMs: Math.round(waitedMs) }, what)
  }

  #checkDifferences(): void {
    const { core, alarms } = this.#s
    const differences = [...core.formingDifferences].toSorted(([a], [b]) => a - b)
    if (differences.length === 0) return alarms.clear('CONFIG_MISMATCH')
    const told = differences.map(([nodeId, what]) => `node ${nodeId} ${what}`)
    alarms.raise(
      'CONFIG_MISMATCH',
      `no cluster is formed, as its members were not all started with the same: ${told.join('; ')}. Start each with the same members, at ` +
        'the same addresses, and the same authorities',
    )
  }

  /** Undefined when it waits for nobody. */
  #what(): string | undefined {
    const { core, joins, talk } = this.#s
    if (core.genesis === undefined) return joins ? this.#letIn() : this.#forming()
    if (!talk.isOpen) return this.#gate()
    return core.leaderId === 0 ? this.#leaderless() : undefined
  }

  #forming(): string {
    const { options } = this.#s
    const missing = this.#unconnected(options.members.map((m) => m.nodeId))
    const seed = Math.min(...options.members.map((m) => m.nodeId))
    if (missing.length > 0)
      return `a new cluster is formed once all of its initial members are up; waits for ${this.#describe(missing)}`
    return seed === options.nodeId
      ? 'all initial members are up; waits for each to say what it was started with'
      : `all initial members are up; waits for node ${seed} to form the cluster`
  }

  #letIn(): string {
    const { finder } = this.#s
    return `waits to be let into the cluster by one of its members: ${this.#describe(finder.peerIds)}`
  }

  #gate(): string {
    const { talk, finder, options } = this.#s
    const voters = [...new Set(finder.gateKeepers.voters.flat())].filter((nodeId) => nodeId !== options.nodeId)
    return (
      `waits for a majority of the voters, with nodes ${voters.join(', ')}, to say that this data directory is the newest; nothing was ` +
      `heard of ${this.#describe(talk.silentKeepers)}`
    )
  }

  #leaderless(): string {
    const { core, options } = this.#s
    const members = core.knownMemberships.flatMap((m) => m.members)
    const voters = [...new Set(members.filter((m) => m.votesFrom > 0).map((m) => m.nodeId))]
    const missing = this.#unconnected(voters)
    const others = missing.length === 0 ? 'all others are connected' : `not connected to ${this.#describe(missing)}`
    return `hears no leader of the voters ${voters.join(', ')}${voters.length === 1 && voters[0] === options.nodeId ? '' : `; ${others}`}`
  }

  #unconnected(nodeIds: readonly NodeId[]): NodeId[] {
    const connected = new Set(this.#s.port.links().flatMap((link) => (link.connected ? [link.nodeId] : [])))
    return nodeIds.filter((nodeId) => nodeId !== this.#s.options.nodeId && !connected.has(nodeId))
  }

  /** `node 2 at a:1 or b:1 (nothing listens there), node 3 at c:1 (connected)` */
  #describe(nodeIds: readonly NodeId[]): string {
    const links = this.#s.port.links()
    const told = nodeIds.map((nodeId) => {
      const link = links.find((one) => one.nodeId === nodeId)
      const why = link?.connected === true ? 'connected' : (link?.trouble ?? '')
      const addresses = this.#s.finder.addressesOf(nodeId)
      const where = addresses.length === 0 ? 'at an address that is not known' : `at ${addresses.join(' or ')}`
      return `node ${nodeId} ${where}${why === '' ? '' : ` (${why})`}`
    })
    return told.length === 0 ? 'nobody' : told.join(', ')
  }
}
