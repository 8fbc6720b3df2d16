import { setTimeout as delay } from 'node:timers/promises'
import type { Client, Membership } from '../client/client.js'
import type { MemberConfig } from '../server/config.js'
import { type ClientFlags, withClient } from './cli-options.js'
import { type ClusterView, isUp, viewCluster } from './cluster-view.js'
import { CliError, EXIT, isSynodError, usageError } from './failure.js'
import { describeProgress, joinCommand } from './member-views.js'
import { note } from './output.js'
import { ProgressLine } from './progress-line.js'

const POLL_MS = 500
/** Longest time for one step, within the remaining time. */
const CALL_MS_MAX = 30_000

export interface Replacement {
  readonly oldId: number
  readonly added: MemberConfig
  /** Data directory of the new member, for the command that is printed. */
  readonly dataDirectory: string
}

export type ReplacementStep = 'add' | 'wait' | 'remove' | 'promote' | 'settle' | 'done'

/**
 * Returns the next step, whatever was done before. A dead member is removed before the new one votes: otherwise a majority would need one
 * node more. A member that is alive votes until the new one does.
 *
 * @throws CliError when this replacement is impossible
 */
export function nextStep(
  membership: Membership,
  { oldId, added }: Pick<Replacement, 'oldId' | 'added'>,
  now: { readonly isCaughtUp: boolean; readonly isOldUp: boolean },
): ReplacementStep {
  if (oldId === added.nodeId)
    throw new CliError('a node id is never given again: name another one for the new member', EXIT.usage)
  const old = membership.members.find(({ nodeId }) => nodeId === oldId)
  const found = membership.members.find(({ nodeId }) => nodeId === added.nodeId)
  if (found === undefined) {
    if (old === undefined) throw new CliError(`there is no member ${oldId} to replace`)
    if (added.nodeId > membership.lastNodeId) return 'add'
    throw new CliError(`node ids up to ${membership.lastNodeId} have been given, and are never given again: take a higher one`)
  }
  if (found.peerAddress !== added.peerAddress || found.clientAddress !== added.clientAddress) {
    throw new CliError(`member ${added.nodeId} is there already, at ${found.peerAddress} and ${found.clientAddress}`)
  }
  if (found.voter && old !== undefined) return 'remove'
  if (found.voter) return membership.settled ? 'done' : 'settle'
  if (!now.isCaughtUp) return 'wait'
  return old !== undefined && !now.isOldUp ? 'remove' : 'promote'
}

/** Replaces a member; continues where an earlier try stopped. @throws CliError, SynodError */
export async function replaceMember(replacement: Replacement, flags: ClientFlags): Promise<ClusterView> {
  if (replacement.oldId === replacement.added.nodeId) {
    throw usageError('a node id is never given again: name another one for the new member')
  }
  const deadlineMs = performance.now() + flags.timeout
  const work = async (client: Client): Promise<ClusterView> => {
    const replacing = new Replacing(replacement, client)
    let view = await viewCluster(flags)
    try {
      while (!(await replacing.step(view, deadlineMs - performance.now()))) {
        if (performance.now() >= deadlineMs) throw replacing.lateError(view, flags.timeout)
        view = await viewCluster(flags)
      }
    } catch (error) {
      // The last call had too little time left.
      throw performance.now() >= deadlineMs ? replacing.lateError(view, flags.timeout) : error
    } finally {
      replacing.stop()
    }
    return view
  }
  return withClient(flags, work, { takesLong: true })
}

class Replacing {
  readonly #replacement: Replacement
  readonly #client: Client
  #progress: ProgressLine | undefined
  #hasToldHow = false
  /** The leader's position when it was last asked: a learner that has reached it has caught up. */
  #decidedUpTo = Number.POSITIVE_INFINITY

  constructor(replacement: Replacement, client: Client) {
    this.#replacement = replacement
    this.#client = client
  }

  /** Takes one step. Returns true when nothing is left to do. */
  async step(view: ClusterView, leftMs: number): Promise<boolean> {
    const { oldId, added } = this.#replacement
    const { cluster } = this.#client
    const options = { timeoutMs: Math.max(1, Math.min(Math.ceil(leftMs), CALL_MS_MAX)) }
    const old = view.membership.members.find(({ nodeId }) => nodeId === oldId)
    const isCaughtUp = (view.progress.get(added.nodeId) ?? 0) >= this.#decidedUpTo
    const isOldUp = isCaughtUp && old !== undefined && (await isUp(old, view.report.clusterId))
    switch (nextStep(view.membership, this.#replacement, { isCaughtUp, isOldUp })) {
      case 'add':
        note(`adding node ${added.nodeId} as a learner`)
        await cluster.addMember(added, options)
        return false
      case 'wait':
        this.#tellHow(view.membership)
        this.#showProgress(view)
        this.#decidedUpTo = view.report.decidedUpTo
        await delay(Math.min(POLL_MS, leftMs))
        return false
      case 'remove':
        this.stop()
        if (view.leaderId === oldId) await cluster.transferLeadership(0, options)
        note(`removing node ${oldId}`)
        await cluster.removeMember(oldId, options).catch(unlessGone)
        return false
      case 'promote':
        this.stop()
        note(`node ${added.nodeId} has caught up; it votes from now on`)
        await cluster.promoteMember(added.nodeId, options).catch(unlessBehind)
        return false
      case 'settle':
        // Answered once the old member is no longer needed.
        await cluster.promoteMember(added.nodeId, options)
        return false
      case 'done':
        note(`node ${added.nodeId} is in the place of node ${oldId}`)
        return true
    }
  }

  stop(): void {
    this.#progress?.stop()
    this.#progress = undefined
  }

  lateError({ progress, report }: ClusterView, timeoutMs: number): CliError {
    const { added } = this.#replacement
    const how = describeProgress(progress.get(added.nodeId) ?? 0, report.decidedUpTo)
    return new CliError(
      `node ${added.nodeId} has not caught up within ${timeoutMs / 1_000} s (${how}); the same command goes on where this one stopped`,
      EXIT.unavailable,
    )
  }

  #tellHow({ members, ...rest }: Membership): void {
    if (this.#hasToldHow) return
    this.#hasToldHow = true
    const { oldId, added, dataDirectory } = this.#replacement
    const kept = { ...rest, members: members.filter(({ nodeId }) => nodeId !== oldId) }
    note(`waiting for node ${added.nodeId}; start it on its machine with:\n  ${joinCommand(kept, added, dataDirectory)}`)
  }

  #showProgress({ progress, report }: ClusterView): void {
    const upTo = progress.get(this.#replacement.added.nodeId) ?? 0
    const how = describeProgress(upTo, report.decidedUpTo)
    this.#progress ??= new ProgressLine('{bar} slot {value}: {how}', report.decidedUpTo, { how })
    this.#progress.update(upTo, { how })
  }
}

/** Ignores the refusal of a member that another try has already removed. */
function unlessGone(error: unknown): void {
  if (!isSynodError(error) || error.reason !== 'MEMBER_NOT_FOUND') throw error
}

/** Ignores NOT_CAUGHT_UP: the learner has fallen behind again, and the wait goes on. */
function unlessBehind(error: unknown): void {
  if (!isSynodError(error) || error.reason !== 'NOT_CAUGHT_UP') throw error
}
