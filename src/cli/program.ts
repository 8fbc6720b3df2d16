import { readFileSync } from 'node:fs'
import { Command, type OutputConfiguration } from 'commander'
import { addBackupCommand } from './backup-command.js'
import { addBankCommands } from './bank-command.js'
import { addClusterCommands } from './cluster-command.js'
import { addDemoCommand } from './demo.js'
import { addDevCommand } from './dev.js'
import { addDoctorCommand } from './doctor-command.js'
import { addKeyValueCommands } from './kv-command.js'
import { addMemberCommands } from './members.js'
import { writeOut } from './output.js'
import { addRecoverCommand } from './recover-command.js'
import { addRestoreCommand } from './restore-command.js'
import { shown } from './shown.js'
import { addSimCommand } from './sim.js'
import { addStartCommand } from './start.js'
import { addStatusCommand } from './status.js'
import { addCallCommand } from './with-client.js'

const EXIT_CODES = `
Exit codes:
  0  done
  1  refused, or failed
  2  wrong usage, or an invalid argument
  3  unavailable, or the outcome is unknown
  4  a node has stopped for good: starting it again as it is comes to the same`

function version(): string {
  const file = new URL('../../package.json', import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Escapes what commander prints: error messages quote words of the command line. */
const OUTPUT: OutputConfiguration = {
  writeOut,
  outputError: (text, write) =>
    write(
      text
        .split('\n')
        .map((line) => shown(line, process.stderr))
        .join('\n'),
    ),
}

/**
 * The command line of synod. It throws a CommanderError for wrong usage, after printing it.
 * @param output where commander writes; stdout and stderr by default
 */
export function makeProgram(output: OutputConfiguration = OUTPUT): Command {
  const program = new Command('synod')
    .configureOutput(output)
    .description('A replicated key-value store and bank on one Multi-Paxos log.')
    .version(version())
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help shows how)')
    .addHelpText('after', `${EXIT_CODES}\n\nExample:\n  $ synod dev\n  $ synod kv put greeting hello`)
  addStartCommand(program)
  addDevCommand(program)
  addDemoCommand(program)
  addStatusCommand(program)
  addDoctorCommand(program)
  addMemberCommands(program)
  addClusterCommands(program)
  addBackupCommand(program)
  addRestoreCommand(program)
  addRecoverCommand(program)
  addKeyValueCommands(program)
  addBankCommands(program)
  addCallCommand(program)
  addSimCommand(program)
  return program
}
