import { type MemberApi, MemberError } from '../host/api.js'

/**
 * Refuses a call on a node without any state: its answer would be true of no cluster. `mayWait`: the call waits for a leader, and so for a cluster that is about
 * to be founded.
 *
 * @throws MemberError NOT_JOINED
 */
export function requireJoined(member: Pick<MemberApi, 'status'>, { mayWait = false } = {}): void {
  const { isJoined, isForming, genesis } = member.status()
  if (isJoined || (isForming && mayWait)) return
  const what = genesis === undefined ? 'has not joined a cluster yet' : 'has joined its cluster, but has nothing of its state yet'
  throw new MemberError('NOT_JOINED', `this node ${what}; ask another`)
}
