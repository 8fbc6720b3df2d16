import { randomUUID } from 'node:crypto'
import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { MadeCluster, NewCluster } from '../server/backup/new-cluster.js'
import { notEmpty } from './cli-options.js'
import { usageError } from './failure.js'
import { formatPeers, parseNewPeers } from './node-options.js'
import { note, print, printJson } from './output.js'

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** Flags of a command that makes the data directories of a new cluster. */
export interface NewClusterFlags {
  readonly peers?: string
  readonly nodes?: string
  readonly out?: string
  readonly clusterId?: string
  readonly json?: true
}

export function withNewClusterFlags(command: Command): Command {
  return command
    .option('--peers <list>', "the new cluster's members, as for `synod start`: ID=HOST:PEERPORT/HOST:CLIENTPORT,…")
    .addOption(new Option('--nodes <list>', 'the same as --peers').conflicts('peers'))
    .option('--out <dir>', 'gets a data directory for each member: node-1, node-2, …', notEmpty)
    .option('--cluster-id <uuid>', "the new cluster's id; a random one without it")
    .option('--json', 'print one JSON value')
}

/** Checks the flags. @throws CliError that names the flag and its bounds */
export function newClusterOf(flags: NewClusterFlags): NewCluster {
  const list = flags.peers ?? flags.nodes
  if (list === undefined) throw usageError('--peers is missing: it lists the members of the new cluster')
  if (flags.out === undefined) throw usageError('--out is missing: the folder for the data directories of the new cluster')
  const clusterId = flags.clusterId?.toLowerCase() ?? randomUUID()
  if (!UUID.test(clusterId)) throw usageError(`--cluster-id: ${JSON.stringify(flags.clusterId)} is not a UUID`)
  return { clusterId, members: parseNewPeers(list), out: resolve(flags.out) }
}

/** Reports the directories that were made, and the commands that start them. */
export async function show(made: MadeCluster, { members, out }: NewCluster, flags: NewClusterFlags): Promise<void> {
  const { formatTime } = await import('../server/backup/restore.js')
  const { clusterId, slot, timeMs, stateDigest, directories } = made
  if (flags.json) printJson({ ...made, stateDigest: formatDigest(stateDigest) })
  else print(`cluster ${clusterId}, as of slot ${slot} (${formatTime(timeMs)}), digest ${formatDigest(stateDigest)}`)
  note('copy each directory to the machine of its node, never one to two, and start it there:')
  for (const { nodeId } of directories) {
    note(`  synod start --id ${nodeId} --data ${join(out, `node-${nodeId}`)} --peers ${formatPeers(members)}`)
  }
}

function formatDigest(digest: number): string {
  return digest.toString(16).padStart(8, '0')
}
