import { type Command, Option } from 'commander'
import type { KeyValuePair } from '../client/client.js'
import {
  type ClientFlags,
  consistencyOf,
  consistencyOption,
  outcomeCounts,
  wholeNumber,
  withClient,
  withClientFlags,
} from './cli-options.js'
import { EXIT, usageError } from './failure.js'
import { readBytes } from './input.js'
import { addTxn } from './kv-txn.js'
import { note, print, printJson, writeOut } from './output.js'
import { PAGE_SIZE, take } from './print-pages.js'
import { shown, shownBytes } from './shown.js'

interface ListFlags extends ClientFlags {
  readonly start?: string
  readonly end?: string
  readonly limit?: number
  readonly keysOnly?: true
  readonly countOnly?: true
  readonly descending?: true
  readonly consistency: string
}

export function addKeyValueCommands(program: Command): void {
  const kv = program.command('kv').description('keys and values')
  addPut(kv)
  addGet(kv)
  addDelete(kv)
  addList(kv)
  addTxn(kv)
}

function addPut(kv: Command): void {
  withClientFlags(
    outcomeCounts(kv.command('put')).argument('<key>').argument('[value]', 'the value; - for stdin, which may hold any bytes'),
  )
    .description('set a key')
    .option('--file <file>', 'instead of a value: the bytes of a file')
    .addHelpText('after', '\nExample:\n  $ synod kv put greeting hello\n  revision 2')
    .action(async (key: string, value: string | undefined, flags: ClientFlags & { file?: string }) => {
      if ((value === undefined) === (flags.file === undefined))
        throw usageError("missing required argument 'value', or --file; not both")
      const file = flags.file ?? (value === '-' ? value : undefined)
      const bytes = file === undefined ? (value ?? '') : readBytes(file, 'the value')
      const response = await withClient(flags, (client) => client.kv.put(key, bytes))
      if (flags.json) printJson(response)
      else print(`revision ${response.revision}`)
    })
}

function addGet(kv: Command): void {
  withClientFlags(kv.command('get').argument('<key>'))
    .description('read a key; exit code 1 when there is none')
    .addOption(consistencyOption())
    .addOption(new Option('--raw', 'print the bytes of the value and nothing else').conflicts('json'))
    .addHelpText('after', '\nExample:\n  $ synod kv get greeting\n  hello')
    .action(async (key: string, flags: ClientFlags & { consistency: string; raw?: true }) => {
      const consistency = await consistencyOf(flags.consistency)
      const response = await withClient(flags, (client) => client.kv.get(key, { consistency }))
      if (flags.json) printJson(response)
      else if (response.pair !== undefined) printValue(response.pair.value, flags)
      if (response.pair !== undefined) return
      note(`no such key: ${shown(key, process.stderr)}`)
      process.exitCode = EXIT.failed
    })
}

function addDelete(kv: Command): void {
  withClientFlags(outcomeCounts(kv.command('del')).argument('[key]'))
    .description('delete a key, or all keys with a prefix')
    .option('--prefix <prefix>', 'delete every key that begins with this')
    .option('--all', 'delete every key there is')
    .addHelpText('after', '\nExample:\n  $ synod kv del --prefix user/\n  deleted 2')
    .action(async (key: string | undefined, flags: ClientFlags & { prefix?: string; all?: true }) => {
      const target = deletionOf(key, flags)
      const response = await withClient(flags, (client) => client.kv.delete(target))
      if (flags.json) printJson(response)
      else print(`deleted ${response.deletedCount}`)
    })
}

/** Refuses an empty prefix, which every key has: a variable that is not set must not delete all keys. @throws CliError (usage) */
function deletionOf(
  key: string | undefined,
  { prefix, all }: { prefix?: string; all?: true },
): { key: string } | { prefix: string } | { all: true } {
  const isAll = all === true && key === undefined && !prefix
  if (isAll) return { all: true }
  if (all || (key === undefined) === (prefix === undefined)) throw usageError('give either a key or --prefix, or --all')
  if (key !== undefined) return { key }
  if (prefix) return { prefix }
  throw usageError('--prefix must not be empty, as every key has an empty prefix; --all deletes all keys')
}

function addList(kv: Command): void {
  withClientFlags(kv.command('list').argument('[prefix]', 'only keys that begin with this'))
    .description('list keys and values in the order of their UTF-8 bytes, one pair a line, separated by a tab')
    .option('--start <key>', 'from this key on (not with a prefix)')
    .option('--end <key>', 'up to, not including, this key')
    .addOption(new Option('--limit <count>', 'at most this many').argParser(wholeNumber(1, 2 ** 31 - 1)))
    .option('--keys-only', 'leave the values out')
    .option('--count-only', 'only count')
    .option('--descending', 'from the last to the first')
    .addOption(consistencyOption())
    .addHelpText('after', '\nExample:\n  $ synod kv list user/ --limit 2\n  user/1\tAnn\n  user/2\tBen')
    .action(async (prefix: string | undefined, flags: ListFlags) => {
      const { Order } = await import('../client/client.js')
      const request = {
        prefix: prefix ?? '',
        start: flags.start ?? '',
        end: flags.end ?? '',
        keysOnly: flags.keysOnly ?? false,
        order: flags.descending ? Order.DESCENDING : Order.ASCENDING,
        consistency: await consistencyOf(flags.consistency),
        limit: Math.min(flags.limit ?? PAGE_SIZE, PAGE_SIZE),
      }
      if (flags.countOnly) {
        const response = await withClient(flags, (client) => client.kv.list({ ...request, countOnly: true }))
        return flags.json ? printJson(response) : print(String(response.count))
      }
      const pairs = await withClient(flags, (client) => take(client.kv.listAll(request), flags.limit))
      if (flags.json) printJson(pairs)
      else for (const pair of pairs) printPair(pair, request.keysOnly)
    })
}

/** Writes a value: with --raw its bytes; otherwise with a line end, and with escapes on a terminal. */
function printValue(value: Uint8Array, { raw }: { raw?: true }): void {
  if (raw) return writeOut(value)
  if (process.stdout.isTTY) return print(shownBytes(value))
  writeOut(Buffer.concat([value, Buffer.from('\n')]))
}

function printPair({ key, value }: KeyValuePair, isKeyOnly: boolean): void {
  if (isKeyOnly) return print(shown(key))
  if (process.stdout.isTTY) return print(`${shown(key)}\t${shown(shownBytes(value))}`)
  writeOut(Buffer.concat([Buffer.from(`${key}\t`), value, Buffer.from('\n')]))
}
