import type { Command } from 'commander'
import { outcomeCounts } from './cli-options.js'
import { checkFiles } from './sim-files.js'
import { addSimFlags, checkTogether, type SimFlags } from './sim-flags.js'

export function addSimCommand(program: Command): void {
  addSimFlags(
    outcomeCounts(program.command('sim')).description(
      'simulate whole clusters, each with all its faults drawn from one seed, and check every guarantee',
    ),
  ).action(async (flags: SimFlags) => {
    checkTogether(flags)
    checkFiles(flags)
    // The simulator and the code that it runs are loaded only here: `--help` needs neither.
    if (flags.seed !== undefined || flags.plan !== undefined) {
      const { simulateOne } = await import('./sim-one.js')
      process.exitCode = await simulateOne(flags)
    } else {
      const { simulateMany } = await import('./sim-many.js')
      process.exitCode = await simulateMany(flags)
    }
  })
}
