import type { Command } from 'commander'
import {
  type ClientFlags,
  consistencyOf,
  consistencyOption,
  outcomeCounts,
  wholeNumber,
  withClient,
  withClientFlags,
} from './cli-options.js'
import { print, printJson } from './output.js'

const QUOTA_HELP = `
Beyond the quota, a command that would make the state grow is refused with QUOTA_EXCEEDED; deletions, voids and reads go on. A new cluster's quota is
what the node with the smallest heap has memory for. Before you raise it, start every node with a larger heap: see docs/limits.md.

Examples:
  $ synod cluster quota
  $ synod cluster quota 2000000000`

export function addClusterCommands(program: Command): void {
  const cluster = program.command('cluster').description('settings of the whole cluster')
  withClientFlags(
    outcomeCounts(cluster.command('quota')).argument(
      '[bytes]',
      'the quota: how large the state may grow',
      wholeNumber(1, 2 ** 53 - 1),
    ),
  )
    .description('show the size and the quota of the replicated state in memory, or set the quota')
    .addOption(consistencyOption())
    .addHelpText('after', QUOTA_HELP)
    .action(async (bytes: number | undefined, flags: ClientFlags & { consistency: string }) => {
      const { header, quotaBytes, stateBytes } = await withClient(flags, async ({ cluster: of }) =>
        bytes === undefined ? of.getQuota({ consistency: await consistencyOf(flags.consistency) }) : of.setQuota(bytes),
      )
      if (flags.json) printJson({ header, quotaBytes, stateBytes })
      else print(quotaLine(stateBytes, quotaBytes))
    })
  addUpgradeCommand(cluster)
}

const UPGRADE_HELP = `
The level says which operations, fields and bounds there are. Install the new version on every node first, one after the other: until the
level is raised any of them may go back. After it, a version that does not know the level stops with UNSUPPORTED_LEVEL.

Examples:
  $ synod cluster upgrade       # to the highest level that every member knows
  $ synod cluster upgrade 2`

function addUpgradeCommand(cluster: Command): void {
  withClientFlags(
    outcomeCounts(cluster.command('upgrade')).argument('[level]', 'the level, for good', wholeNumber(1, 2 ** 32 - 1)),
  )
    .description('raise the level of the log, once every member runs a version that knows it')
    .addHelpText('after', UPGRADE_HELP)
    .action(async (wanted: number | undefined, flags: ClientFlags) => {
      const { header, level } = await withClient(flags, ({ cluster: of }) => of.upgrade(wanted))
      if (flags.json) printJson({ header, level })
      else print(`the log is at level ${level}`)
    })
}

/** Formats the quota for people: "1.5 of 24.0 MiB (6 %)". */
export function quotaLine(stateBytes: number, quotaBytes: number): string {
  if (quotaBytes === 0) return `${mib(stateBytes)} MiB, without a quota`
  return `${mib(stateBytes)} of ${mib(quotaBytes)} MiB (${Math.floor((100 * stateBytes) / quotaBytes)} %)`
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
