// Interop with a client that is not ours: real grpcurl, with no proto files, against three real nodes.
//
//   npx tsx scripts/interop/grpcurl.ts
//
// grpcurl is taken from the PATH, or built with `go install` (where there is Go) into a temporary folder. Prints 'N passed, N failed'.
import { execFile, execFileSync, spawn } from 'node:child_process'
import { createPrivateKey, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { freePorts } from '../../src/cli/ports.js'

const GRPCURL = 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3'
const START_TIMEOUT_MS = 60_000
const PKCS8_ED25519_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

const work = mkdtempSync(join(tmpdir(), 'synod-interop-'))

function findGrpcurl(): string {
  try {
    execFileSync('grpcurl', ['-version'], { stdio: 'ignore' })
    return 'grpcurl'
  } catch {
    console.log('grpcurl is not on the PATH; building it with go install')
    execFileSync('go', ['install', GRPCURL], { env: { ...process.env, GOBIN: work }, stdio: ['ignore', 'ignore', 'inherit'] })
    return join(work, 'grpcurl')
  }
}

interface Outcome {
  readonly code: number
  readonly json: Record<string, unknown>
  readonly stderr: string
}

const grpcurl = findGrpcurl()
let passed = 0
let failed = 0

function run(args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(grpcurl, ['-plaintext', '-max-time', '15', ...args], (error, stdout, stderr) => {
      let json: Record<string, unknown> = {}
      try {
        json = JSON.parse(stdout) as Record<string, unknown>
      } catch {
        // Listings and refusals print no JSON.
      }
      resolve({ code: error === null ? 0 : 1, json: { ...json, text: stdout }, stderr })
    })
  })
}

/** One line a check: what was asked, and what is not as it should be. */
function check(title: string, isFine: boolean, seen: unknown): void {
  if (isFine) passed++
  else failed++
  console.log(`${isFine ? 'ok  ' : 'FAIL'} ${title}${isFine ? '' : `\n     saw ${JSON.stringify(seen)}`}`)
}

function at(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((v, key) => (typeof v === 'object' && v !== null ? Reflect.get(v, key) : undefined), value)
}

let ports: number[] = []

const call = (node: number, method: string, request: object): Promise<Outcome> =>
  run(['-d', JSON.stringify(request), `127.0.0.1:${ports[node]}`, method])

/** The call succeeds, and the answer has these values at these paths. */
async function gives(title: string, node: number, method: string, request: object, want: Record<string, unknown>): Promise<void> {
  const outcome = await call(node, method, request)
  const isFine =
    outcome.code === 0 && Object.entries(want).every(([path, v]) => JSON.stringify(at(outcome.json, path)) === JSON.stringify(v))
  check(title, isFine, outcome)
}

/** The call is refused with this status, and details that hold this reason (or field). */
async function refuses(
  title: string,
  node: number,
  method: string,
  request: object,
  status: string,
  detail: string,
): Promise<void> {
  const outcome = await call(node, method, request)
  check(title, outcome.code !== 0 && outcome.stderr.includes(`Code: ${status}\n`) && outcome.stderr.includes(detail), outcome)
}

const bank = (method: string): string => `synod.bank.v1.BankService/${method}`
const kv = (method: string): string => `synod.kv.v1.KeyValueService/${method}`
const base64 = (data: string | Uint8Array): string => Buffer.from(data).toString('base64')

/** API.md's signed bytes, written down a second time on purpose: this script must not trust the code that it checks. */
function signedBytes(domain: string, fields: readonly (string | Uint8Array | bigint)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(domain, 'ascii'), Buffer.from([0])]
  for (const field of fields) {
    if (typeof field === 'bigint') {
      const bytes = Buffer.alloc(8)
      bytes.writeBigInt64BE(field)
      parts.push(bytes)
    } else {
      const bytes = Buffer.from(field)
      const length = Buffer.alloc(4)
      length.writeUInt32BE(bytes.length)
      parts.push(length, bytes)
    }
  }
  return Buffer.concat(parts)
}

interface Signer {
  readonly authorityId: string
  readonly privateKey: string
}

