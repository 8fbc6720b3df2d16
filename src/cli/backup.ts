import { closeSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { BackupSummary } from '../server/backup/inspect.js'
import { CliError } from './failure.js'
import { type ClientFlags, consistencyOf, withClient, withClientFlags } from './options.js'
import { formatTable, note, print, printJson } from './output.js'

const HELP = `
A backup is taken from a running cluster, at no cost to it but the reading: a consistent cut at a slot, with checksums, in one file.
\`synod restore\` makes a new cluster from it, at its last slot or at any from its checkpoint's on.

Example:
  $ synod backup bank-2026-11-26.synod
  $ synod backup --inspect bank-2026-11-26.synod`

export function addBackupCommand(program: Command): void {
  withClientFlags(program.command('backup').argument('<file>'), { timeoutMeans: 'how long to wait for the next piece of it' })
    .description('write a backup of the cluster to a file')
    .addOption(new Option('--stale', 'what one node knows, perhaps old: needs no majority').conflicts('inspect'))
    .addOption(new Option('--inspect', 'read a backup instead: whether it is whole, and what it holds'))
    .addHelpText('after', HELP)
    .action(async (file: string, flags: ClientFlags & { inspect?: true; stale?: true }) => {
      const summary = flags.inspect ? await inspect(file) : await backUp(file, flags)
      if (flags.json) printJson(summary)
      else print(formatTable(HEAD, await rowsOf(file, summary)))
      if (!flags.inspect) note(`${file} is whole, and on disk`)
    })
}

const HEAD = ['backup', '']

async function backUp(file: string, flags: ClientFlags & { stale?: true }): Promise<BackupSummary> {
  const consistency = await consistencyOf(flags.stale ? 'stale' : 'linearizable')
  return withClient(flags, (client) => save(file, client.cluster.backup({ consistency })))
}

async function inspect(file: string): Promise<BackupSummary> {
  const { inspectBackup } = await import('../server/backup/inspect.js')
  return inspectBackup(file)
}

/** Writes the file, and reads it while it is written: what stands under its name in the end is whole. */
async function save(file: string, chunks: AsyncIterable<Uint8Array>): Promise<BackupSummary> {
  const [{ summariseBackup }, { renameSynced }] = await Promise.all([
    import('../server/backup/inspect.js'),
    import('../storage/files.js'),
  ])
  const path = resolve(file)
  const partial = `${path}.partial`
  const fd = openForWriting(partial)
  let isOpen = true
  try {
    const summary = await summariseBackup(written(chunks, fd))
    fsyncSync(fd)
    closeSync(fd)
    isOpen = false
    renameSynced(partial, path)
    return summary
  } catch (error) {
    if (isOpen) closeSync(fd)
    rmSync(partial, { force: true })
    throw error
  }
}

function openForWriting(path: string): number {
  try {
    return openSync(path, 'w', 0o600)
  } catch (error) {
    throw new CliError(`cannot write to ${dirname(path)}: ${(error as Error).message}`)
  }
}

async function* written(chunks: AsyncIterable<Uint8Array>, fd: number): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done)
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
