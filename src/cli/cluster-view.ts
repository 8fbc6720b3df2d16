import type { Answered, Membership, NodeStatus, StatusResponse } from '../client/client.js'
import { CliError, EXIT } from './failure.js'
import type { ClientFlags } from './options.js'

/** One node that is down must not hold the others up. */
const ASK_MS_MAX = 2_000

type NodeReport = Answered<StatusResponse, 'membership'>

/** The cluster as its leader knows it; as whoever knows most, where no leader answers. */
export interface ClusterView {
  readonly report: NodeReport
  readonly membership: Membership
  /** 0 where none is known. */
  readonly leaderId: number
  /** How far each learner is; empty when it is not the leader that told. */
  readonly progress: ReadonlyMap<number, number>
}

/** Asks the endpoints, and the leader itself where it is none of them. @throws CliError when nobody answers */
export async function viewCluster(flags: ClientFlags): Promise<ClusterView> {
  const reports = await askAll(flags.endpoints, flags.timeout)
  const known = reports.toSorted((a, b) => b.membership.epoch - a.membership.epoch || Number(leads(b)) - Number(leads(a)))
  const [first] = known
  if (first === undefined) throw new CliError(`no node of a cluster answers at ${flags.endpoints}`, EXIT.unavailable)
  return viewOf(known.find(leads) ?? (await askLeader(first, flags.timeout)) ?? first)
}

/** Whether that member of the cluster answers clients. */
export async function isUp(member: { nodeId: number; clientAddress: string }, clusterId: string): Promise<boolean> {
  const [report] = await askAll(member.clientAddress, ASK_MS_MAX)
  return report?.nodeId === member.nodeId && report.clusterId === clusterId
}

async function askLeader({ membership, leaderId }: NodeReport, timeoutMs: number): Promise<NodeReport | undefined> {
  const leader = membership.members.find(({ nodeId }) => nodeId === leaderId)
  if (leader === undefined) return undefined
  return (await askAll(leader.clientAddress, timeoutMs)).find(leads)
}

async function askAll(endpoints: string, timeoutMs: number): Promise<NodeReport[]> {
  const { connect } = await import('../client/client.js')
  const client = connect({ endpoints })
  try {
    const nodes = await client.cluster.status({ timeoutMs: Math.min(timeoutMs, ASK_MS_MAX) })
    return nodes.flatMap(({ status }: NodeStatus) => (status?.membership === undefined ? [] : [status as NodeReport]))
  } finally {
    client.close()
  }
}

function leads({ nodeId, leaderId }: NodeReport): boolean {
  return nodeId === leaderId
}

function viewOf(report: NodeReport): ClusterView {
  const progress = new Map(report.learners.map(({ nodeId, decidedUpTo }) => [nodeId, decidedUpTo]))
  return { report, membership: report.membership, leaderId: report.leaderId, progress }
}
