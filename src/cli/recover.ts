import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import type { Survivor } from '../server/backup/recover.js'
import { CliError, usageError } from './failure.js'
import { type NewClusterFlags, newClusterOf, show, withNewClusterFlags } from './new-cluster.js'
import { note, styled } from './output.js'

const HELP = `
For when so many nodes are lost for good that no majority will ever be there again. It makes a new cluster from what one survivor
knows, and that may be less than what clients were told. Stop every node of the old cluster first, and take the survivor with the
highest "decided" (\`synod status\`, or run this and read what it says before you confirm it). Whatever another survivor may know
better is not looked at. The directory is only read.

Example:
  $ synod recover --force-new-cluster --data /var/lib/synod --out recovered --peers 1=10.0.0.1:7201/10.0.0.1:7101`

interface RecoverFlags extends NewClusterFlags {
  readonly forceNewCluster?: true
  readonly data: string
  readonly yesIKnowWhatMayBeLost?: true
}

export function addRecoverCommand(program: Command): void {
  withNewClusterFlags(program.command('recover'))
    .description('begin anew with the state of one node when a majority is lost for good; may lose what was acknowledged')
    .requiredOption('--data <dir>', "the survivor's data directory; its node must be stopped")
    .option('--force-new-cluster', 'must be said: what comes of it is another cluster, and the old one must never run again')
    .option('--yes-i-know-what-may-be-lost', 'do not ask')
    .addHelpText('after', HELP)
    .action(async (flags: RecoverFlags) => {
      if (flags.forceNewCluster === undefined) {
        throw usageError(
          'recover does one thing only, which may lose acknowledged operations: say --force-new-cluster if you mean it',
        )
      }
      const plan = newClusterOf(flags)
      const { recoverCluster } = await import('../server/backup/recover.js')
      const confirm = async (survivor: Survivor): Promise<void> => {
        for (const line of warning(survivor)) note(line)
        if (flags.yesIKnowWhatMayBeLost === undefined) await askFor(survivor.clusterId)
      }
      await show(await recoverCluster(flags.data, plan, confirm), plan, flags)
    })
}

function warning({ clusterId, nodeId, decidedUpTo, votedUpTo, missing, voterIds }: Survivor): string[] {
  const others = voterIds.filter((id) => id !== nodeId)
  return [
    styled(
      'red',
      `WARNING: this gives cluster ${clusterId} up for good; another begins with what node ${nodeId} knows.`,
      process.stderr,
    ),
    `  kept for sure:    slots up to ${decidedUpTo}, which node ${nodeId} knows to be decided`,
    `  kept, though perhaps nobody was told:  ${votes(decidedUpTo, votedUpTo, missing.length)}`,
    `  lost for good:    whatever was acknowledged above that by a majority that node ${nodeId} was not part of` +
      (missing.length > 0 ? `, and in slots ${missing.slice(0, 10).join(', ')}${missing.length > 10 ? ', …' : ''}` : ''),
    `  must never run again: node ${others.length > 0 ? others.join(', ') : '(it was the only one)'} of that cluster, from its old directory`,
  ]
}

function votes(decidedUpTo: number, votedUpTo: number, missingCount: number): string {
  if (votedUpTo === decidedUpTo) return 'nothing; it has no vote above that'
  return `its ${votedUpTo - decidedUpTo - missingCount} votes in slots ${decidedUpTo + 1} to ${votedUpTo}`
}

/** @throws CliError unless the answer is right */
async function askFor(clusterId: string): Promise<void> {
  process.stderr.write("type the old cluster's id to go on: ")
  const lines = createInterface({ input: process.stdin })
  let answer = ''
  for await (const line of lines) {
    answer = line.trim()
    break
  }
  lines.close()
  if (answer !== clusterId) throw new CliError('that is not its id; nothing was made')
}