function signatureOf(signer: Signer, bytes: Buffer): string {
  const key = createPrivateKey({
    key: Buffer.concat([PKCS8_ED25519_PREFIX, Buffer.from(signer.privateKey, 'base64')]),
    format: 'der',
    type: 'pkcs8',
  })
  return base64(sign(null, bytes, key))
}

function deposit(signer: Signer, id: string, account: string, asset: string, amount: bigint): object {
  return {
    deposit_id: id,
    account_id: account,
    asset,
    amount: String(amount),
    authority_id: signer.authorityId,
    signature: signatureOf(signer, signedBytes('synod.bank.v1.Deposit', [id, account, asset, amount])),
  }
}

async function checkReflection(): Promise<void> {
  const { json } = await run([`127.0.0.1:${ports[0]}`, 'list'])
  const listed = String(json['text']).split('\n')
  for (const name of ['synod.kv.v1.KeyValueService', 'synod.bank.v1.BankService', 'synod.cluster.v1.ClusterService']) {
    check(`reflection lists ${name}`, listed.includes(name), listed)
  }
  check('reflection lists the health service', listed.includes('grpc.health.v1.Health'), listed)
  check('reflection does not offer the peer service', !listed.some((name) => name.includes('peer')), listed)
  const peer = await run([`127.0.0.1:${ports[0]}`, 'describe', 'synod.peer.v1.PeerService'])
  check('the peer service cannot be described', peer.code !== 0, peer)
}

