import { NODE_ID_MAX } from '../../paxos/ballot.js'
import { addressClash, tooHighForNewCluster } from '../../paxos/membership-changes.js'
import { LEVEL_NUMBER_MAX } from '../../replication/levels.js'
import { hasIdentity } from '../../storage/directory/data-directory.js'
import type { LogWindow } from '../../storage/storage.js'
import type { CheckpointOptions } from '../apply/boundaries.js'
import { checkPositive, checkWhole } from '../number-checks.js'
import type { HostedMemberOptions } from './member-parts.js'

/** As much as a message between nodes may hold. */
const VERSION_LENGTH_MAX = 256

export interface MemberOptions extends HostedMemberOptions {
  /** Where everything durable is kept; made when it is not there. One member each. */
  readonly directory: string
  /** host:port for the other members; port 0 takes a free one. */
  readonly listenAddress: string
  /**
   * Sets a damaged data directory aside, and has the member begin anew from the others: as a learner, until it holds all that it
   * may have acknowledged. Without it, damage is an error. Default: true. A member without others is never repaired.
   */
  readonly repairs?: boolean
  /** The distance between checkpoints, the same on every member. Default: 4,096 slots or 65,536 commands. */
  readonly checkpoints?: CheckpointOptions
  /** The part of the log that is kept behind the checkpoint, for members that lag a little. Default: 16,384 slots, at most 64 MiB. */
  readonly logWindow?: LogWindow
  /**
   * Checkpoints never go to other members faster, all together, in bytes per second, above 0. Below that they go as fast as the others take
   * them and this member bears it. Default: 64 MiB.
   */
  readonly transferBytesPerSecondMax?: number
}

/** @throws RangeError that names what is wrong */
export function checkMemberOptions(options: MemberOptions): void {
  checkNumbers(options)
  checkMembers(options)
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

/** Checks the numbers: NaN, say, would be a bound that never holds, or a timer that never ends. @throws RangeError that names the option */
function checkNumbers(given: MemberOptions): void {
  const {
    nodeId,
    members,
    checkpoints,
    logWindow,
    transferBytesPerSecondMax,
    capacityBytes,
    options = {},
    machine,
    version,
  } = given
  checkWhole('nodeId', nodeId, 1, NODE_ID_MAX)
  members.forEach((member, i) => checkWhole(`members[${i}].nodeId`, member.nodeId, 1, NODE_ID_MAX))
  checkOptional('capacityBytes', capacityBytes, 0)
  if (machine.levelMax !== undefined) checkWhole('machine.levelMax', machine.levelMax, 1, LEVEL_NUMBER_MAX)
  if (version !== undefined && version.length > VERSION_LENGTH_MAX)
    throw new RangeError(`version: must be at most ${VERSION_LENGTH_MAX} characters, not ${version.length}`)
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
