import { randomUUID } from 'node:crypto'
import { type Command, Option } from 'commander'
import type { Account, Movement, ResponseHeader } from '../client/client.js'
import { accountTable, movementTable, movementToJson } from './bank-views.js'
import {
  amount,
  type ClientFlags,
  consistencyOf,
  consistencyOption,
  outcomeCounts,
  wholeNumber,
  withClient,
  withClientFlags,
} from './cli-options.js'
import { note, print, printJson } from './output.js'
import { PAGE_SIZE, take } from './print-pages.js'

type IdFlags = ClientFlags & { readonly id?: string }

/** Adds the commands that move money and those that show movements. */
export function addMovementCommands(bank: Command): void {
  addWithdraw(bank)
  addTransfer(bank)
  addPost(bank)
  addVoid(bank)
  addMovements(bank)
}

function addWithdraw(bank: Command): void {
  withId(withClientFlags(outcomeCounts(bank.command('withdraw')).argument('<account>').argument('<amount>', '', amount)))
    .description('take money out')
    .addHelpText('after', '\nExample:\n  $ synod bank withdraw alice 500')
    .action(async (accountId: string, value: bigint, flags: IdFlags) => {
      const withdrawalId = idOf(flags)
      const response = await withClient(flags, (client) => client.bank.withdraw({ withdrawalId, accountId, amount: value }))
      await show(flags, response, [response.account])
    })
}

function addTransfer(bank: Command): void {
  withId(
    withClientFlags(
      outcomeCounts(bank.command('transfer')).argument('<source>').argument('<destination>').argument('<amount>', '', amount),
    ),
  )
    .description('move money between two accounts of one asset')
    .option('--pending', 'only hold it, until it is posted or voided')
    .addOption(
      new Option('--hold-ms <ms>', 'with --pending: how long the hold lasts').argParser(wholeNumber(1, Number.MAX_SAFE_INTEGER)),
    )
    .addHelpText('after', '\nExample:\n  $ synod bank transfer alice bob 2500')
    .action(async (from: string, to: string, value: bigint, flags: IdFlags & { pending?: true; holdMs?: number }) => {
      const request = {
        transferId: idOf(flags),
        sourceAccountId: from,
        destinationAccountId: to,
        amount: value,
        pending: flags.pending ?? false,
        ...(flags.holdMs === undefined ? {} : { timeoutMs: flags.holdMs }),
      }
      const response = await withClient(flags, (client) => client.bank.transfer(request))
      await show(flags, response, [response.source, response.destination])
    })
}

function addPost(bank: Command): void {
  withClientFlags(outcomeCounts(bank.command('post')).argument('<id>').argument('[amount]', 'less than what is held', amount))
    .description('carry out a pending transfer')
    .addHelpText('after', '\nExample:\n  $ synod bank post 6f1c… 2000')
    .action(async (transferId: string, value: bigint | undefined, flags: ClientFlags) => {
      const request = { transferId, amount: value ?? 0n }
      const response = await withClient(flags, (client) => client.bank.postTransfer(request))
      await show(flags, response, [response.source, response.destination])
    })
}

function addVoid(bank: Command): void {
  withClientFlags(outcomeCounts(bank.command('void')).argument('<id>'))
    .description('cancel a pending transfer and release its hold')
    .addHelpText('after', '\nExample:\n  $ synod bank void 6f1c…')
    .action(async (transferId: string, flags: ClientFlags) => {
      const response = await withClient(flags, (client) => client.bank.voidTransfer({ transferId }))
      await show(flags, response, [response.source, response.destination])
    })
}

function addMovements(bank: Command): void {
  withClientFlags(bank.command('movements').argument('<account>'))
    .description("list an account's movements, oldest first")
    .addOption(new Option('--limit <count>', 'at most this many').argParser(wholeNumber(1, 2 ** 31 - 1)).default(100))
    .option('--descending', 'newest first')
    .addOption(consistencyOption())
    .addHelpText('after', '\nExample:\n  $ synod bank movements alice --limit 10 --descending')
    .action(async (accountId: string, flags: ClientFlags & { limit: number; descending?: true; consistency: string }) => {
      const { Order } = await import('../client/client.js')
      const request = {
        accountId,
        pageSize: Math.min(flags.limit, PAGE_SIZE),
        order: flags.descending ? Order.DESCENDING : Order.ASCENDING,
        consistency: await consistencyOf(flags.consistency),
      }
      const movements = await withClient(flags, (client) => take(client.bank.listAllMovements(request), flags.limit))
      if (flags.json) printJson(await Promise.all(movements.map(movementToJson)))
      else print(await movementTable(movements))
    })
}

function withId(command: Command): Command {
  return command.option('--id <id>', "the movement's id; a random one without it. Repeating a call under its id is safe")
}

/** Prints a random id before the call: a caller that does not learn the outcome can retry with it. */
function idOf(flags: IdFlags): string {
  if (flags.id !== undefined) return flags.id
  const id = randomUUID()
  note(`id ${id}`)
  return id
}

async function show(
  flags: ClientFlags,
  { header, movement }: { header: ResponseHeader; movement: Movement },
  accounts: readonly Account[],
): Promise<void> {
  if (flags.json) return printJson({ header, movement: await movementToJson(movement), accounts })
  print(await movementTable([movement]))
  print('')
  print(accountTable(accounts))
}
