import { join } from 'node:path'
import { getHeapStatistics } from 'node:v8'
import type { CheckpointOptions } from './host/boundaries.js'
import { checkPositive, checkWhole } from './host/bounds.js'
import { capacityOf } from './host/capacity.js'
import {
  HostedMember,
  type HostedMemberOptions,
  type MemberParts,
  type PeerPort,
  type PeerPortHandlers,
  type Restored,
  restoreMachine,
} from './host/hosted-member.js'
import { REAL_RUNTIME } from './host/runtime.js'
import { safeLogger } from './host/safe-logger.js'
import { NODE_ID_MAX } from './paxos/ballot.js'
import { addressClash, tooHighForNewCluster } from './paxos/membership-changes.js'
import type { NodeId } from './paxos/types.js'
import { INSECURE, type Security } from './security/security.js'
import { hasIdentity } from './storage/directory/data-directory.js'
import { descriptorShares } from './storage/directory/descriptors.js'
import { setAsideDamaged } from './storage/directory/set-aside.js'
import { LevelStorage } from './storage/level-storage.js'
import type { LogWindow } from './storage/storage.js'
import { StorageError, type StorageErrorCode } from './storage/storage-error.js'
import { type PeerRefusal, PeerTransport } from './transport/peer-transport.js'

export { type Answer, type BackupPart, MemberError, type MemberErrorCode, type MemberStatus } from './host/api.js'
export { HaltError } from './host/host.js'
export type { HistoryReader, Moment, Restoration, StateEntry, StateMachine } from './replication/state-machine.js'
export { type Deadline, Deadlines } from './tables/deadlines.js'
export { PeerListenError } from './transport/peer-transport.js'
export { StorageError, type StorageErrorCode }

export interface MemberOptions extends HostedMemberOptions {
  /** Where everything durable is kept; made when it is not there. One member each. */
  readonly directory: string
  /** host:port for the other members; port 0 takes a free one. */
  readonly listenAddress: string
  /**
   * Whether a damaged data directory is set aside, and the member begins anew from the others: as a learner, until it holds all that it
   * may have acknowledged. Without it, damage is an error. Default: true. A member without others is never repaired.
   */
  readonly repairs?: boolean
  /** How far checkpoints are apart, the same on every member. Default: 4,096 slots or 65,536 commands. */
  readonly checkpoints?: CheckpointOptions
  /** How much of the log is kept behind the checkpoint, for members that lag a little. Default: 16,384 slots, at most 64 MiB. */
  readonly logWindow?: LogWindow
  /**
   * Checkpoints never go to other members faster, all together, in bytes per second, above 0. Below that they go as fast as the others take
   * them and this member bears it. Default: 64 MiB.
   */
  readonly transferBytesPerSecondMax?: number
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
  static async start(given: MemberOptions, security: Security = INSECURE): Promise<Member> {
    const capacityBytes = given.capacityBytes ?? capacityOf(getHeapStatistics().heap_size_limit)
    const options: MemberOptions = { ...given, capacityBytes, logger: safeLogger(given.logger) }
    checkNumbers(options)
    checkMembers(options)
    const { parts, restored } = await openOrRepair(options, security)
    try {
      const member = new Member(options, parts, restored)
      await member.listen()
      return member
    } catch (error) {
      await parts.storage.close()
      throw error
    }
  }
}

const REFUSALS_REMEMBERED_MAX = 1_000

/** gRPC streams to the other members. */
function peerPortOf(options: MemberOptions, security: Security, handlers: PeerPortHandlers): PeerPort {
  const { nodeId, listenAddress, logger, transferBytesPerSecondMax } = options
  /** By peer and address: the last reason for not talking. Refusals come again at each try, several a second: each is told once. */
  const lastRefusals = new Map<string, string>()
  const onRefused = (peerId: NodeId, refusal: PeerRefusal, by: 'us' | 'peer', address: string): void => {
    if (by === 'peer') handlers.onRefused(peerId, refusal, address)
    const { reason, message } = refusal
    const place = `${peerId} ${by} ${address}`
    if (lastRefusals.get(place) === message) return
    if (lastRefusals.size >= REFUSALS_REMEMBERED_MAX) lastRefusals.clear()
    lastRefusals.set(place, message)
    logger.error({ peerId, by, address, reason, message }, 'a peer connection was refused')
  }
  const transport = new PeerTransport({
    ...handlers,
    nodeId,
    listenAddress,
    security,
    // A member whose directory was lost must hear so: it is welcomed, and stops by itself. Its votes come through admit.
    checkPeer: () => undefined,
    onRefused,
    transferBytesPerSecondMax,
    connectionsMax: descriptorShares().peerConnections,
    logger,
  })
  return {
    start: async () => {
      await transport.start()
    },
    setPeers: (peers) => transport.setPeers(peers),
    redial: (peer) => transport.redial(peer),
    links: () => transport.stats(),
    fetchCheckpoint: (from, request, sink) => transport.fetchCheckpoint(from, request, sink),
    send: (to, message) => transport.send(to, message),
    flush: () => transport.flush(),
    isOpen: (to) => transport.isOpen(to),
    stop: () => transport.stop(),
  }
}