async function checkBank(signer: Signer): Promise<void> {
  const big = 2n ** 63n - 1n
  await gives(
    'an account is opened',
    0,
    bank('OpenAccount'),
    { account_id: 'alice', asset: 'EUR' },
    { 'account.accountId': 'alice' },
  )
  await gives(
    'and another, through another node',
    1,
    bank('OpenAccount'),
    { account_id: 'bob', asset: 'EUR' },
    { 'account.asset': 'EUR' },
  )
  await gives('and one in dollars', 2, bank('OpenAccount'), { account_id: 'carol', asset: 'USD' }, { 'account.asset': 'USD' })
  const first = deposit(signer, 'd1', 'alice', 'EUR', 1_000n)
  await gives('a signed deposit', 0, bank('Deposit'), first, {
    'account.balance': '1000',
    'movement.status': 'MOVEMENT_STATUS_POSTED',
  })
  await gives('the same deposit again counts once', 2, bank('Deposit'), first, { 'account.balance': '1000' })
  const transfer = { transfer_id: 't1', source_account_id: 'alice', destination_account_id: 'bob', amount: '300' }
  await gives('a transfer', 1, bank('Transfer'), transfer, { 'source.balance': '700', 'destination.balance': '300' })
  await gives('the balance, at another node', 2, bank('GetBalance'), { account_id: 'bob' }, { 'account.balance': '300' })
  for (const consistency of ['CONSISTENCY_LOG', 'CONSISTENCY_STALE']) {
    await gives(
      `the balance, ${consistency}`,
      1,
      bank('GetBalance'),
      { account_id: 'bob', consistency },
      { 'account.balance': '300' },
    )
  }
  const overdraft = { ...transfer, transfer_id: 't2', amount: '5000' }
  await refuses('an overdraft is refused', 0, bank('Transfer'), overdraft, 'FailedPrecondition', 'INSUFFICIENT_FUNDS')
  await refuses('and stays refused', 1, bank('Transfer'), overdraft, 'FailedPrecondition', 'INSUFFICIENT_FUNDS')
  await gives('and changed nothing', 2, bank('GetBalance'), { account_id: 'alice' }, { 'account.balance': '700' })
  await refuses('no such account', 0, bank('GetBalance'), { account_id: 'nobody' }, 'NotFound', 'ACCOUNT_NOT_FOUND')
  await refuses('no such transfer', 1, bank('GetTransfer'), { transfer_id: 'none' }, 'NotFound', 'TRANSFER_NOT_FOUND')
  await refuses(
    'an account id that is taken',
    2,
    bank('OpenAccount'),
    { account_id: 'bob', asset: 'EUR' },
    'AlreadyExists',
    'ACCOUNT_EXISTS',
  )
  await refuses('an id used with other content', 0, bank('Transfer'), { ...transfer, amount: '1' }, 'AlreadyExists', 'ID_REUSED')
  const forged = { ...first, deposit_id: 'd2' }
  await refuses('a forged signature', 1, bank('Deposit'), forged, 'PermissionDenied', 'INVALID_SIGNATURE')
  const unknown = { ...first, deposit_id: 'd3', authority_id: 'stranger' }
  await refuses('an unknown authority', 2, bank('Deposit'), unknown, 'PermissionDenied', 'UNKNOWN_AUTHORITY')
  const mixed = { transfer_id: 't3', source_account_id: 'alice', destination_account_id: 'carol', amount: '1' }
  await refuses('two assets in one transfer', 0, bank('Transfer'), mixed, 'FailedPrecondition', 'ASSET_MISMATCH')
  await gives('a deposit up to the brim', 1, bank('Deposit'), deposit(signer, 'd4', 'carol', 'USD', big), {
    'account.balance': String(big),
  })
  const over = deposit(signer, 'd5', 'carol', 'USD', 1n)
  await refuses('one more', 2, bank('Deposit'), over, 'OutOfRange', 'BALANCE_OVERFLOW')
  for (const [field, change] of Object.entries({
    amount: { amount: '0' },
    transfer_id: { transfer_id: '' },
    source_account_id: { source_account_id: 'x'.repeat(129) },
    destination_account_id: { destination_account_id: 'alice' },
  })) {
    await refuses(
      `a bad ${field}`,
      0,
      bank('Transfer'),
      { ...transfer, transfer_id: 't9', ...change },
      'InvalidArgument',
      `"field": "${field}"`,
    )
  }
  const hold = { ...transfer, transfer_id: 'h1', amount: '200', pending: true, timeout: '3600s' }
  await gives('a hold', 0, bank('Transfer'), hold, { 'source.held': '200', 'source.balance': '700' })
  await gives('posted in part', 1, bank('PostTransfer'), { transfer_id: 'h1', amount: '150' }, { 'source.balance': '550' })
  await refuses(
    'voiding what was posted',
    2,
    bank('VoidTransfer'),
    { transfer_id: 'h1' },
    'FailedPrecondition',
    'TRANSFER_NOT_PENDING',
  )
  await gives(
    'a withdrawal',
    0,
    bank('Withdraw'),
    { withdrawal_id: 'w1', account_id: 'bob', amount: '50' },
    { 'account.balance': '400' },
  )
  const batch = {
    transfers: [
      { ...transfer, transfer_id: 'b1', amount: '10' },
      { ...transfer, transfer_id: 'b2', amount: '10' },
      { ...transfer, transfer_id: 'b3', amount: '99999' },
    ],
    linked_groups: [{ first: 1, count: 2 }],
  }
  await gives('a batch: one alone, two linked of which one is refused', 1, bank('TransferBatch'), batch, {
    'results.0.movement.status': 'MOVEMENT_STATUS_POSTED',
    'results.1.reason': 'LINKED_REFUSED',
    'results.2.reason': 'INSUFFICIENT_FUNDS',
  })
  await gives(
    'the movements of an account',
    2,
    bank('ListMovements'),
    { account_id: 'bob', page_size: 2 },
    { 'movements.0.id': 't1' },
  )
}

