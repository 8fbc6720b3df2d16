import type { Answered, Membership, NodeStatus, StatusResponse } from '../client/client.js'
import { type ClientFlags, endpointsOf } from './cli-options.js'
import { CliError, describe, EXIT } from './failure.js'

/** Bound for one node: a node that is down must not delay the others. */
const ASK_MS_MAX = 2_000
const PROBE_MS_MAX = 1_000

type NodeReport = Answered<StatusResponse, 'membership'>

/** A node's own status, or the reason why there is none. */
export interface SurveyedNode {
  readonly endpoint: string
  /** 0 when it is not known which node should be there. */
  readonly nodeId: number
  readonly status?: Answered<StatusResponse>
  /** The reason in one clause, for people; undefined for a node that answers. */
  readonly trouble?: string
}

/** The known facts about a cluster. */
export interface Survey {
  /** Nodes at the endpoints, then the other members. */
  readonly nodes: readonly SurveyedNode[]
  /** The newest membership that any node knows; undefined when none does. */
  readonly membership: Membership | undefined
  /** True when a node follows a leader, which implies a majority. */
  readonly hasMajority: boolean
}

/** The cluster as the leader knows it, or the node that knows most when no leader answers. */
export interface ClusterView {
  readonly report: NodeReport
  readonly membership: Membership
  /** The leader's node id; 0 when none is known. */
  readonly leaderId: number
  /** Progress of each learner; empty when the answer is not the leader's. */
  readonly progress: ReadonlyMap<number, number>
  readonly survey: Survey
}

/** Asks the endpoints, and then the members that they name and that have not answered yet. Never rejects for a node that does not answer. */
export async function surveyCluster(flags: ClientFlags): Promise<Survey> {
  const answers: NodeStatus[] = []
  for (let next = endpointsOf(flags); next.length > 0; next = unasked(answers)) {
    answers.push(...(await askAll(next, flags.timeout)))
  }
  const membership = newestMembership(answers)
  const nodes = await Promise.all(answers.map((answer) => surveyed(answer, membership)))
  return { nodes, membership, hasMajority: answers.some(({ status }) => (status?.leaderId ?? 0) !== 0) }
}

/** Asks as surveyCluster does. @throws CliError when no node answers that knows a cluster */
export async function viewCluster(flags: ClientFlags): Promise<ClusterView> {
  const survey = await surveyCluster(flags)
  const known = survey.nodes
    .flatMap(({ status }) => (status?.membership === undefined ? [] : [status as NodeReport]))
    .toSorted((a, b) => b.membership.epoch - a.membership.epoch)
  const report = known.find(({ nodeId, leaderId }) => nodeId === leaderId) ?? known[0]
  if (report === undefined) {
    const told = survey.nodes.map(({ endpoint, trouble }) => `${endpoint}: ${trouble ?? 'it is not a member of a cluster yet'}`)
    throw new CliError(`no node of a cluster answers; ${told.join('; ')}`, EXIT.unavailable)
  }
  const progress = new Map(report.learners.map(({ nodeId, decidedUpTo }) => [nodeId, decidedUpTo]))
  return { report, membership: report.membership, leaderId: report.leaderId, progress, survey }
}

/** Tests whether that member of the cluster answers clients. */
export async function isUp(member: Membership['members'][number], clusterId: string): Promise<boolean> {
  const [answer] = await askAll([clientAddressOf(member)], ASK_MS_MAX)
  return answer?.status?.nodeId === member.nodeId && answer.status.clusterId === clusterId
}

/** Explains why nothing can be decided, as far as is visible; undefined while there is a majority. */
export function tellNoMajority({ nodes, membership, hasMajority }: Survey): string | undefined {
  if (hasMajority) return undefined
  const up = nodes.filter(({ status }) => status !== undefined)
  if (up.length === 0) return 'no node answers'
  const voters = membership?.members.filter(({ voter }) => voter) ?? []
  if (voters.length === 0) return 'no majority: no cluster has formed yet'
  const answering = voters.filter(({ nodeId }) => up.some(({ status }) => status?.nodeId === nodeId))
  const needed = Math.floor(voters.length / 2) + 1
  return `no majority: ${answering.length} of ${voters.length} voters answer and know no leader; it takes ${needed} that reach one another`
}

async function askAll(endpoints: readonly string[], timeoutMs: number): Promise<NodeStatus[]> {
  const { connect } = await import('../client/client.js')
  const client = connect({ endpoints })
  try {
    return await client.cluster.status({ timeoutMs: Math.min(timeoutMs, ASK_MS_MAX) })
  } finally {
    client.close()
  }
}

/** The address that the member announces; the one in the log when it announces none. */
export function clientAddressOf(member: { readonly clientAddress: string; readonly announcedClientAddress: string }): string {
  return member.announcedClientAddress === '' ? member.clientAddress : member.announcedClientAddress
}

/** The addresses of members that neither have answered nor been asked. */
function unasked(answers: readonly NodeStatus[]): string[] {
  const { members = [] } = newestMembership(answers) ?? {}
  const isKnown = (nodeId: number, address: string): boolean =>
    answers.some(({ endpoint, status }) => endpoint === address || status?.nodeId === nodeId)
  return members.filter((member) => !isKnown(member.nodeId, clientAddressOf(member))).map(clientAddressOf)
}

function newestMembership(answers: readonly NodeStatus[]): Membership | undefined {
  return answers
    .flatMap(({ status }) => status?.membership ?? [])
    .toSorted((a, b) => b.epoch - a.epoch)
    .at(0)
}

async function surveyed({ endpoint, status, error }: NodeStatus, membership: Membership | undefined): Promise<SurveyedNode> {
  if (status !== undefined) return { endpoint, nodeId: status.nodeId, status }
  const nodeId = membership?.members.find((member) => clientAddressOf(member) === endpoint)?.nodeId ?? 0
  const [{ probeEndpoint }, { INSECURE }] = await Promise.all([
    import('../client/endpoint-probe.js'),
    import('../security/security.js'),
  ])
  const found = await probeEndpoint(endpoint, { timeoutMs: PROBE_MS_MAX, security: INSECURE })
  return { endpoint, nodeId, trouble: found.serves ? describe(error) : found.trouble }
}
