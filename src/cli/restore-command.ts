import { type Command, InvalidArgumentError, Option } from 'commander'
import { outcomeCounts, wholeNumber } from './cli-options.js'
import { type NewClusterFlags, newClusterOf, show, withNewClusterFlags } from './new-cluster-plan.js'

const HELP = `
The new cluster has its own id, so its nodes and those of the old cluster refuse each other. Balances, keys, histories, bank
authorities, and the records that make retries exactly-once are restored.

Example:
  $ synod restore bank-2026-11-26.synod --out restored --peers 1=127.0.0.1:7201/127.0.0.1:7101`

interface RestoreFlags extends NewClusterFlags {
  readonly toSlot?: number
  readonly toTime?: number
}

export function addRestoreCommand(program: Command): void {
  withNewClusterFlags(outcomeCounts(program.command('restore')).argument('<file>', 'from `synod backup`'))
    .description('make the data directories of a new cluster from a backup')
    .addOption(
      new Option('--to-slot <slot>', 'stop after this slot; `synod backup --inspect` prints the range')
        .argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER))
        .conflicts('toTime'),
    )
    .addOption(new Option('--to-time <time>', 'stop at this log time, e.g. 2026-11-26T10:00:00Z').argParser(time))
    .addHelpText('after', HELP)
    .action(async (file: string, flags: RestoreFlags) => {
      const plan = newClusterOf(flags)
      const { restoreBackup } = await import('../server/backup/restore.js')
      const target = {
        ...(flags.toSlot === undefined ? {} : { toSlot: flags.toSlot }),
        ...(flags.toTime === undefined ? {} : { toTimeMs: flags.toTime }),
      }
      await show(await restoreBackup(file, plan, target), plan, flags)
    })
}

/** Parses ISO 8601 with a zone, for commander: without a zone the time would depend on the machine. */
function time(text: string): number {
  const day = /^(\d{4}-\d\d-\d\d)T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.exec(text)?.[1] ?? ''
  // Date.parse takes February 30 for March 2.
  const isDay = !Number.isNaN(Date.parse(day)) && new Date(day).toISOString().startsWith(day)
  const timeMs = isDay ? Date.parse(text) : Number.NaN
  if (Number.isNaN(timeMs)) throw new InvalidArgumentError('It must be a time such as 2026-11-26T10:00:00Z.')
  return timeMs
}
