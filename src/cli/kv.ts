import { readFileSync } from 'node:fs'
import { type Command, Option } from 'commander'
import type { KeyValuePair, OperationOutput, TxnInput } from '../client/client.js'
import { movementToJson } from './bank-views.js'
import { EXIT, usageError } from './failure.js'
import { type ClientFlags, consistencyOf, consistencyOption, wholeNumber, withClient, withClientFlags } from './options.js'
import { note, print, printJson } from './output.js'
import { PAGE_SIZE, take } from './pages.js'

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
  withClientFlags(kv.command('put').argument('<key>').argument('<value>', 'the value; - reads it from stdin'))
    .description('set a key')
    .addHelpText('after', '\nExample:\n  $ synod kv put greeting hello\n  revision 1')
    .action(async (key: string, value: string, flags: ClientFlags) => {
      const bytes = value === '-' ? readFileSync(0) : value
      const response = await withClient(flags, (client) => client.kv.put(key, bytes))
      if (flags.json) printJson(response)
      else print(`revision ${response.revision}`)
    })
}

function addGet(kv: Command): void {
  withClientFlags(kv.command('get').argument('<key>'))
    .description('read a key; exit code 1 when there is none')
    .addOption(consistencyOption())
    .addHelpText('after', '\nExample:\n  $ synod kv get greeting\n  hello')
    .action(async (key: string, flags: ClientFlags & { consistency: string }) => {
      const consistency = await consistencyOf(flags.consistency)
      const response = await withClient(flags, (client) => client.kv.get(key, { consistency }))
      if (flags.json) printJson(response)
      else if (response.pair !== undefined) printValue(response.pair.value)
      if (response.pair !== undefined) return
      note(`no such key: ${key}`)
      process.exitCode = EXIT.failed
    })
}

function addDelete(kv: Command): void {
  withClientFlags(kv.command('del').argument('[key]'))
    .description('delete a key, or all keys with a prefix')
    .option('--prefix <prefix>', 'delete every key that begins with this')
    .addHelpText('after', '\nExample:\n  $ synod kv del --prefix user/\n  deleted 2')
    .action(async (key: string | undefined, flags: ClientFlags & { prefix?: string }) => {
      if ((key === undefined) === (flags.prefix === undefined)) throw usageError('give either a key or --prefix')
      const target = key === undefined ? { prefix: flags.prefix ?? '' } : { key }
      const response = await withClient(flags, (client) => client.kv.delete(target))
      if (flags.json) printJson(response)
      else print(`deleted ${response.deletedCount}`)
    })
}

function addList(kv: Command): void {
  withClientFlags(kv.command('list').argument('[prefix]', 'only keys that begin with this'))
    .description('list keys and values in the order of their UTF-8 bytes, a line each with a tab between')
    .option('--start <key>', 'from this key on (not with a prefix)')
    .option('--end <key>', 'up to, not including, this key')
    .addOption(new Option('--limit <count>', 'at most so many').argParser(wholeNumber(1, 2 ** 31 - 1)))
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

function addTxn(kv: Command): void {
  withClientFlags(kv.command('txn').argument('<json>', 'compare, then, else; - reads it from stdin'))
    .description('compare, then carry out one of two lists of operations, on keys and on the bank')
    .addHelpText(
      'after',
      `
Example:
  $ synod kv txn '{"compare": [{"key": "lock", "version": 0}],
                   "then": [{"put": {"key": "lock", "value": "me"}}],
                   "else": [{"get": {"key": "lock"}}]}'`,
    )
    .action(async (json: string, flags: ClientFlags) => {
      const { CompareOperator } = await import('../client/client.js')
      const input = parseTxn(json === '-' ? readFileSync(0, 'utf8') : json, CompareOperator)
      const response = await withClient(flags, (client) => client.kv.txn(input))
      const responses = await Promise.all(response.responses.map(outputToJson))
      if (flags.json) return printJson({ ...response, responses })
      print(response.succeeded ? 'the conditions held: then' : 'a condition did not hold: else')
      for (const output of responses) printJson(output)
    })
}

const INT64_FIELDS: ReadonlySet<string> = new Set(['version', 'createRevision', 'modRevision', 'amount', 'overdraftLimit'])

/** JSON has no int64 and no bytes: those fields may be numbers or strings, and base64. */
function parseTxn(json: string, operators: Readonly<Record<string, unknown>>): TxnInput {
  try {
    const input: unknown = JSON.parse(json, (name, value: unknown) => {
      if (INT64_FIELDS.has(name) && (typeof value === 'number' || typeof value === 'string')) return int64(name, value)
      if (name === 'signature' && typeof value === 'string') return Buffer.from(value, 'base64')
      if (name === 'operator' && typeof value === 'string') return operators[value] ?? unknownOperator(value)
      return value
    })
    if (typeof input === 'object' && input !== null && !Array.isArray(input)) return input
  } catch (error) {
    throw usageError(`the transaction is not valid${error instanceof SyntaxError ? ' JSON' : ''}: ${(error as Error).message}`)
  }
  throw usageError('the transaction must be a JSON object with compare, then and else')
}

/** With the enums of movements by name. */
async function outputToJson(output: OperationOutput): Promise<unknown> {
  for (const [name, response] of Object.entries(output)) {
    if (!('movement' in response) || response.movement === undefined) continue
    return { [name]: { ...response, movement: await movementToJson(response.movement) } }
  }
  return output
}

/** A number that JSON has rounded is refused: another amount would be moved than was asked for. */
function int64(name: string, value: number | string): bigint {
  if (Number.isSafeInteger(value) || (typeof value === 'string' && /^-?\d+$/.test(value))) return BigInt(value)
  throw new RangeError(`${name} must be a whole number, as a string when it is above 2^53`)
}

function unknownOperator(name: string): never {
  throw new RangeError(`operator ${name}: it must be EQUAL, NOT_EQUAL, LESS or GREATER`)
}

/** Bytes as they are, and the end of a line. */
function printValue(value: Uint8Array): void {
  process.stdout.write(Buffer.concat([value, Buffer.from('\n')]))
}

function printPair({ key, value }: KeyValuePair, isKeyOnly: boolean): void {
  if (isKeyOnly) print(key)
  else printValue(Buffer.concat([Buffer.from(`${key}\t`), value]))
}
