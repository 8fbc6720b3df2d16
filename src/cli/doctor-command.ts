import { type Command, Option } from 'commander'
import type { RecordCount } from '../storage/doctor/census.js'
import type { Diagnosis } from '../storage/doctor/diagnose.js'
import type { Finding } from '../storage/doctor/findings.js'
import type { Inventory } from '../storage/doctor/inventory.js'
import { notEmpty, outcomeCounts } from './cli-options.js'
import { EXIT } from './failure.js'
import { formatBytes, formatTable, print, printJson, styled, type TableCell } from './output.js'
import { withCommands } from './remedies.js'

const HELP = `
Reads every file and every record of a node's data directory, checks each one and all against one another, and changes nothing. Stop the
node first: the files of a running node change while they are read. A directory that was replaced as a whole by an older copy looks
healthy here; the node learns it from the others when it starts. Exit code 0: healthy; 1: not.

Example:
  $ synod doctor --data /var/lib/synod
  healthy        /var/lib/synod
  node           2, directory 0b0f8ff4-4c5c-4f0e-9f4e-0d7ac1d4a2a1
  cluster        b9f4b1b5-61e4-4b56-a1e5-8f2c2a0d9b11
  members        1 voter 10.0.0.1:7201, 2 voter 10.0.0.2:7201, 3 voter 10.0.0.3:7201
  last write     4711
  …`

interface DoctorFlags {
  readonly data: string
  readonly json?: true
}

export function addDoctorCommand(program: Command): void {
  outcomeCounts(program.command('doctor'))
    .description('check the data directory of a stopped node, and show what it holds')
    .addOption(
      new Option('--data <dir>', "the node's data directory").env('SYNOD_DATA').argParser(notEmpty).makeOptionMandatory(),
    )
    .addOption(new Option('--json', 'print one JSON value'))
    .addHelpText('after', HELP)
    .action(async ({ data, json }: DoctorFlags) => {
      const { diagnose } = await import('../storage/doctor/diagnose.js')
      const diagnosis = await diagnose(data, showProgress())
      if (json) printJson({ ...diagnosis, findings: diagnosis.findings.map(withRemedyCommands) })
      else show(diagnosis)
      if (!diagnosis.isHealthy) process.exitCode = EXIT.failed
    })
}

/** Progress, on a terminal only, rewritten in place. */
function showProgress(): ((bytesDone: number, bytesTotal: number) => void) | undefined {
  if (!process.stderr.isTTY) return undefined
  return (bytesDone, bytesTotal) => {
    const isDone = bytesDone >= bytesTotal
    process.stderr.write(isDone ? '\r\u001b[K' : `\rreading: ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}\u001b[K`)
  }
}

function show(diagnosis: Diagnosis): void {
  const { isHealthy, directory, findings, contents } = diagnosis
  const verdict: TableCell = isHealthy ? { text: 'healthy', style: 'green' } : { text: 'not healthy', style: 'red' }
  const rows = [...identityRows(diagnosis), ...(contents === undefined ? [] : contentRows(contents)), ...asideRows(diagnosis)]
  print(formatTable([verdict, directory], rows))
  for (const found of findings) showFinding(found)
}

function withRemedyCommands(found: Finding): Finding {
  return { ...found, remedy: withCommands(found.remedy, found.remedies) }
}

function showFinding(found: Finding): void {
  const { code, kind, what, means, remedy } = withRemedyCommands(found)
  const name = kind === 'fault' ? styled('red', code) : styled('bold', code)
  print(`\n${name}: ${what}`)
  print(`  means:  ${means}`)
  if (remedy !== '') print(`  remedy: ${remedy}`)
}

function identityRows({ identity, holder, lastWrite, replaces, contents }: Diagnosis): string[][] {
  const rows: string[][] = []
  if (identity !== undefined) rows.push(['node', `${identity.nodeId}, directory ${identity.dataDirId}`])
  if (replaces !== undefined) rows.push(['takes the place of', `directory ${replaces.dataDirId}`])
  if (holder?.isAlive === true) rows.push(['in use by', `process ${holder.pid} on ${holder.hostname}`])
  const last = contents?.lastWrite ?? lastWrite
  if (last !== undefined) rows.push(['last write', String(last)])
  return rows
}

function contentRows(contents: Inventory): string[][] {
  const { clusterId, membership, promised, checkpoint, incoming, leftOver, log, compactedUpTo } = contents
  const rows = [
    ['cluster', clusterId ?? 'none yet'],
    ['members', membership === undefined ? 'none yet' : formatMembers(membership)],
    ['promise', promised === undefined ? '-' : `${promised.round}.${promised.nodeId}`],
    ['decided up to', `slot ${contents.decidedUpTo}`],
    ['applied up to', `slot ${contents.appliedUpTo}`],
    ['level', contents.level === 0 ? '-' : String(contents.level)],
    ['checkpoint', contents.appliedUpTo === 0 ? 'none yet' : formatCheckpoint(checkpoint)],
    ['log', `${log.count} slots, ${formatBytes(log.bytes)}, from slot ${compactedUpTo + 1} on`],
    ['state', formatEntries(contents.state)],
    ['history', formatEntries(contents.history)],
  ]
  const { skippedSlots } = contents
  if (skippedSlots.length > 0) rows.push(['skipped', `slots ${skippedSlots.slice(-10).join(', ')}`])
  if (incoming !== undefined) {
    const { slot, bytesTotal, received } = incoming
    rows.push(['being fetched', `a checkpoint of slot ${slot}: ${formatEntries(received)} of ${formatBytes(bytesTotal)}`])
  }
  if (leftOver.count > 0) rows.push(['to be deleted', `${formatEntries(leftOver)} of another checkpoint`])
  return rows
}

function asideRows({ setAside }: Diagnosis): string[][] {
  return setAside.map(({ name, bytes, identity }) => [
    'set aside',
    `${name}: ${formatBytes(bytes)}${identity === undefined ? '' : `, directory ${identity.dataDirId}`}`,
  ])
}

function formatMembers({ members }: NonNullable<Inventory['membership']>): string {
  return members
    .map(({ nodeId, votesFrom, peerAddress }) => `${nodeId} ${votesFrom > 0 ? 'voter' : 'learner'} ${peerAddress}`)
    .join(', ')
}

function formatCheckpoint({ timeMs, stateDigest }: Inventory['checkpoint']): string {
  return `of ${new Date(timeMs).toISOString()}, digest ${stateDigest.toString(16).padStart(8, '0')}`
}

function formatEntries({ count, bytes }: RecordCount): string {
  return `${count} entries, ${formatBytes(bytes)}`
}
