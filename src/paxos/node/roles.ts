import { Acceptor } from '../acceptor.js'
import type { BootstrapSettings } from '../bootstrap.js'
import type { CoreOptions } from '../core-options.js'
import { LogClock } from '../log-clock.js'
import { Memberships } from '../memberships.js'
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

/** The range of the random first id of polls and read-index requests; the safe integers above it are enough for a node's life. */
const FIRST_ID_SPAN = 2 ** 48

export interface NodeSettings extends Omit<BootstrapSettings, 'windowSlots'> {
  readonly recovered: RecoveredState
  /** The memberships that govern the slots above recovered.decidedUpTo; none before there is a genesis. */
  readonly memberships: readonly MembershipRecord[]
  /** Log time after the recovered slots, in ms since 1970; 0 for none. */
  readonly logTimeMs: number
  readonly options: CoreOptions
  /** True when this node has an open connection to send to that one. Absent: unknown, assumed true. */
  readonly isLinked?: (nodeId: NodeId) => boolean
  /** Uniform in [0, 1): the core's only source of randomness, seeded in the simulator. */
  readonly random: () => number
  /** See Node.tick. */
  readonly nowMs: number
}

/** The clocks of a node, as its host has passed them last. */
interface NodeTime {
  /** The clock for waiting on others. */
  nowMs: number
  /** The clock of real elapsed time. */
  monotonicMs: number
  /** The wall clock at the last `ready`, in ms since 1970; 0 before. */
  wallMs: number
}

export type Roles = ReturnType<typeof makeRoles>

/** Makes the parts that a node has in every phase. `onMembershipChanged` is called when a change was decided or has come into force. */
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
  // Ids start at a random number, so that a late answer from before a restart does not match a request of now.
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
    /** Polls are numbered above this id. */
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
