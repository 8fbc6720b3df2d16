import type { MemberStatus } from './api.js'
import { recordOf } from './peers/peer-finder.js'
import type { Assembly } from './start/assemble.js'

const ROLES = {
  joining: 'joining',
  following: 'follower',
  polling: 'candidate',
  scouting: 'candidate',
  leading: 'leader',
} as const

export function statusOf(assembly: Assembly, { isStopped }: { readonly isStopped: boolean }): MemberStatus {
  const { options, storage, node, talk, applier, finder, levels, sessions, alarms, receiver, sender } = assembly
  const known = node.knownMembership
  const isLearning = node.memberships !== undefined && !node.isVoter
  return {
    nodeId: options.nodeId,
    dataDirId: storage.dataDirId,
    genesis: node.genesis,
    membership: known && recordOf(known),
    role: talk.isOpen ? ROLES[node.phase] : 'joining',
    leaderId: node.leaderId,
    promised: node.promised,
    decidedUpTo: node.decidedUpTo,
    appliedUpTo: applier.appliedUpTo,
    compactedUpTo: storage.compactedUpTo,
    isJoined: node.genesis !== undefined && !applier.isSuspended && (!isLearning || applier.appliedUpTo > 0),
    isForming: node.genesis === undefined && options.join !== true && storage.replacesDataDirId === '',
    isLearning,
    announcements: finder.announcements,
    isMembershipSettled: known !== undefined && node.settledEpoch >= known.epoch,
    memberProgress: node.progress,
    stateDigest: applier.stateDigest,
    logTimeMs: node.logTimeMs,
    hasQuorum: !isStopped && node.leaderId !== 0,
    stateBytes: sessions.stateBytes,
    quotaBytes: sessions.quotaBytes,
    level: node.genesis === undefined ? 0 : sessions.raised.level,
    binary: levels.own,
    memberBinaries: levels.known,
    alarms: alarms.list,
    transfers: [...receiver.progress(), ...sender.progress()],
  }
}
