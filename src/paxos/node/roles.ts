import { Acceptor } from '../acceptor.js'
import type { BootstrapSettings } from '../bootstrap.js'
import { LogClock } from '../log-clock.js'
import { Memberships } from '../memberships.js'
import type { CoreOptions } from '../options.js'
import { Outbox } from '../outbox.js'
import { Replica } from '../replica.js'
import { SettledEpoch } from '../settled-epoch.js'
import type { MembershipRecord, NodeId, RecoveredState } from '../types.js'
import { Watermark } from '../watermark.js'
import { FollowedLeader } from './followed-leader.js'
import { Patience } from './patience.js'
import { ReadIndexRequests } from './read-index-requests.js'
import { Removal } from './removal.js'
import { ToldMemberships } from './told-memberships.js'
import { VotingRight } from './voting-right.js'

/** Questions to peers are numbered from a random number below this on; there is room above for those of a lifetime. */
const FIRST_ID_SPAN = 2 ** 48

export interface NodeSettings extends Omit<BootstrapSettings, 'windowSlots'> {
  readonly recovered: RecoveredState
  /** Those that govern the slots above recovered.decidedUpTo; none while there is no genesis. */
  readonly memberships: readonly MembershipRecord[]
  /** The log time after the recovered slots, in ms since 1970; 0 for none. */
  readonly logTimeMs: number
  readonly options: CoreOptions
  /** Whether there is an open connection on which this node sends to that one. Absent: nobody knows, so there may be. */
  readonly isLinked?: (nodeId: NodeId) => boolean
  /** Uniform in [0, 1): the core's only chance, seeded in the simulator. */
  readonly random: () => number
  /** As in tick. */
  readonly nowMs: number
}

/** The clocks of a node, as its host has told them last. */
interface NodeTime {
  /** What counts in waiting for others. */
  nowMs: number
  /** What has really passed. */
  monotonicMs: number
  /** In ms since 1970, as of the last `ready`; 0 before. */
  wallMs: number
}

export type Roles = ReturnType<typeof makeRoles>

/** Makes what a node has for all its life, whatever its phase. `onMembershipChanged`: others vote, or a change has come into force. */
export function makeRoles(settings: NodeSettings, onMembershipChanged: () => void) {
  const { self, options, recovered, random } = settings
  const out = new Outbox(self)
  const time: NodeTime = { nowMs: settings.nowMs, monotonicMs: settings.nowMs, wallMs: 0 }
  const memberships = new Memberships()
  const told = new ToldMemberships(self, memberships)
  const settled = new SettledEpoch(memberships)
  const acceptor = new Acceptor(self, out, options, recovered)
  const clock = makeLogClock(settings, memberships, time)
  const { decidedUpTo } = recovered
  const others = (): readonly NodeId[] => told.others
  const replica = new Replica({ self, memberships, acceptor, clock, out, options, decidedUpTo, others, onMembershipChanged })
  replica.compactedUpTo = recovered.compactedUpTo
  // Late answers from before a restart must not count: an id of then would let one answer a question of now.
  const firstId = Math.floor(random() * FIRST_ID_SPAN)
  return {
    self,
    options,
    out,
    time,
    memberships,
    told,
    settled,
    acceptor,
    clock,
    replica,
    watermark: new Watermark({ replica, out, durableUpTo: decidedUpTo }),
    votingRight: new VotingRight({ self, dataDirId: settings.dataDirId, memberships, acceptor, replica }),
    removal: new Removal({ self, options, memberships, settled, out }),
    followed: new FollowedLeader({ isLinked: () => true, ...settings }),
    patience: new Patience(options, random),
    readIndexRequests: new ReadIndexRequests({ self, out, options, firstId: firstId + 1 }),
    /** No poll had this id, or one below it, before a restart. */
    lastPollId: firstId,
  }
}

function makeLogClock({ options, recovered, logTimeMs }: NodeSettings, memberships: Memberships, time: NodeTime): LogClock {
  const clock = new LogClock({
    memberships: () => memberships.governing,
    nowMs: () => time.monotonicMs,
    wallMs: () => time.wallMs,
    freshMs: 2 * options.electionTimeoutMsMax,
    timeMs: logTimeMs,
  })
  for (const { value } of recovered.accepted) if (value.kind === 'batch') clock.onSeen(value.timeMs)
  return clock
}
