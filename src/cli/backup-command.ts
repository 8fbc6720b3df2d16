import { type Command, Option } from 'commander'
import type { BackupSummary } from '../server/backup/inspect.js'
import { type ClientFlags, consistencyOf, withClient, withClientFlags } from './cli-options.js'
import { isClosed } from './closed.js'
import { usageError } from './failure.js'
import { checkPlace, NewFile, PRIVATE } from './new-file.js'
import { formatTable, jsonOf, note, print, writeData } from './output.js'
import { shown } from './shown.js'

const HELP = `
A backup is one file with checksums: a consistent cut of a running cluster at a slot. It costs the cluster only the reading.
\`synod restore\` makes a new cluster from it, as of its last slot or any slot from its checkpoint on.

Example:
  $ synod backup bank-2026-11-26.synod
  $ synod backup --inspect bank-2026-11-26.synod`

export function addBackupCommand(program: Command): void {
  withClientFlags(program.command('backup').argument('<file>', '- for stdout; with --inspect, stdin'), {
    timeoutMeans: 'how long to wait for the next piece of it',
  })
    .description('write a backup of the cluster to a file')
    .addOption(new Option('--stale', 'back up the state of one node, perhaps old; needs no majority').conflicts('inspect'))
    .addOption(new Option('--inspect', 'check a backup instead, and show what it holds'))
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ClientFlags & { inspect?: true; stale?: true }) => {
      const summary = flags.inspect ? await inspect(file) : await backUp(file, flags)
      const isOnStdout = file === '-' && !flags.inspect
      const tell = isOnStdout ? note : print
      tell(flags.json ? jsonOf(summary) : formatTable(HEAD, await rowsOf(file, summary)))
      if (!flags.inspect) note(isOnStdout ? 'the backup is whole' : `${shown(file, process.stderr)} is whole, and on disk`)
    })
}

const HEAD = ['backup', '']

async function backUp(file: string, flags: ClientFlags & { stale?: true }): Promise<BackupSummary> {
  if (file === '-' && process.stdout.isTTY) throw usageError('a backup is not for a terminal: name a file, or send stdout to one')
  if (file === '-' && isClosed(1)) throw usageError('stdout is closed: nobody would get the backup')
  if (file !== '-') checkPlace(file)
  const consistency = await consistencyOf(flags.stale ? 'stale' : 'linearizable')
  return withClient(flags, (client) => save(file, client.cluster.backup({ consistency })))
}

async function inspect(file: string): Promise<BackupSummary> {
  const { inspectBackup } = await import('../server/backup/inspect.js')
  return inspectBackup(file)
}

/** Writes the file and verifies it meanwhile: it gets its name only when it is whole. */
async function save(file: string, chunks: AsyncIterable<Uint8Array>): Promise<BackupSummary> {
  const { summariseBackup } = await import('../server/backup/inspect.js')
  if (file === '-') return summariseBackup(passedOn(chunks, writeData))
  const made = new NewFile(file, PRIVATE)
  try {
    const summary = await summariseBackup(passedOn(chunks, (chunk) => made.write(chunk)))
    made.finish()
    return summary
  } finally {
    made.discard()
  }
}

async function* passedOn(
  chunks: AsyncIterable<Uint8Array>,
  write: (chunk: Uint8Array) => void | Promise<void>,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    await write(chunk)
    yield chunk
  }
}

async function rowsOf(file: string, summary: BackupSummary): Promise<string[][]> {
  const { formatTime } = await import('../server/backup/restore.js')
  const { firstSlot, lastSlot, firstTimeMs, lastTimeMs, records } = summary
  const count = (kind: string): string => String(records[kind] ?? 0)
  return [
    ['file', `${file}, ${summary.bytes} bytes`],
    ['sha256', summary.sha256],
    ['cluster', summary.clusterId],
    ['level', String(summary.level)],
    ['made', `${formatTime(summary.madeAtMs)} by node ${summary.nodeId}, Synod ${summary.version}`],
    ['--to-slot', `${firstSlot} to ${lastSlot}`],
    ['--to-time', `${formatTime(firstTimeMs)} to ${formatTime(lastTimeMs)}`],
    [
      `at slot ${firstSlot}`,
      `${count('account')} accounts, ${count('key')} keys, ${count('movement')} movements, ${count('session')} sessions`,
    ],
    ['members', summary.members.map(({ nodeId, clientAddress }) => `${nodeId} (${clientAddress})`).join(', ')],
  ]
}
