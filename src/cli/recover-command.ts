import { createInterface } from 'node:readline'
import type { Command } from 'commander'
import type { Survivors } from '../server/backup/recover.js'
import type { ApplyFailure } from '../storage/storage.js'
import { notEmpty, outcomeCounts } from './cli-options.js'
import { CliError, EXIT, usageError } from './failure.js'
import { type NewClusterFlags, newClusterOf, show, withNewClusterFlags } from './new-cluster-plan.js'
import { note, styled } from './output.js'
import { recoverSlot, type SlotFlags, withSlotFlags } from './recover-slot.js'

const HELP = `
Use this when so many nodes are lost for good that there can never be a majority again. It makes a new cluster from what the survivors
know, which may be less than what clients were told. Stop every node of the old cluster first, and name the directory of each survivor
with its own --data: what one of them knows to be decided is kept, and so are their votes. The directories are only read.

A directory whose log is damaged at its end can be used without that end: its node has kept it in a folder damaged-<n>, so name that
folder. Read what this command prints before you confirm it.

Nodes that stop with APPLY_FAILED could not carry out a slot. If a version can carry it out, install that version and use --retry-slot.
Otherwise stop every node and use --skip-slot with the directories of a majority of the voters; they are changed. Name nodes whose
directories are on other machines with --also, and run the same command there. If there is no majority either, use both:
--force-new-cluster --skip-slot.

Examples:
  $ synod recover --force-new-cluster --data /var/lib/synod --out recovered --peers 1=10.0.0.1:7201/10.0.0.1:7101
  $ synod recover --skip-slot 4711 --data /var/lib/synod --also 2,3`

interface RecoverFlags extends NewClusterFlags, SlotFlags {
  readonly forceNewCluster?: true
}

export function addRecoverCommand(program: Command): void {
  withSlotFlags(withNewClusterFlags(outcomeCounts(program.command('recover'))))
    .description('begin a new cluster from the survivors when a majority is lost for good; acknowledged operations may be lost')
    .requiredOption('--data <dir>', "a survivor's data directory, whose node must be stopped; repeatable", collect)
    .option('--force-new-cluster', 'must be said: what comes of it is another cluster, and the old one must never run again')
    .option('--yes-i-know-what-may-be-lost', 'do not ask')
    .addHelpText('after', HELP)
    .action(async (flags: RecoverFlags) => {
      if (flags.forceNewCluster === undefined) {
        if (flags.skipSlot !== undefined || flags.retrySlot !== undefined) return recoverSlot(flags, askFor)
        throw usageError(
          'say what is to be done: --force-new-cluster, which may lose acknowledged operations, --skip-slot or --retry-slot',
        )
      }
      if (flags.retrySlot !== undefined || flags.also !== undefined) {
        throw usageError('--force-new-cluster tries a slot that failed again by itself: it takes neither --retry-slot nor --also')
      }
      const plan = newClusterOf(flags)
      const { skipSlot: skippedSlot } = flags
      const { recoverCluster } = await import('../server/backup/recover.js')
      const confirm = async (survivors: Survivors): Promise<void> => {
        for (const line of warning(survivors)) note(line)
        if (skippedSlot !== undefined)
          note(`  skipped:               slot ${skippedSlot}, if it cannot be carried out: nothing of it takes effect`)
        if (flags.yesIKnowWhatMayBeLost === undefined) await askFor(survivors.clusterId)
      }
      const made = await recoverCluster(flags.data, plan, confirm, { skippedSlot }).catch((error: unknown) => {
        throw explained(error)
      })
      await show(made, plan, flags)
    })
}

/** Adds advice about a failed slot, where the old cluster is given up. */
function explained(error: unknown): unknown {
  if (!(error instanceof Error && 'failure' in error)) return error
  const { slot, what } = error.failure as ApplyFailure
  const message =
    `slot ${slot} cannot be carried out: ${what}. Nothing was made. Where another version can carry it out, use that; otherwise add ` +
    `--skip-slot ${slot}: nothing of the slot takes effect in the new cluster then`
  return new CliError(message, EXIT.failed, { cause: error })
}

function collect(value: string, all: readonly string[] = []): string[] {
  return [...all, notEmpty(value)]
}

function warning({ clusterId, nodeIds, decidedUpTo, votedUpTo, missing, voterIds, damaged, notLookedAt }: Survivors): string[] {
  const nodes = nodeIds.length === 1 ? `node ${nodeIds[0]}` : `nodes ${nodeIds.join(' and ')}`
  const title = `WARNING: this gives cluster ${clusterId} up for good; another begins with what is left on ${nodes}.`
  const gaps = missing.length === 0 ? '' : `, and slots ${missing.slice(0, 10).join(', ')}${missing.length > 10 ? ', …' : ''}`
  return [
    styled('red', title, process.stderr),
    `  kept for sure:         slots up to ${decidedUpTo}, which are known to be decided`,
    `  kept, decided or not:  ${votes(decidedUpTo, votedUpTo, missing.length)}`,
    `  lost for good:         whatever was acknowledged above that without a vote of ${nodes}${gaps}`,
    ...damaged.map(
      ({ nodeId, directory, lostWriteCount }) =>
        `  damaged:               ${directory} of node ${nodeId} has lost ${endOf(lostWriteCount)}; what only that held is lost, too, slots ` +
        'that were known to be decided among it',
    ),
    ...notLookedAt.map((folder) => `  not looked at:         ${folder}, found damaged earlier: it may know more`),
    `  must never run again:  any node of that cluster from its old directory; its voters were ${voterIds.join(', ')}`,
  ]
}

/** Describes how a directory's log ends. */
function endOf(writeCount: number | undefined): string {
  return writeCount === undefined
    ? 'its end, nobody knows how much'
    : `its last ${writeCount === 1 ? 'write' : `${writeCount} writes`}`
}

function votes(decidedUpTo: number, votedUpTo: number, missingCount: number): string {
  if (votedUpTo === decidedUpTo) return 'nothing; there is no vote above that'
  return `${votedUpTo - decidedUpTo - missingCount} slots from ${decidedUpTo + 1} to ${votedUpTo} with a vote`
}

/** Asks for the cluster's id. @throws CliError unless the answer is right */
async function askFor(clusterId: string): Promise<void> {
  process.stderr.write("type the cluster's id to go on: ")
  const lines = createInterface({ input: process.stdin })
  let answer = ''
  for await (const line of lines) {
    answer = line.trim()
    break
  }
  lines.close()
  if (answer !== clusterId) throw new CliError('that is not its id; nothing was done')
}
