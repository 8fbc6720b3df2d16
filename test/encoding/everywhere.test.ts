import assert from 'node:assert/strict'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { it } from 'node:test'
import { BankAndKeys } from '../../src/api/bank-and-keys.js'
import { initialAuthority } from '../../src/api/initial-authority.js'
import { generateKeyPair, makeAuthority, signDeposit, signRegisterAuthority } from '../../src/client/authority-signing.js'
import { encodeText } from '../../src/encoding/text.js'
import { Order } from '../../src/gen/synod/common/v1/common.js'
import { CompareOperator } from '../../src/gen/synod/kv/v1/kv.js'
import { Command, Query, Result } from '../../src/gen/synod/session/v1/session.js'
import type { Member, MemberOptions, MemberStatus } from '../../src/member.js'
import { encodeBackup } from '../../src/server/backup/backup-encoder.js'
import { restoreBackup } from '../../src/server/backup/restore.js'
import { MemberCluster, until } from '../member-cluster.js'
import { TEXTS } from '../support/texts.js'

const MINT = makeAuthority('mint', generateKeyPair())
const CLUSTER_ID = '11111111-2222-4333-8444-555555555555'
const TIMEOUT_MS = 30_000

interface Node {
  readonly member: Member
  readonly machine: BankAndKeys
}

type Operation = NonNullable<Command['operation']>
type Question = NonNullable<Query['query']>
/** What a name stands for has the type that the generated code gives it; what is left out is the default. */
type Values = Record<string, unknown>

async function carryOut({ member }: Node, name: Operation['$case'], value: Values): Promise<Values> {
  const command = Command.encode(Command.fromPartial({ operation: { $case: name, value } })).finish()
  return answerOf(name, (await member.invoke(command, { timeoutMs: TIMEOUT_MS })).result)
}

/** What the node has now. */
function ask({ machine }: Node, name: Question['$case'], value: Values): Values {
  const query = Query.encode(Query.fromPartial({ query: { $case: name, value } })).finish()
  return answerOf(name, machine.query(query))
}

function answerOf(name: string, result: Uint8Array): Values {
  const { outcome } = Result.decode(result)
  assert.equal(outcome?.$case, name, JSON.stringify(Result.toJSON(Result.decode(result))))
  return outcome?.value as unknown as Values
}

/** The places of one text: a key and its value, two accounts in an asset, movements of each kind, an authority, and ids of requests. */
async function write(node: Node, text: string): Promise<void> {
  const other = `${text}~`
  await carryOut(node, 'put', { key: text, value: encodeText(text), requestId: text })
  for (const accountId of [text, other]) {
    await carryOut(node, 'openAccount', { accountId, asset: text, requestId: `${text}${accountId}` })
  }
  await carryOut(node, 'deposit', { ...signDeposit(MINT, depositOf(text, '#deposit')) })
  const between = { sourceAccountId: text, destinationAccountId: other }
  await carryOut(node, 'transfer', { ...between, transferId: text, amount: 10n })
  await carryOut(node, 'transfer', { ...between, transferId: `${text}#held`, amount: 20n, pending: true })
  await carryOut(node, 'postTransfer', { transferId: `${text}#held` })
  await carryOut(node, 'transferBatch', { transfers: [{ ...between, transferId: `${text}#batch`, amount: 30n }] })
  // The value is the very one, so the other branch is taken.
  const operations = [
    { operation: { $case: 'withdraw', value: { withdrawalId: `${text}#withdrawal`, accountId: other, amount: 5n } } },
    { operation: { $case: 'put', value: { key: `txn ${text}`, value: encodeText(text) } } },
  ]
  await carryOut(node, 'txn', {
    compare: [{ key: text, operator: CompareOperator.NOT_EQUAL, target: { $case: 'value', value: encodeText(text) } }],
    else: operations,
  })
  const { publicKey } = MINT
  await carryOut(node, 'registerAuthority', { ...signRegisterAuthority(MINT, { authorityId: text, publicKey }) })
  await carryOut(node, 'deposit', { ...signDeposit({ ...MINT, authorityId: text }, depositOf(text, '#signed')) })
}

function depositOf(text: string, name: string): Parameters<typeof signDeposit>[1] {
  return { depositId: text + name, accountId: text, asset: text, amount: 1_000n }
}

