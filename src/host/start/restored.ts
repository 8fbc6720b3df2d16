import type { MembershipRecord, Slot } from '../../paxos/types.js'
import { CommitFeed } from '../../replication/commit-feed.js'
import { sessionCodec } from '../../replication/session-records.js'
import { Sessions } from '../../replication/sessions.js'
import { Alarms } from '../alarms.js'
import type { OnBoundary } from '../apply/applied-listener.js'
import type { Applier } from '../apply/applier.js'
import { Requester } from '../requests/requester.js'
import { SafeReads } from '../requests/safe-reads.js'
import { SessionDesk } from '../requests/session-desk.js'
import type { HostedMemberOptions, MemberParts } from './member-parts.js'
import { replayLog } from './recovery.js'

/** The parts of a member that exist before its core does. */
export interface Restored {
  readonly requester: Requester
  readonly desk: SessionDesk
  readonly applier: Applier
  /** Those that govern the slots above the decided ones; none without a genesis. */
  readonly memberships: readonly MembershipRecord[]
  readonly sessions: Sessions
  readonly feed: CommitFeed
  readonly alarms: Alarms
  readonly reads: SafeReads
  /** The checkpoint boundaries: those that were passed while the log was replayed, and who is told of others. */
  readonly boundaries: BoundaryRelay
}

class BoundaryRelay {
  readonly #replayed: [Slot, number][] = []
  #listener: OnBoundary | undefined

  readonly pass: OnBoundary = (slot, stateDigest) => {
    if (this.#listener === undefined) this.#replayed.push([slot, stateDigest])
    else this.#listener(slot, stateDigest)
  }

  /** Gives those that were passed so far, and tells of the others from now on. */
  listen(listener: OnBoundary): readonly (readonly [Slot, number])[] {
    this.#listener = listener
    return this.#replayed
  }
}

/** @throws StorageError when what is on disk cannot be read */
export async function restoreMachine(options: HostedMemberOptions, parts: MemberParts): Promise<Restored> {
  const { machine, logger, observer } = options
  const { storage, runtime, checkpoints, feed = new CommitFeed() } = parts
  const requester = new Requester(observer)
  const alarms = new Alarms({ runtime, logger, observer })
  const reads = new SafeReads(alarms, logger)
  const desk = new SessionDesk(requester, runtime, reads)
  const sessions = new Sessions(machine, sessionCodec, parts.sessionLimits)
  const boundaries = new BoundaryRelay()
  const nowMs = (): number => runtime.nowMs()
  const listeners = { listener: desk, observer, onBoundary: boundaries.pass }
  const replayed = await replayLog({ storage, sessions, machine, logger, nowMs, checkpoints, feed, ...listeners })
  return { requester, desk, sessions, feed, boundaries, alarms, reads, ...replayed }
}
