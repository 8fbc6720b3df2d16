import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { whyTaken } from '../../src/cli/ports.js'
import { type Client, connect } from '../../src/client/client.js'
import { type Ended, type Running, start, synod } from './synod.js'

/** base + 1 to 3 and base + 101 to 103 are free. Below what the system gives out by itself. */
async function freeBasePort(): Promise<number> {
  for (;;) {
    const base = 10_000 + 200 * Math.floor(Math.random() * 100)
    const ports = [1, 2, 3, 101, 102, 103].map((offset) => base + offset)
    if ((await Promise.all(ports.map(whyTaken))).every((why) => why === undefined)) return base
  }
}

/** The process is gone, or soon will be. */
async function untilGone(pid: number): Promise<void> {
  const deadlineMs = performance.now() + 10_000
  while (performance.now() < deadlineMs) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await delay(50)
  }
  throw new Error(`process ${pid} is still there`)
}

interface StatusRow {
  readonly endpoint: string
  readonly role?: string
  readonly unreachable?: string
}

describe('a dev cluster of three processes', { timeout: 400_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'synod-dev-'))
  let basePort = 0
  let dev: Running
  let introduction = ''
  let endpoints = ''
  let client: Client
  const extra: Running[] = []

  before(async () => {
    basePort = await freeBasePort()
    endpoints = [1, 2, 3].map((i) => `127.0.0.1:${basePort + i}`).join(',')
    await startDev()
    client = connect({ endpoints })
  })

  after(async () => {
    client.close()
    for (const { process } of [dev, ...extra]) process.kill('SIGTERM')
    await Promise.all([dev, ...extra].map(({ ended }) => ended))
    rmSync(directory, { recursive: true, force: true })
  })

  async function startDev(): Promise<void> {
    dev = start(['dev', '--data', directory, '--base-port', String(basePort)])
    introduction = await dev.untilPrinted(/Ctrl-C/)
  }

  /** By the table: node, clients, peers, pid, role. */
  function nodes(): { id: number; pid: number; isLeader: boolean }[] {
    const rows = [...introduction.matchAll(/^ +(\d) +\S+ +\S+ +(\d+) +(leader|follower)$/gm)]
    return rows.map(([, id, pid, role]) => ({ id: Number(id), pid: Number(pid), isLeader: role === 'leader' }))
  }

  function run(...args: string[]): Promise<Ended> {
    return synod(args, { env: { SYNOD_ENDPOINTS: endpoints, SYNOD_DATA: directory } })
  }

  async function lastSlot(): Promise<number> {
    return Math.max(...(await client.cluster.status()).map(({ status }) => status?.decidedUpTo ?? 0))
  }

  it('introduces itself: three nodes of which one leads, and three lines to try', () => {
    assert.equal(nodes().length, 3)
    assert.equal(nodes().filter(({ isLeader }) => isLeader).length, 1)
    assert.match(
      introduction,
      /grpcurl -plaintext .*\n.*npx synod kv put greeting hello.*\n.*import \{ connect \} from 'synod\/client'/,
    )
  })

  it('serves the bank: accounts, a deposit signed with the dev key, a transfer, a refusal', async () => {
    const opened = await Promise.all(['alice', 'bob'].map((account) => run('bank', 'open', account, '--asset', 'EUR')))
    assert.deepEqual(
      opened.map(({ code }) => code),
      [0, 0],
    )
    const deposit = await run('bank', 'deposit', 'alice', '1000', '--asset', 'EUR', '--id', 'd1', '--json')
    assert.equal(deposit.code, 0, deposit.stderr)
    const transfers = [
      run('bank', 'transfer', 'alice', 'bob', '300', '--id', 't1'),
      run('bank', 'transfer', 'bob', 'alice', '5000'),
    ]
    const [transferred, refused] = await Promise.all(transfers)
    assert.match(transferred?.stdout ?? '', /t1 +transfer +alice +bob +EUR +300 +posted/)
    assert.match(refused?.stderr ?? '', /INSUFFICIENT_FUNDS/)
    assert.equal(refused?.code, 1)
    const [balance, called] = await Promise.all([
      run('bank', 'balance', 'bob', '--json'),
      run('call', 'bank/GetBalance', '{"account_id": "alice"}'),
    ])
    assert.equal((JSON.parse(balance.stdout) as { account: { balance: string } }).account.balance, '300')
    assert.equal((JSON.parse(called.stdout) as { account: { balance: string } }).account.balance, '700')
  })

  it('serves keys, and transactions over keys and the bank', async () => {
    assert.match((await run('kv', 'put', 'greeting', 'hello')).stdout, /^revision \d+\n$/)
    const txn = {
      compare: [{ key: 'greeting', version: 1 }],
      // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
      then: [{ put: { key: 'done', value: 'yes' } }, { withdraw: { withdrawalId: 'w1', accountId: 'bob', amount: '100' } }],
    }
    const carriedOut = await run('kv', 'txn', JSON.stringify(txn), '--json', '--text')
    assert.equal((JSON.parse(carriedOut.stdout) as { succeeded: boolean }).succeeded, true, carriedOut.stderr)
    const [list, missing] = await Promise.all([run('kv', 'list'), run('kv', 'get', 'nothing')])
    assert.equal(list.stdout, 'done\tyes\ngreeting\thello\n')
    assert.equal(missing.code, 1)
    assert.equal((await run('kv', 'del', '--prefix', '', '--all')).stdout, 'deleted 2\n')
  })

  it('takes any bytes on stdin, and gives them back; a backup on stdout is one, and reads take no slot', async () => {
    const bytes = join(directory, 'bytes')
    writeFileSync(bytes, Buffer.from([0xff, 0x00, 0x0a, 0x1b, 0x80]))
    assert.equal((await run('kv', 'put', 'bytes', '--file', bytes)).code, 0)
    const got = openSync(join(directory, 'got'), 'w')
    const backup = openSync(join(directory, 'backup'), 'w')
    const before = await lastSlot()
    const [raw, made] = await Promise.all([
      synod(['kv', 'get', 'bytes', '--raw', '--endpoints', endpoints], { stdout: got }),
      synod(['backup', '-', '--json', '--endpoints', endpoints], { stdout: backup }),
    ])
    assert.deepEqual([raw.code, made.code], [0, 0])
    assert.equal(await lastSlot(), before)
    for (const fd of [got, backup]) closeSync(fd)
    assert.deepEqual(readFileSync(join(directory, 'got')), readFileSync(bytes))
    const { sha256 } = JSON.parse(made.stderr.split('\n')[0] ?? '') as { sha256: string }
    assert.equal(
      createHash('sha256')
        .update(readFileSync(join(directory, 'backup')))
        .digest('hex'),
      sha256,
    )
  })

  it('refuses a second one on the same data, and a second layout', async () => {
    const again = await run('dev', '--data', directory)
    assert.match(again.stderr, /in use by a dev cluster already/)
    assert.equal(again.code, 1)
  })

  it('goes on without a leader that was killed, and takes it back by the command that it prints', async () => {
    const leader = nodes().find(({ isLeader }) => isLeader)
    assert.ok(leader !== undefined)
    process.kill(leader.pid, 'SIGKILL')
    await client.kv.put('after the kill', 'served')
    const rows = JSON.parse((await run('status', '--json')).stdout) as StatusRow[]
    assert.equal(rows.filter(({ unreachable }) => unreachable !== undefined).length, 1)
    assert.equal(rows.filter(({ role }) => role === 'leader').length, 1)

    const config = join(directory, `n${leader.id}`, 'config.json')
    extra.push(start(['start', '--config', config]))
    await untilLevel()
  })

  /** Every node has applied the same slots. */
  async function untilLevel(): Promise<void> {
    for (;;) {
      const states = (await client.cluster.status()).map(({ status }) => status?.stateDigest)
      if (!states.includes(undefined) && new Set(states).size === 1) return
      await delay(50)
    }
  }

  it('drains and stops at Ctrl-C; started again, the data is there', async () => {
    for (const running of [dev, ...extra.splice(0)]) {
      running.process.kill('SIGINT')
      assert.equal((await running.ended).code, 0)
    }
    assert.match((await dev.ended).stderr, /is gone \(SIGKILL\); this brings it back: npx synod start --config /)
    await startDev()
    const { pair } = await client.kv.get('after the kill')
    assert.equal(Buffer.from(pair?.value ?? '').toString(), 'served')
    assert.equal((await client.bank.getBalance('bob')).account.balance, 200n)
  })

  it('takes its nodes along when it is killed itself', async () => {
    const pids = nodes().map(({ pid }) => pid)
    dev.process.kill('SIGKILL')
    await Promise.all(pids.map(untilGone))
    await startDev()
  })

  it('without a majority, says so in status and in the list of members, names who is missing, and still reads what one node has', async () => {
    const gone = nodes().filter(({ id }) => id !== 2)
    for (const { pid } of gone) process.kill(pid, 'SIGKILL')
    const two = `127.0.0.1:${basePort + 2}`
    const { cluster } = client
    while ((await cluster.status()).some(({ status }) => status !== undefined && status.leaderId !== 0)) await delay(50)
    const [status, members, read] = await Promise.all([
      synod(['status', '--endpoints', two]),
      synod(['member', 'list', '--json', '--endpoints', two]),
      synod(['kv', 'get', 'after the kill', '--consistency', 'stale', '--endpoints', two]),
    ])
    assert.deepEqual([status.code, members.code], [3, 3])
    assert.match(status.stderr, /no majority: 1 of 3 voters answer/)
    for (const { id } of gone)
      assert.match(status.stdout, new RegExp(`node ${id} \\(.*\\) is unreachable: nothing listens there`))
    const { unreachable } = JSON.parse(members.stdout) as { unreachable: { nodeId: number }[] }
    assert.deepEqual(
      unreachable.map(({ nodeId }) => nodeId),
      gone.map(({ id }) => id),
    )
    assert.deepEqual([read.code, read.stdout], [0, 'served\n'], read.stderr)
  })

  it('ends with an error when all its nodes are gone', async () => {
    for (const { id, pid } of nodes()) if (id === 2) process.kill(pid, 'SIGKILL')
    const { code, stderr } = await dev.ended
    assert.match(stderr, /all nodes are gone/)
    assert.equal(code, 1)
  })
})
