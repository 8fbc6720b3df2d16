import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Command } from 'commander'
import type { Client } from '../client/client.js'
import { outcomeCounts } from './cli-options.js'
import { TransferStream } from './demo-load.js'
import { devAuthority } from './dev-directory.js'
import { CliError, EXIT, isSynodError } from './failure.js'
import { devKeyFile, readKeyFile } from './key-file.js'
import { LocalCluster, type LocalNode } from './local-cluster.js'
import { formatTable, note, print, printJson, styled } from './output.js'
import { freePorts } from './ports.js'
import { onStopSignals } from './signals.js'

const NODES = 3
const ACCOUNTS = ['alice', 'bob', 'carol', 'dave', 'erin', 'frank', 'grace', 'heidi']
const DEPOSIT = 1_000_000n
const FORM_MS_MAX = 30_000
const STREAM_MS = 2_000
const CATCH_UP_MS_MAX = 30_000

/** Figures at the end of the run. */
interface Figures {
  readonly acknowledged: number
  readonly lost: number
  readonly outcomeUnknown: number
  readonly nextAcknowledgedAfterKillMs: number
  readonly caughtUpAfterMs: number
  readonly sumHolds: boolean
  readonly everyNodeAgrees: boolean
}

export function addDemoCommand(program: Command): void {
  outcomeCounts(program.command('demo'))
    .description('a guided run on a temporary cluster: money moves, the leader is killed, nothing is lost')
    .option('--json', 'print the figures as one JSON value, the story on stderr')
    .addHelpText('after', '\nExit code 0 only if every sum holds and nothing acknowledged is lost.\n\nExample:\n  $ synod demo')
    .action(async (flags: { json?: true }) => {
      const directory = mkdtempSync(join(tmpdir(), 'synod-demo-'))
      const say = flags.json ? note : print
      try {
        const figures = await runDemo(directory, say)
        if (flags.json) printJson(figures)
        else print(`\n${summary(figures)}`)
        const isGood = figures.lost === 0 && figures.sumHolds && figures.everyNodeAgrees
        if (!isGood) process.exitCode = EXIT.failed
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    })
}

async function runDemo(directory: string, say: (line: string) => void): Promise<Figures> {
  const free = await freePorts(2 * NODES)
  const ports = Array.from({ length: NODES }, (_, i) => ({ client: free[i] ?? 0, peer: free[NODES + i] ?? 0 }))
  const cluster = new LocalCluster({ directory, ports, authority: await devAuthority(directory) })
  onStopSignals({ first: () => quit(cluster, directory), second: () => quit(cluster, directory) })
  const { connect } = await import('../client/client.js')
  const client = connect({ endpoints: cluster.endpoints, timeoutMs: 20_000 })
  try {
    step(say, 1, `Three nodes, three processes, each with its own LevelDB under ${directory}`)
    cluster.prepare()
    const beganMs = performance.now()
    for (const node of cluster.nodes) cluster.spawn(node)
    const leader = await cluster.untilFormed(client, FORM_MS_MAX)
    say(`   up after ${since(beganMs)} ms; node ${leader.nodeId} leads`)
    const opening = await openAccounts(client, directory, say)
    return await moveMoney(cluster, client, opening, say)
  } finally {
    client.close()
    await cluster.stop()
  }
}

async function openAccounts(client: Client, directory: string, say: (line: string) => void): Promise<Map<string, bigint>> {
  step(say, 2, `Eight accounts, each with a deposit of ${DEPOSIT} that the authority has signed with ed25519`)
  const authority = await readKeyFile(devKeyFile(directory))
  await Promise.all(ACCOUNTS.map((accountId) => client.bank.openAccount({ accountId, asset: 'EUR' })))
  await Promise.all(
    ACCOUNTS.map((accountId) =>
      client.bank.deposit({ depositId: `deposit-${accountId}`, accountId, asset: 'EUR', amount: DEPOSIT, authority }),
    ),
  )
  const transfer = { transferId: 'first', sourceAccountId: 'alice', destinationAccountId: 'bob', amount: 2_500n }
  const { source, destination, header } = await client.bank.transfer(transfer)
  say(`   alice sends bob 2500: ${source.balance} and ${destination.balance}, in slot ${header.slot}`)
  await client.bank.transfer({ ...transfer, transferId: 'too much', amount: 99_000_000n }).then(
    () => Promise.reject(new CliError('a transfer of more than alice has was not refused')),
    (error: unknown) => {
      if (!isSynodError(error) || error.reason !== 'INSUFFICIENT_FUNDS') throw error
      say(`   alice sends bob 99000000: refused, ${error.reason}`)
    },
  )
  const opening = new Map(ACCOUNTS.map((accountId) => [accountId, DEPOSIT]))
  return opening.set('alice', source.balance).set('bob', destination.balance)
}

async function moveMoney(
  cluster: LocalCluster,
  client: Client,
  opening: ReadonlyMap<string, bigint>,
  say: (line: string) => void,
): Promise<Figures> {
  step(say, 3, 'A stream of transfers between them, through the SDK')
  const stream = new TransferStream(client, ACCOUNTS)
  stream.start()
  await delay(STREAM_MS)
  const victim = await cluster.untilFormed(client, FORM_MS_MAX)
  say(`   ${stream.acknowledged.length} acknowledged in ${STREAM_MS / 1_000} s`)

  step(say, 4, `kill -9 of node ${victim.nodeId}, the leader, in the middle of it`)
  const next = stream.untilNextAcknowledged()
  await cluster.kill(victim, 'SIGKILL')
  const nextAcknowledgedAfterKillMs = Math.round(await next)
  say(`   the next transfer is acknowledged ${nextAcknowledgedAfterKillMs} ms after the kill`)
  const others = cluster.nodes.filter((node) => node !== victim)
  const leader = await cluster.untilFormed(client, FORM_MS_MAX, others)
  say(`   node ${leader.nodeId} leads now; the stream goes on`)
  await delay(STREAM_MS)

  step(say, 5, `Node ${victim.nodeId} is started again, and catches up`)
  const restartedMs = performance.now()
  cluster.spawn(victim)
  await cluster.untilFormed(client, FORM_MS_MAX)
  await stream.stop()
  await untilLevel(cluster, client)
  const caughtUpAfterMs = since(restartedMs)
  say(`   level with the others ${caughtUpAfterMs} ms after its start`)

  step(say, 6, 'The books')
  const { lost, expected } = await stream.audit(opening)
  const balances = await Promise.all(cluster.nodes.map(balancesAt))
  say(formatTable(['account', ...cluster.nodes.map((node) => `node ${node.nodeId}`), 'expected'], rows(balances, expected)))
  const total = DEPOSIT * BigInt(ACCOUNTS.length)
  return {
    acknowledged: stream.acknowledged.length,
    lost,
    outcomeUnknown: stream.unknown.length,
    nextAcknowledgedAfterKillMs,
    caughtUpAfterMs,
    sumHolds: balances.every((of) => [...of.values()].reduce((sum, balance) => sum + balance, 0n) === total),
    everyNodeAgrees: balances.every((of) => ACCOUNTS.every((account) => of.get(account) === expected.get(account))),
  }
}

/** Resolves when every node has applied the same slots and has the same digest. */
async function untilLevel(cluster: LocalCluster, client: Client): Promise<void> {
  const deadlineMs = performance.now() + CATCH_UP_MS_MAX
  while (performance.now() < deadlineMs) {
    const statuses = await client.cluster.status({ timeoutMs: 1_000 })
    const states = new Set(statuses.map(({ status }) => `${status?.appliedUpTo} ${status?.stateDigest}`))
    if (states.size === 1 && statuses.every(({ status }) => status !== undefined)) return
    await delay(20)
  }
  throw new CliError(`the nodes are not level after ${CATCH_UP_MS_MAX / 1_000} s: ${cluster.endpoints.join(', ')}`)
}

/** Balances from this node's own state. */
async function balancesAt(node: LocalNode): Promise<Map<string, bigint>> {
  const { connect, Consistency } = await import('../client/client.js')
  const client = connect({ endpoints: node.clientAddress })
  try {
    const balances = new Map<string, bigint>()
    for await (const { accountId, balance } of client.bank.listAllAccounts({ consistency: Consistency.STALE })) {
      balances.set(accountId, balance)
    }
    return balances
  } finally {
    client.close()
  }
}

function rows(balances: readonly ReadonlyMap<string, bigint>[], expected: ReadonlyMap<string, bigint>): string[][] {
  return ACCOUNTS.map((account) => [account, ...[...balances, expected].map((of) => String(of.get(account)))])
}

function summary(figures: Figures): string {
  return [
    `transfers acknowledged: ${figures.acknowledged}, lost: ${figures.lost}, outcome unknown: ${figures.outcomeUnknown}`,
    `kill -9 of the leader to the next acknowledged transfer: ${figures.nextAcknowledgedAfterKillMs} ms`,
    `restart to level with the others: ${figures.caughtUpAfterMs} ms`,
    `every node's balances add up to the deposits: ${mark(figures.sumHolds)}`,
    `every node's balances are what the transfers say, each counted once: ${mark(figures.everyNodeAgrees)}`,
  ].join('\n')
}

function mark(isGood: boolean): string {
  return isGood ? styled('green', 'yes') : styled('red', 'NO')
}

function step(say: (line: string) => void, number: number, text: string): void {
  say(styled('bold', `${number}. ${text}`))
}

function since(beganMs: number): number {
  return Math.round(performance.now() - beganMs)
}

function quit(cluster: LocalCluster, directory: string): never {
  cluster.killAll()
  rmSync(directory, { recursive: true, force: true })
  process.exit(EXIT.failed)
}
