import type { Node } from '../../paxos/node.js'
import type { NodeId } from '../../paxos/types.js'
import type { PeerRefusal } from '../admission.js'
import { HaltError } from '../halt-error.js'
import type { Host } from '../host.js'
import type { HostedMemberOptions } from '../start/member-parts.js'
import type { PeerFinder } from './peer-finder.js'
import type { PeerTalk } from './peer-talk.js'

interface Settings {
  readonly options: Pick<HostedMemberOptions, 'nodeId' | 'members' | 'logger'>
  readonly node: Pick<Node, 'onRefusedAsRemoved'>
  readonly finder: Pick<PeerFinder, 'onRoster'>
  readonly talk: Pick<PeerTalk, 'isOpen' | 'onRefusedForDirectory'>
  readonly host: Pick<Host, 'fail'>
}

/** Decides what this node does when peers refuse it. */
export class PeerRefusals {
  readonly #s: Settings
  /** Peers whose cluster is another. */
  readonly #foreignTo = new Set<NodeId>()

  constructor(settings: Settings) {
    this.#s = settings
  }

  onConnected(peer: NodeId): void {
    this.#foreignTo.delete(peer)
  }

  onRefused(by: NodeId, { reason, message, roster, toldBy = by }: PeerRefusal, address: string): void {
    const { options, node, finder, talk, host } = this.#s
    if (reason === 'WRONG_CLUSTER') return this.#onForeign(by, message, address)
    if (roster !== undefined) finder.onRoster(toldBy, roster)
    if (reason === 'DATA_DIR_MISMATCH') return talk.onRefusedForDirectory(by, message)
    if (reason !== 'REMOVED') return
    options.logger.warn({ by }, message)
    // While the gate is closed the core must hear nothing.
    if (talk.isOpen) node.onRefusedAsRemoved()
    else host.fail(new HaltError('REMOVED', message))
  }

  /** One peer may be at a wrong address. When most of the peers that this node was started with report another cluster, the node stops. */
  #onForeign(by: NodeId, message: string, address: string): void {
    const { options, host } = this.#s
    const others = options.members.filter((m) => m.nodeId !== options.nodeId)
    if (!others.some((m) => m.nodeId === by && m.peerAddress === address)) return
    this.#foreignTo.add(by)
    if (others.filter((m) => this.#foreignTo.has(m.nodeId)).length <= others.length / 2) return
    const remedy = 'Start it with the members of its own cluster, or in a data directory of theirs.'
    host.fail(new HaltError('WRONG_CLUSTER', `${message}. ${remedy}`))
  }
}