async function checkKeys(): Promise<void> {
  const { json } = await call(2, kv('List'), { count_only: true })
  const after = (changes: number): Record<string, unknown> => ({ revision: String(Number(json['revision']) + changes) })
  await gives('a key is put', 0, kv('Put'), { key: 'a', value: base64('1') }, after(1))
  await gives('and read at another node', 1, kv('Get'), { key: 'a' }, { 'pair.value': base64('1'), 'pair.version': '1' })
  await gives('a second one', 2, kv('Put'), { key: 'ab', value: base64('2') }, after(2))
  await gives('a list by prefix', 0, kv('List'), { prefix: 'a', keys_only: true }, { count: '2', 'pairs.1.key': 'ab' })
  const txn = {
    compare: [{ key: 'a', version: '1' }],
    // oxlint-disable-next-line unicorn/no-thenable -- the field's name in API.md; nobody awaits this object
    then: [
      { put: { key: 'a', value: base64('3') } },
      { transfer: { transfer_id: 'x1', source_account_id: 'bob', destination_account_id: 'alice', amount: '5' } },
    ],
    else: [{ get: { key: 'a' } }],
  }
  await gives('a transaction over keys and bank', 1, kv('Txn'), txn, {
    succeeded: true,
    'responses.1.transfer.movement.id': 'x1',
  })
  await gives('the other branch', 2, kv('Txn'), txn, { 'responses.0.get.pair.value': base64('3') })
  await gives('a key is deleted', 0, kv('Delete'), { key: 'a' }, { deletedCount: '1' })
  await gives('and gone', 1, kv('Get'), { key: 'a' }, { pair: undefined })
  await refuses('every key, by an empty prefix', 1, kv('Delete'), { prefix: '' }, 'InvalidArgument', '"field": "prefix"')
  await gives('every key, when all is set', 1, kv('Delete'), { all: true }, {})
  await refuses('a key that is too long', 2, kv('Put'), { key: 'k'.repeat(4_097) }, 'InvalidArgument', '"field": "key"')
}

async function checkQuorumLoss(pids: readonly number[]): Promise<void> {
  await gives('health says SERVING', 2, 'grpc.health.v1.Health/Check', {}, { status: 'SERVING' })
  for (const pid of pids.slice(0, 2)) process.kill(pid, 'SIGKILL')
  const put = await run(['-max-time', '5', '-d', '{"key":"late"}', `127.0.0.1:${ports[2]}`, kv('Put')])
  const isTold = /Code: (Unavailable|DeadlineExceeded)\n/.test(put.stderr) && /NO_QUORUM|OUTCOME_UNKNOWN/.test(put.stderr)
  check('without a majority a write says so within its deadline', isTold, put)
  await refuses('and a linearizable read', 2, bank('GetBalance'), { account_id: 'bob' }, 'Unavailable', 'NO_QUORUM')
  const stale = { account_id: 'bob', consistency: 'CONSISTENCY_STALE' }
  await gives('a stale read is still answered', 2, bank('GetBalance'), stale, { 'account.accountId': 'bob' })
  await gives('health says NOT_SERVING', 2, 'grpc.health.v1.Health/Check', {}, { status: 'NOT_SERVING' })
}

/** Three nodes as `npm start` starts them, on ports that are free. */
async function withCluster(use: (signer: Signer, pids: readonly number[]) => Promise<void>): Promise<void> {
  const base = await freeBase()
  ports = [1, 2, 3].map((i) => base + i)
  const data = join(work, 'data')
  const dev = spawn('node', ['dist/cli/main.js', 'dev', '--data', data, '--base-port', String(base)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await started(dev)
    const signer = JSON.parse(readFileSync(join(data, 'dev-authority.json'), 'utf8')) as Signer
    await use(signer, childrenOf(dev.pid ?? 0))
  } finally {
    dev.kill('SIGTERM')
    if (dev.exitCode === null) await new Promise((resolve) => dev.once('exit', resolve))
  }
}

/** Resolves when the cluster serves, which is when `dev` prints the lines to try. */
function started(dev: ReturnType<typeof spawn>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the cluster did not start in time')), START_TIMEOUT_MS)
    dev.once('exit', (code) => reject(new Error(`synod dev ended with ${code}`)))
    if (dev.stdout === null) throw new Error('the output of synod dev is piped')
    createInterface({ input: dev.stdout }).on('line', (line) => {
      console.log(`     ${line}`)
      if (!line.includes('grpcurl')) return
      clearTimeout(timer)
      resolve()
    })
  })
}

/** The nodes' processes, in the order of their ids. */
function childrenOf(pid: number): number[] {
  return execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map(Number)
}

async function freeBase(): Promise<number> {
  const [port = 17_100] = await freePorts(1)
  return Math.min(port, 65_000)
}

try {
  await withCluster(async (signer, pids) => {
    await checkReflection()
    await checkBank(signer)
    await checkKeys()
    await checkQuorumLoss(pids)
  })
} catch (error) {
  check('the run comes to its end', false, error instanceof Error ? error.stack : error)
} finally {
  rmSync(work, { recursive: true, force: true })
}
console.log(`\n${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
