import { readFileSync } from 'node:fs'
import type { Cluster, ClusterNode } from './cluster.js'
import { describeEnd, until } from './cluster.js'
import type { Reaction } from './damage.js'

/** How a node's last words begin to say it; see src/storage/storage-error.ts and src/host/halt-error.ts. */
const CODES: readonly (readonly [string, RegExp])[] = [
  ['OLDER_COPY', /it is an older copy, or has lost its end/],
  ['DATA_DIR_MISMATCH', /votes from (data )?directory/],
  ['REMOVED', /was removed from cluster/],
  ['NOT_A_MEMBER', /is not a member of cluster/],
  ['STATE_DIVERGED', /does not hold what the majority holds/],
  ['DAMAGED', /data directory \S+ is damaged/],
  ['FOREIGN', /belongs to node|under the identity of/],
  ['UNSUPPORTED_FORMAT', /has format \d+|written by a newer version/],
]

/** What a node that has stopped by itself says was the reason; 'other' where nothing that is documented is among its last words. */
export function codeOfEnd(node: ClusterNode): string | undefined {
  if (node.ended === undefined) return undefined
  const { lastWords } = node.ended
  return CODES.find(([, pattern]) => pattern.test(lastWords))?.[0] ?? 'other'
}

/** Resolves when it is clear what a node that was started just now makes of its data directory. @throws Error after timeoutMs */
export async function untilReaction(cluster: Cluster, node: ClusterNode, timeoutMs: number): Promise<Reaction> {
  const logStart = readFileSync(node.logFile, 'utf8').length
  let reaction: Reaction | undefined
  await until(`node ${node.nodeId} serves, or stops`, timeoutMs, async () => {
    if (node.ended !== undefined) {
      reaction = 'stopped'
      return true
    }
    const log = readFileSync(node.logFile, 'utf8').slice(logStart)
    const status = await cluster.statusOf(node)
    const self = status?.membership?.members.find((m) => m.nodeId === node.nodeId)
    if (self?.voter === true && self.dataDirId === status?.dataDirId && status.leaderId !== 0) {
      reaction = log.includes('is set aside, and this node begins anew') ? 'repaired' : 'served'
    } else if (log.includes('WRONG_CLUSTER')) {
      reaction = 'refused'
    }
    return reaction !== undefined
  })
  if (reaction === undefined) throw new Error(describeEnd(node))
  return reaction
}