interface Opened {
  readonly parts: MemberParts
  readonly restored: Restored
}

/** What is in the directory, or, if that is damaged and others can fill it again, what is in a new one. @throws StorageError */
async function openOrRepair(options: MemberOptions, security: Security): Promise<Opened> {
  const { directory, members, repairs = true, logger } = options
  try {
    return await open(options, security)
  } catch (error) {
    const isDamaged = error instanceof StorageError && error.code === 'DAMAGED'
    if (!isDamaged || !repairs || members.length === 1) throw error
    // Throws when it cannot be told which directory this was: then the others cannot be, either.
    const { dataDirId, asideIn } = await setAsideDamaged(directory)
    logger.warn(
      { err: error, dataDirId, keptIn: join(directory, asideIn) },
      'the data directory is damaged: it is set aside, and this node begins anew from the other members, as a learner',
    )
    return open(options, security)
  }
}

/** Also what is history is damaged when the log's last slots want it, and only then is that noticed. @throws StorageError */
async function open(options: MemberOptions, security: Security): Promise<Opened> {
  const { directory, nodeId, logWindow, checkpoints } = options
  const storage = await LevelStorage.open({ directory, nodeId, ...(logWindow && { window: logWindow }) })
  try {
    const makePeerPort = (handlers: PeerPortHandlers) => peerPortOf(options, security, handlers)
    const parts: MemberParts = { storage, runtime: REAL_RUNTIME, makePeerPort, ...(checkpoints && { checkpoints }) }
    return { parts, restored: await restoreMachine(options, parts) }
  } catch (error) {
    await storage.close()
    throw error
  }
}

/** @throws RangeError that names what is wrong */
function checkMembers({ directory, nodeId, members, join: joins = false }: MemberOptions): void {
  const listed = members.map((m) => m.nodeId)
  if (new Set(listed).size < listed.length) throw new RangeError('members: a node id is listed twice')
  if (!listed.includes(nodeId)) throw new RangeError(`members: node ${nodeId}, this one, is not among them`)
  const clash = addressClash(members)
  if (clash !== undefined) throw new RangeError(`members: ${clash}`)
  // A member of an old cluster may have any id; whoever brings a new directory and does not join is to found one.
  const tooHigh = joins || hasIdentity(directory) ? undefined : tooHighForNewCluster(listed)
  if (tooHigh !== undefined)
    throw new RangeError(`members: ${tooHigh}; a member of a cluster that exists brings its data directory, or joins`)
  if (joins && listed.length === 1) throw new RangeError('members: to join, a member of the cluster must be listed, too')
}

/** What is not such a number would be a bound that never holds, or a timer that never ends. @throws RangeError that names the option */
function checkNumbers(given: MemberOptions): void {
  const { nodeId, members, checkpoints, logWindow, transferBytesPerSecondMax, capacityBytes, options = {} } = given
  checkWhole('nodeId', nodeId, 1, NODE_ID_MAX)
  members.forEach((member, i) => checkWhole(`members[${i}].nodeId`, member.nodeId, 1, NODE_ID_MAX))
  checkOptional('capacityBytes', capacityBytes, 0)
  if (transferBytesPerSecondMax !== undefined) checkPositive('transferBytesPerSecondMax', transferBytesPerSecondMax)
  checkOptional('checkpoints.bytesMax', checkpoints?.bytesMax, 1)
  for (const name of ['slotsMax', 'commandsMax'] as const)
    if (checkpoints) checkWhole(`checkpoints.${name}`, checkpoints[name], 1)
  for (const name of ['slots', 'bytes'] as const) if (logWindow) checkWhole(`logWindow.${name}`, logWindow[name], 1)
  for (const [name, value] of Object.entries(options)) checkOptional(`options.${name}`, value, 1)
}

function checkOptional(field: string, value: unknown, min: number): void {
  if (value !== undefined) checkWhole(field, value, min)
}