/** Every answer of every kind that names the text, page after page of one; each is checked against what was written. */
function readBack(node: Node, text: string): void {
  const other = `${text}~`
  const { pair } = ask(node, 'get', { key: text }) as { pair?: { key: string; value: Uint8Array } }
  assert.deepEqual([pair?.key, Buffer.from(pair?.value ?? [])], [text, Buffer.from(text)])
  const { account } = ask(node, 'getBalance', { accountId: other }) as { account: Values }
  assert.deepEqual([account['accountId'], account['asset'], account['balance']], [other, text, 55n])
  const own = [`${text}#deposit`, text, `${text}#held`, `${text}#batch`, `${text}#signed`]
  for (const transferId of [...own, `${text}#withdrawal`]) {
    const { movement } = ask(node, 'getTransfer', { transferId }) as { movement: Values }
    const [source, destination] = transferId.includes('#withdrawal')
      ? [other, '']
      : /#(deposit|signed)/.test(transferId)
        ? ['', text]
        : [text, other]
    assert.deepEqual(
      [movement['id'], movement['asset'], movement['source'], movement['destination']],
      [transferId, text, source, destination],
    )
  }
  const listed = pages(node, 'listMovements', { accountId: text, pageSize: 1, order: Order.DESCENDING }, 'movements')
  assert.deepEqual(
    listed.map(({ id }) => id),
    own.toReversed(),
  )
}

function pages(node: Node, name: Question['$case'], request: Values, field: string): Values[] {
  const items: Values[] = []
  for (let pageToken = ''; ; ) {
    const page = ask(node, name, { ...request, pageToken })
    items.push(...(page[field] as Values[]))
    pageToken = page['nextPageToken'] as string
    if (pageToken === '') return items
  }
}

async function checkAll(node: Node): Promise<void> {
  await node.member.readIndex({ timeoutMs: TIMEOUT_MS })
  for (const text of TEXTS) readBack(node, text)
  const accounts = pages(node, 'listAccounts', { pageSize: 1 }, 'accounts')
  assert.deepEqual(
    accounts.map(({ accountId }) => accountId),
    inOrder(TEXTS.flatMap((text) => [text, `${text}~`])),
  )
  const pairs = pages(node, 'list', { limit: 1 }, 'pairs')
  assert.deepEqual(
    pairs.map(({ key }) => key),
    inOrder(TEXTS.flatMap((text) => [text, `txn ${text}`])),
  )
}

function inOrder(texts: readonly string[]): string[] {
  return texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

/** Repeats get the first answer: the ids and the content that stand on disk are those that were asked for. */
async function retryAll(node: Node): Promise<void> {
  await Promise.all(
    TEXTS.map(async (text) => {
      const first = await carryOut(node, 'put', { key: text, value: encodeText(text), requestId: text })
      const { pair } = ask(node, 'get', { key: text }) as { pair: Values }
      assert.equal(first['revision'], pair['modRevision'])
      const between = { sourceAccountId: text, destinationAccountId: `${text}~` }
      const { movement } = (await carryOut(node, 'transfer', { ...between, transferId: text, amount: 10n })) as {
        movement: Values
      }
      assert.equal(movement['id'], text)
      await carryOut(node, 'deposit', { ...signDeposit({ ...MINT, authorityId: text }, depositOf(text, '#signed')) })
    }),
  )
}

it('text comes back as it went in, everywhere: after a restart, a catch-up by checkpoint, and a restore', {
  timeout: 400_000,
}, async (t) => {
  const cluster = await MemberCluster.create(t)
  const nodes = new Map<number, Node>()
  const start = async (nodeId: number, change: Partial<MemberOptions> = {}): Promise<Node> => {
    const machine = new BankAndKeys()
    const member = await cluster.start(nodeId, { machine, initialCommands: [initialAuthority(MINT)], ...change })
    nodes.set(nodeId, { member, machine })
    return { member, machine }
  }
  const statuses = (): MemberStatus[] => [...nodes.values()].map(({ member }) => member.status())
  const [first, second] = await Promise.all([start(1), start(2), start(3)])
  await until('the cluster is formed', () => statuses().every(({ role }) => role !== 'joining'))
  await cluster.stop(3)
  await Promise.all(TEXTS.map((text, i) => write(i % 2 === 0 ? first : second, text)))
  await checkAll(first)

  await cluster.stop(2)
  await checkAll(await start(3))
  assert.ok(
    cluster.lines.some(({ nodeId, msg }) => nodeId === 3 && String(msg).includes('checkpoint')),
    'it did not come by the log',
  )

  await cluster.stop(1)
  await Promise.all([start(1), start(2)])
  for (const node of nodes.values()) await checkAll(node)
  await retryAll(nodes.get(2) as Node)
  await until('all have applied the same', () => new Set(statuses().map(({ appliedUpTo }) => appliedUpTo)).size === 1)
  assert.equal(new Set(statuses().map(({ stateDigest }) => stateDigest)).size, 1)

  const file = join(cluster.directory, 'all.synod')
  await pipeline(encodeBackup(cluster.memberOf(1).backup(), { nodeId: 1, version: '0', madeAtMs: 0 }), createWriteStream(file))
  const members = [cluster.listing(1)]
  const plan = { clusterId: CLUSTER_ID, members, out: join(cluster.directory, 'restored') }
  const { directories } = await restoreBackup(file, plan)
  await Promise.all([1, 2, 3].map((nodeId) => cluster.stop(nodeId)))
  const restored = await start(1, { directory: directories[0]?.directory ?? '', members })
  await checkAll(restored)
  await retryAll(restored)
  await checkAll(restored)
})
