import { randomUUID } from 'node:crypto'
import { type Command, Option } from 'commander'
import type { Authority } from '../client/client.js'
import { addMovementCommands } from './bank-movements.js'
import { accountTable, movementToJson } from './bank-views.js'
import {
  amount,
  type ClientFlags,
  consistencyOf,
  consistencyOption,
  dataOption,
  minorUnits,
  outcomeCounts,
  withClient,
  withClientFlags,
} from './cli-options.js'
import { devKeyFile, formatKeyFile, readKeyFile, toBase64, writeKeyFile } from './key-file.js'
import { note, print, printJson } from './output.js'
import { PAGE_SIZE, take } from './print-pages.js'

interface SigningFlags {
  readonly asset: string
  readonly id?: string
  readonly key?: string
  readonly data: string
}

export function addBankCommands(program: Command): void {
  const bank = program.command('bank').description('accounts and movements; amounts are whole minor units')
  addOpen(bank)
  addDeposit(bank)
  addMovementCommands(bank)
  addBalance(bank)
  addAccounts(bank)
  addKeygen(bank)
  addSign(bank)
}

function addOpen(bank: Command): void {
  withClientFlags(outcomeCounts(bank.command('open')).argument('<account>'))
    .description('open an account')
    .requiredOption('--asset <code>', 'the asset it holds')
    .addOption(
      new Option('--overdraft <amount>', 'the overdraft limit: how far below zero the balance may go').argParser(minorUnits),
    )
    .addHelpText('after', '\nExample:\n  $ synod bank open alice --asset EUR')
    .action(async (accountId: string, flags: ClientFlags & { asset: string; overdraft?: bigint }) => {
      const request = { accountId, asset: flags.asset, overdraftLimit: flags.overdraft ?? 0n }
      const { account, header } = await withClient(flags, (client) => client.bank.openAccount(request))
      if (flags.json) printJson({ header, account })
      else print(accountTable([account]))
    })
}

function addDeposit(bank: Command): void {
  withSigningFlags(withClientFlags(outcomeCounts(bank.command('deposit')).argument('<account>').argument('<amount>', '', amount)))
    .description('bring money in, signed by an authority')
    .addHelpText('after', '\nExample:\n  $ synod bank deposit alice 10000 --asset EUR')
    .action(async (accountId: string, value: bigint, flags: ClientFlags & SigningFlags) => {
      const authority = await authorityOf(flags)
      const deposit = { depositId: flags.id ?? randomUUID(), accountId, asset: flags.asset, amount: value, authority }
      if (flags.id === undefined) note(`deposit id ${deposit.depositId}`)
      const { account, movement, header } = await withClient(flags, (client) => client.bank.deposit(deposit))
      if (flags.json) printJson({ header, movement: await movementToJson(movement), account })
      else print(accountTable([account]))
    })
}

function addBalance(bank: Command): void {
  withClientFlags(bank.command('balance').argument('<account>'))
    .description('read an account')
    .addOption(consistencyOption())
    .addHelpText('after', '\nExample:\n  $ synod bank balance alice')
    .action(async (accountId: string, flags: ClientFlags & { consistency: string }) => {
      const consistency = await consistencyOf(flags.consistency)
      const { account, header } = await withClient(flags, (client) => client.bank.getBalance(accountId, { consistency }))
      if (flags.json) printJson({ header, account })
      else print(accountTable([account]))
    })
}

function addAccounts(bank: Command): void {
  withClientFlags(bank.command('accounts'))
    .description('list all accounts')
    .addOption(consistencyOption())
    .addHelpText('after', '\nExample:\n  $ synod bank accounts --json')
    .action(async (flags: ClientFlags & { consistency: string }) => {
      const request = { pageSize: PAGE_SIZE, consistency: await consistencyOf(flags.consistency) }
      const accounts = await withClient(flags, (client) => take(client.bank.listAllAccounts(request)))
      if (flags.json) printJson(accounts)
      else print(accountTable(accounts))
    })
}

function addKeygen(bank: Command): void {
  bank
    .command('keygen')
    .argument('[file]', 'where to keep the key; without it, stdout')
    .description("make an authority's ed25519 key")
    .option('--id <authority>', "the authority's id", 'authority')
    .option('--json', 'print one JSON value')
    .addHelpText('after', '\nExample:\n  $ synod bank keygen mint.json --id mint')
    .action(async (file: string | undefined, flags: { id: string; json?: true }, command: Command) => {
      const { generateKeyPair } = await import('../client/client.js')
      const keys = generateKeyPair()
      if (file === undefined || file === '-') return print(formatKeyFile(flags.id, keys).trimEnd())
      writeKeyFile(file, flags.id, keys)
      outcomeCounts(command)
      const publicKey = toBase64(keys.publicKey)
      if (flags.json) printJson({ authorityId: flags.id, publicKey, file })
      else print(`${flags.id}=${publicKey}`)
      note(`the private key is in ${file}; a new cluster takes --authority ${flags.id}=${publicKey}`)
    })
}

function addSign(bank: Command): void {
  withSigningFlags(bank.command('sign').argument('<account>').argument('<amount>', '', amount))
    .description('sign a deposit without sending it: prints the DepositRequest, as grpcurl takes it')
    .addHelpText(
      'after',
      '\nExample:\n  $ synod bank sign alice 100 --asset EUR | grpcurl -plaintext -d @ 127.0.0.1:7101 synod.bank.v1.BankService/Deposit',
    )
    .option('--json', 'print one JSON value (it does so anyway)')
    .action(async (accountId: string, value: bigint, flags: SigningFlags) => {
      const { signDeposit } = await import('../client/client.js')
      const authority = await authorityOf(flags)
      const depositId = flags.id ?? randomUUID()
      const signed = signDeposit(authority, { depositId, accountId, asset: flags.asset, amount: value })
      printJson({ ...signed, signature: toBase64(signed.signature) })
    })
}

function withSigningFlags(command: Command): Command {
  return command
    .requiredOption('--asset <code>', "the account's asset")
    .option('--id <id>', "the deposit's id; a random one without it. Repeating a call under its id is safe")
    .option('--key <file>', "the authority's key, from `synod bank keygen`; without it, the dev authority's")
    .addOption(dataOption())
}

function authorityOf(flags: SigningFlags): Promise<Authority> {
  return readKeyFile(flags.key ?? devKeyFile(flags.data))
}
