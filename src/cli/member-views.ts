import type { Membership } from '../client/client.js'
import type { MemberConfig } from '../server/config.js'
import type { ClusterView } from './cluster-view.js'
import { formatPeers } from './node-options.js'
import { formatTable } from './output.js'

type Member = Membership['members'][number]

const HEAD = ['node', 'member', 'peers', 'clients', 'votes from', 'data directory']

export function memberTable(view: ClusterView): string {
  const rows = view.membership.members.map((member) => [
    String(member.nodeId),
    describeMember(member, view),
    member.peerAddress,
    member.clientAddress,
    member.voter ? String(member.votesFrom) : '',
    member.dataDirId,
  ])
  const table = formatTable(HEAD, rows)
  return view.membership.settled ? table : `${table}\n\nThe last change is not settled yet: leave whoever it has removed running.`
}

function describeMember(member: Member, view: ClusterView): string {
  if (member.voter) return member.nodeId === view.leaderId ? 'voter, leads' : 'voter'
  const kind = member.returning ? 'learner, returning' : 'learner'
  const upTo = view.progress.get(member.nodeId)
  if (view.report.nodeId !== view.leaderId) return kind // nobody else knows
  if (upTo === undefined) return `${kind}, not heard of`
  return `${kind}, ${describeProgress(upTo, view.report.decidedUpTo)}`
}

/** How far a learner is. */
export function describeProgress(upTo: number, decidedUpTo: number): string {
  if (upTo === 0) return 'nothing yet'
  return upTo >= decidedUpTo ? 'level' : `${decidedUpTo - upTo} slots behind`
}

/** What starts a new member on its machine. */
export function joinCommand(membership: Membership, added: MemberConfig, dataDirectory: string): string {
  const others = membership.members.filter(({ nodeId, voter }) => voter && nodeId !== added.nodeId)
  return `synod start --id ${added.nodeId} --data ${dataDirectory} --join --peers ${formatPeers([...others, added])}`
}
