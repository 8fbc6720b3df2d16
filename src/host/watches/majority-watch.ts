import type { Join } from '../../paxos/messages.js'
import type { MembershipRecord, NodeId } from '../../paxos/types.js'
import type { Alarms } from '../alarms.js'
import type { Watch } from './watches.js'

interface Settings {
  readonly self: NodeId
  /** The id of the damaged directory that this node's replaces; empty when there is none. */
  readonly replacesDataDirId: () => string
  /** The members that this node was started with, but for one that is to be a new member. */
  readonly listed: readonly NodeId[]
  /** The newest that is known; undefined before this node is a member. */
  readonly membership: () => MembershipRecord | undefined
  readonly alarms: Pick<Alarms, 'raise' | 'clear'>
}

const CODE = 'NO_MAJORITY_LEFT'
/** A join request counts for so long: a joining node repeats it several times a second. */
const FORGET_MS = 5_000

/**
 * Raises the alarm when so many voters have lost their data directories, by what each says when it asks to be let in, that those that are
 * left are no majority: nothing can be decided any more, so nobody can fill the others again, and all would wait without a word for ever.
 */
export class MajorityWatch implements Watch {
  readonly #s: Settings
  readonly #joining = new Map<NodeId, { readonly join: Join; readonly atMs: number }>()

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** That node has no cluster yet, or none any more. */
  onJoin(from: NodeId, join: Join, nowMs: number): void {
    this.#joining.set(from, { join, atMs: nowMs })
  }

  tick(nowMs: number): void {
    for (const [nodeId, { atMs }] of this.#joining) if (nowMs - atMs > FORGET_MS) this.#joining.delete(nodeId)
    const { alarms, membership, listed } = this.#s
    const record = membership()
    const voters = record === undefined ? listed : record.members.filter((m) => m.votesFrom > 0).map((m) => m.nodeId)
    const lost = record === undefined ? this.#lostOfListed() : this.#lostOf(record)
    if (lost.length === 0 || 2 * (voters.length - lost.length) > voters.length) return alarms.clear(CODE)
    alarms.raise(
      CODE,
      `the data directories of ${nodes(lost)} are lost, or were damaged and set aside. ${leftOf(voters.length, lost.length)}: nothing can be ` +
        'decided, and nobody can fill them again. Put one of these directories back as it was last, undamaged; or stop every node and begin ' +
        'a new cluster from what is left in all of them, the folders damaged-<n> included, and know what that may lose (docs/operations.md: Recovery).',
    )
  }

  /** The voters whose directory is not the one that they vote from. */
  #lostOf({ members }: MembershipRecord): NodeId[] {
    const lost = members.filter(({ nodeId, votesFrom, dataDirId }) => {
      const joining = this.#joining.get(nodeId)
      return votesFrom > 0 && dataDirId !== '' && joining !== undefined && joining.join.dataDirId !== dataDirId
    })
    return lost.map((m) => m.nodeId)
  }

  /** Those without a cluster, if there ever was one. */
  #lostOfListed(): NodeId[] {
    const { self, listed, replacesDataDirId } = this.#s
    const hadCluster = replacesDataDirId() !== '' || [...this.#joining.values()].some(({ join }) => join.replacesDataDirId !== '')
    return hadCluster ? listed.filter((nodeId) => nodeId === self || this.#joining.has(nodeId)) : []
  }
}

function nodes(nodeIds: readonly NodeId[]): string {
  return nodeIds.length === 1 ? `node ${nodeIds[0]}` : `the nodes ${nodeIds.join(', ')}`
}

function leftOf(voterCount: number, lostCount: number): string {
  const left = voterCount - lostCount
  if (left === 0) return `None of the ${voterCount} voters is left`
  return `Of the ${voterCount} voters only ${left} ${left === 1 ? 'is' : 'are'} left, no majority`
}
