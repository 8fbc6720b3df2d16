import type { Membership } from '../client/client.js'
import type { MemberConfig } from '../server/config.js'
import { type ClusterView, clientAddressOf } from './cluster-view.js'
import { formatPeers } from './node-options.js'
import { formatTable } from './output.js'

type Member = Membership['members'][number]

const HEAD = ['node', 'member', 'peers', 'clients', 'answers', 'votes from', 'data directory']

export function memberTable(view: ClusterView): string {
  const rows = view.membership.members.map((member) => [
    String(member.nodeId),
    describeMember(member, view),
    nowAt(member.peerAddress, member.announcedPeerAddress),
    nowAt(member.clientAddress, member.announcedClientAddress),
    troubleOf(member, view) === undefined ? 'yes' : 'no',
    member.voter ? String(member.votesFrom) : '',
    member.dataDirId,
  ])
  const table = formatTable(HEAD, rows)
  return view.membership.settled ? table : `${table}\n\nThe last change is not settled yet: leave whoever it has removed running.`
}

/** The member's address in the log, and the current one that it announces when they differ. */
function nowAt(logged: string, announced: string): string {
  return announced === '' || announced === logged ? logged : `${announced} (${logged} by the log)`
}

function describeMember(member: Member, view: ClusterView): string {
  if (member.voter) return member.nodeId === view.leaderId ? 'voter, leads' : 'voter'
  const kind = member.returning ? 'learner, returning' : 'learner'
  const upTo = view.progress.get(member.nodeId)
  if (view.report.nodeId !== view.leaderId) return kind // nobody else knows
  if (upTo === undefined) return `${kind}, not heard of`
  return `${kind}, ${describeProgress(upTo, view.report.decidedUpTo)}`
}

/** One line for each member that does not answer, with the reason. */
export function memberTroubles(view: ClusterView): string[] {
  return view.membership.members.flatMap((member) => {
    const trouble = troubleOf(member, view)
    return trouble === undefined ? [] : [`node ${member.nodeId} (${clientAddressOf(member)}) does not answer: ${trouble}`]
  })
}

/** The reason why a member does not answer; undefined when it answers at any of its addresses. */
export function troubleOf(member: Member, { survey: { nodes } }: ClusterView): string | undefined {
  if (nodes.some(({ status }) => status?.nodeId === member.nodeId)) return undefined
  const asked = nodes.find(({ endpoint }) => endpoint === clientAddressOf(member))
  return asked?.trouble ?? (asked === undefined ? 'it was not asked' : 'another node is at its address')
}

/** Describes a learner's progress. */
export function describeProgress(upTo: number, decidedUpTo: number): string {
  if (upTo === 0) return 'nothing yet'
  return upTo >= decidedUpTo ? 'level' : `${decidedUpTo - upTo} slots behind`
}

/** The command that starts a new member on its machine. */
export function joinCommand(membership: Membership, added: MemberConfig, dataDirectory: string): string {
  const others = membership.members
    .filter(({ nodeId, voter }) => voter && nodeId !== added.nodeId)
    .map((member) => ({
      nodeId: member.nodeId,
      peerAddress: member.announcedPeerAddress || member.peerAddress,
      clientAddress: clientAddressOf(member),
    }))
  return `synod start --id ${added.nodeId} --data ${dataDirectory} --join --peers ${formatPeers([...others, added])}`
}
