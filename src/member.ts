import {
  HostedMember,
  type HostedMemberOptions,
  type MemberParts,
  type PeerPort,
  type PeerPortHandlers,
  restoreMachine,
} from './host/hosted-member.js'
import { REAL_RUNTIME } from './host/runtime.js'
import type { Genesis, NodeId } from './paxos/types.js'
import { LevelStorage } from './storage/level-storage.js'
import { StorageError, type StorageErrorCode } from './storage/storage-error.js'
import { type PeerRefusal, PeerTransport } from './transport/peer-transport.js'

export { type Answer, MemberError, type MemberErrorCode, type MemberStatus } from './host/api.js'
export { HaltError } from './host/host.js'
export type { HistoryReader, Moment, Restoration, StateEntry, StateMachine } from './machine/state-machine.js'
export { PeerListenError } from './transport/peer-transport.js'
export { StorageError, type StorageErrorCode }

export interface MemberOptions extends HostedMemberOptions {
  /** Where everything durable is kept; made when it is not there. One member each. */
  readonly directory: string
  /** host:port for the other members; port 0 takes a free one. */
  readonly listenAddress: string
}

/**
 * A member of a cluster, inside this process: one's own deterministic state machine, replicated (the application interface of
 * "Clustering by Consensus"). The bank-and-keys server is its first user.
 */
export class Member extends HostedMember {
  /**
   * Opens the data directory, restores the state machine and starts to talk to the other members. Does not wait for a leader.
   *
   * @throws StorageError when the directory cannot be used; PeerListenError when the address is taken; RangeError for other options
   */
  static async start(options: MemberOptions): Promise<Member> {
    const storage = await LevelStorage.open({ directory: options.directory, nodeId: options.nodeId })
    try {
      checkMembers(options, storage.recovered.genesis)
      const makePeerPort = (handlers: PeerPortHandlers) => peerPortOf(options, handlers)
      const parts: MemberParts = { storage, runtime: REAL_RUNTIME, makePeerPort }
      const member = new Member(options, parts, await restoreMachine(options, parts))
      await member.listen()
      return member
    } catch (error) {
      await storage.close()
      throw error
    }
  }
}

/** gRPC streams to the other members. */
function peerPortOf(options: MemberOptions, handlers: PeerPortHandlers): PeerPort {
  const { nodeId, listenAddress, members, logger } = options
  /** By peer: the last reason for not talking. Refusals come again at each try, several a second: each is told once. */
  const lastRefusal = new Map<NodeId, string>()
  const onRefused = (peerId: NodeId, refusal: PeerRefusal, by: 'us' | 'peer'): void => {
    const said = `${by}: ${refusal.message}`
    if (lastRefusal.get(peerId) === said) return
    lastRefusal.set(peerId, said)
    logger.error({ peerId, by, ...refusal }, 'a peer connection was refused')
  }
  const transport = new PeerTransport({
    ...handlers,
    nodeId,
    listenAddress,
    // A member whose directory was lost must hear so: it is welcomed, and stops by itself. Its votes come through admit.
    checkPeer: () => undefined,
    onConnected: (peerId) => logger.info({ peerId }, 'connected to a peer'),
    onRefused,
    logger,
  })
  return {
    start: async () => {
      await transport.start()
      transport.setPeers(members.map((m) => ({ nodeId: m.nodeId, address: m.peerAddress })))
    },
    send: (to, message) => transport.send(to, message),
    flush: () => transport.flush(),
    stop: () => transport.stop(),
  }
}

/** @throws RangeError that names what is wrong; StorageError FOREIGN when the directory is of a cluster with other members. */
function checkMembers({ nodeId, members, directory }: MemberOptions, genesis: Genesis | undefined): void {
  const listed = members.map((m) => m.nodeId).toSorted((a, b) => a - b)
  if (new Set(listed).size < listed.length) throw new RangeError('members: a node id is listed twice')
  if (!listed.includes(nodeId)) throw new RangeError(`members: node ${nodeId}, this one, is not among them`)
  const kept = genesis?.members.map((m) => m.nodeId) ?? listed
  if (kept.join() === listed.join()) return
  throw new StorageError(
    'FOREIGN',
    `data directory ${directory} is of cluster ${genesis?.clusterId} with the nodes ${kept.join(', ')}, ` +
      `not of one with ${listed.join(', ')}: name its members, or another directory`,
  )
}
