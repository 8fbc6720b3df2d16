import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { CommanderError } from 'commander'
import { exitCodeOf } from '../../src/cli/failure.js'
import { misuse } from './misuse.js'
import { MAIN, synod } from './synod.js'

/** Asks each command of its arguments for its help in a process of its own, and tells how many files of gRPC that has loaded. */
const TELL_HELPS = `
  import { createRequire } from 'node:module'
  import { makeProgram } from ${JSON.stringify(new URL('../../src/cli/program.js', import.meta.url).href)}
  const helps = []
  for (const command of process.argv.slice(1)) {
    let help = ''
    const program = makeProgram({ writeOut: (text) => void (help += text) })
    await program.parseAsync([...command.split(' ').filter(Boolean), '--help'], { from: 'user' }).catch(() => {})
    helps.push(help)
  }
  const { cache } = createRequire(process.cwd() + '/any.js')
  const grpcFiles = Object.keys(cache).filter((name) => name.includes('@grpc/grpc-js')).length
  console.log(JSON.stringify({ helps, grpcFiles }))`

/** In a shell, which makes any bytes. "$0" is Node, "$1" the command. */
function shell(script: string): { status: number | null; stderr: string } {
  return spawnSync('sh', ['-c', script, process.execPath, MAIN], { encoding: 'utf8' })
}

describe('the command synod, without a cluster', { concurrency: 2, timeout: 400_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'synod-usage-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  const COMMANDS = [
    '',
    'start',
    'dev',
    'kv put',
    'bank deposit',
    'doctor',
    'member replace',
    'backup',
    'restore',
    'recover',
    'sim',
  ]
  it('--help of each command ends with an example, and does not load gRPC', () => {
    const { stdout, status } = spawnSync(process.execPath, ['--input-type=module', '-e', TELL_HELPS, ...COMMANDS], {
      encoding: 'utf8',
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    })
    assert.equal(status, 0)
    const { helps, grpcFiles } = JSON.parse(stdout) as { helps: string[]; grpcFiles: number }
    assert.equal(helps.length, COMMANDS.length)
    for (const [i, help] of helps.entries()) {
      assert.match(help, new RegExp(`Example.*:\\n  \\$ synod ${COMMANDS[i]}[^]*$`))
    }
    assert.equal(grpcFiles, 0)
  })

  it('--help of the program itself ends with exit code 0', async () => {
    const { code, stdout, stderr } = await synod(['kv', 'put', '--help'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /Example/)
  })

  const MISUSES: [string[], RegExp][] = [
    [['frob'], /unknown command 'frob'/],
    [['kv', 'put', 'key'], /missing required argument 'value'/],
    [['kv', 'put', 'key', 'value', '--file', 'x'], /not both/],
    [['kv', 'put', 'key', '--file', '/dev/zero'], /cannot read the value \/dev\/zero: it is larger than/],
    [['kv', 'put', 'key', '--file', '/'], /cannot read the value \/: EISDIR/],
    [['kv', 'del', '--prefix', ''], /--prefix must not be empty.*--all/],
    [['kv', 'del', 'key', '--all'], /either a key or --prefix, or --all/],
    [['kv', 'del', '--prefix', 'a', '--all'], /either a key or --prefix, or --all/],
    [['kv', 'txn', '@/dev/zero'], /cannot read the transaction \/dev\/zero: it is larger than/],
    [['kv', 'del'], /either a key or --prefix/],
    [['bank', 'transfer', 'a', 'b', '1.5'], /whole number of minor units/],
    [['bank', 'withdraw', 'a', String(2n ** 63n)], /below 2\^63/],
    [['kv', 'txn', '{"comapre": [], "then": []}'], /comapre is not a field .* \(did you mean "compare"\?\)/],
    [
      ['call', 'kv/Put', '{"keey": "a"}'],
      /keey is not a field of synod\.kv\.v1\.PutRequest \(did you mean "key"\?\); it has key, value/,
    ],
    [['call', 'kv/Put', '{"value": "not base64!"}'], /value must be a string in base64/],
    [['call', 'kv/Get', '{"key": "a", "consistency": "NOPE"}'], /consistency must be one of CONSISTENCY_UNSPECIFIED/],
    [['call', 'kv/Txn', '{"compare": {}}'], /compare must be a list/],
    [['call', 'kv/Txn', '{"then": [{}, {"transfer": {"amount": "1x"}}]}'], /then\[1\]\.transfer\.amount must be a whole number/],
    [['call', 'bank/Transfer', '{"amount": 12345678901234567890}'], /amount is 12345678901234567890, .*2\^53 as a string/],
    [['call', 'bank/Transfer', '{"amount": "9223372036854775808"}'], /amount must be a whole number below 2\^63/],
    [['call', 'bank/Transfer', '{"pending": "yes"}'], /pending must be true or false/],
    [['kv', 'get', 'a', '--timeout', '0'], /whole number from 1/],
    [['kv', 'get', 'a', '--endpoints', 'nowhere'], /"nowhere" is not HOST:PORT/],
    [['kv', 'txn', '{'], /not valid JSON/],
    [['dev', '--nodes', '2'], /Allowed choices are 1, 3, 5/],
    [['start'], /--id is missing/],
    [['member', 'add', '4'], /"4" is not ID=HOST:PEERPORT\/HOST:CLIENTPORT/],
    [['member', 'promote', '0'], /whole number from 1 to 65535/],
    [['member', 'replace', '3', '3=a:1/a:2', '--endpoints', '127.0.0.1:1'], /never given again/],
    [['restore', 'a.synod', '--out', 'x'], /--peers is missing/],
    [['restore', 'a.synod', '--out', 'x', '--peers', '1=a:1/a:2', '--to-time', 'yesterday'], /must be a time such as/],
    [['restore', 'a.synod', '--out', 'x', '--peers', '1=a:1/a:2', '--to-time', '2026-02-30T10:00:00Z'], /must be a time such as/],
    [['restore', 'a.synod', '--out', '', '--peers', '1=a:1/a:2'], /--out .* must not be empty/],
    [['dev', '--data', ''], /--data .* must not be empty/],
    [['doctor', '--data', ''], /--data .* must not be empty/],
    [['start', '--id', '1', '--data', '', '--peers', '1=a:1/a:2'], /--data is missing/],
    [['recover', '--force-new-cluster', '--data', '', '--out', 'y', '--peers', '1=a:1/a:2'], /--data .* must not be empty/],
    [['restore', 'a.synod', '--out', 'x', '--peers', '1=a:1/a:2', '--cluster-id', 'mine'], /is not a UUID/],
    [['recover', '--data', 'x', '--out', 'y', '--peers', '1=a:1/a:2'], /say what is to be done: --force-new-cluster/],
    [['call', 'kv/Frob'], /there is no method kv\/Frob/],
  ]
  const NEARLY = ['1e3', '0x10', ' 5', '+5', '5.', '', '٥', '1_000', '99999999999999999999', 'NaN']
  const PLACES: [string[], RegExp][] = [
    [['bank', 'transfer', 'a', 'b', 'N'], /whole number of minor units/],
    [['bank', 'open', 'a', '--asset', 'EUR', '--overdraft', 'N'], /whole number of minor units/],
    [['kv', 'list', '--limit', 'N'], /--limit .*whole number from 1 to/],
    [['kv', 'get', 'a', '--timeout', 'N'], /--timeout .*whole number from 1 to 2147483647/],
    [['member', 'remove', 'N'], /whole number from 1 to 65535/],
    [['member', 'add', 'N=a:1/a:2'], /a whole number from 1 to 65,535/],
    [['sim', '--seed', 'N'], /--seed .*whole number from 0 to/],
    [['dev', '--base-port', 'N'], /--base-port .*whole number from 1 to/],
    [['status', '--endpoints', 'a:N'], /is not HOST:PORT/],
    [['member', 'add', '4=a:N/a:2'], /is not HOST:PORT/],
    [['restore', 'x', '--out', 'y', '--peers', '1=a:1/a:2', '--to-slot', 'N'], /--to-slot .*whole number from 1 to/],
  ]
  for (const [args, message] of PLACES) {
    it(`\`synod ${args.join(' ')}\` takes no number that is nearly right, and names its bounds`, async () => {
      for (const number of NEARLY) {
        const { stderr, error } = await misuse(args.map((word) => word.replace('N', number)))
        assert.match(stderr, message, number)
        assert.ok(error instanceof CommanderError || exitCodeOf(error) === 2, number)
      }
    })
  }

  it('a post of nothing is not one of all', async () => {
    assert.match((await misuse(['bank', 'post', 't', '0'])).stderr, /from 1 on/)
  })

  for (const [args, message] of MISUSES) {
    it(`\`synod ${args.join(' ')}\` is refused with exit code 2`, async () => {
      const { stderr, error } = await misuse(args)
      assert.match(stderr, message)
      assert.ok(error instanceof CommanderError || exitCodeOf(error) === 2, String(error))
    })
  }

  it('says at once with exit code 3 that nobody listens, and in JSON if asked to', async () => {
    const args = ['kv', 'get', 'a', '--endpoints', '127.0.0.1:1', '--timeout', '1000000', '--json']
    const { code, stdout, stderr } = await synod(args)
    assert.match(stderr, /^synod: UNREACHABLE: .*127\.0\.0\.1:1: nothing listens there/)
    assert.equal((JSON.parse(stdout) as { error: { reason: string } }).error.reason, 'UNREACHABLE')
    assert.equal(code, 3)
  })

  it('takes endpoints from SYNOD_ENDPOINTS, and shows unreachable nodes as such', async () => {
    const { code, stdout } = await synod(['status'], { env: { SYNOD_ENDPOINTS: '127.0.0.1:1' } })
    assert.match(stdout, /127\.0\.0\.1:1 +unreachable\n127\.0\.0\.1:1 is unreachable: nothing listens there/)
    assert.equal(code, 3)
  })

  it('ends with the code of the outcome, though nobody takes what it prints', async () => {
    const full = openSync('/dev/full', 'w')
    const file = join(directory, 'unheard.json')
    const [refused, made, asked, closed] = await Promise.all([
      synod(['kv', 'get', 'a', '--endpoints', '127.0.0.1:1', '--json'], { stdout: full }),
      synod(['bank', 'keygen', file], { stdout: full }),
      synod(['bank', 'keygen'], { stdout: full }),
      synod(['status', '--endpoints', '127.0.0.1:1'], { stdout: 'closed' }),
    ])
    closeSync(full)
    assert.deepEqual([refused.code, made.code, asked.code, closed.code], [3, 0, 1, 3])
    assert.match(refused.stderr, /UNREACHABLE.*\n.*stdout cannot be written: ENOSPC/)
    assert.match(made.stderr, /what was asked for is done/)
    assert.match(asked.stderr, /synod: stdout cannot be written: ENOSPC/)
    assert.equal(statSync(file).size > 0, true)
  })

  it('refuses arguments and variables that are no UTF-8, and takes U+FFFD itself', { skip: process.platform !== 'linux' }, () => {
    const broken = shell(`"$0" "$1" kv get "$(printf 'a\\377')"`)
    assert.match(broken.stderr, /argument 3, "a\uFFFD", is not UTF-8/)
    assert.equal(broken.status, 2)
    const variable = shell(`SYNOD_DATA="$(printf 'a\\377')" exec "$0" "$1" status --endpoints 127.0.0.1:1`)
    assert.match(variable.stderr, /the variable "SYNOD_DATA=a\uFFFD" is not UTF-8/)
    assert.match(shell(`"$0" "$1" kv get "$(printf '\\357\\277\\275')" --endpoints 127.0.0.1:1`).stderr, /UNREACHABLE/)
  })

  it('makes a key for the owner only, never over another, and signs with it as documented', async () => {
    const file = join(directory, 'mint.json')
    const made = await synod(['bank', 'keygen', file, '--id', 'mint'])
    assert.equal(made.code, 0)
    assert.match(made.stdout, /^mint=[A-Za-z0-9+/]{43}=\n$/)
    assert.equal(statSync(file).mode & 0o777, 0o600)
    const again = await synod(['bank', 'keygen', file])
    assert.match(again.stderr, /is there already/)
    assert.equal(again.code, 1)
    assert.equal((JSON.parse(readFileSync(file, 'utf8')) as { authorityId: string }).authorityId, 'mint')
    const signed = await synod(['bank', 'sign', 'alice', '100', '--asset', 'EUR', '--id', 'd1', '--key', file])
    const { signature, ...rest } = JSON.parse(signed.stdout) as Record<string, string>
    assert.deepEqual(rest, { depositId: 'd1', accountId: 'alice', asset: 'EUR', amount: '100', authorityId: 'mint' })
    assert.equal(Buffer.from(signature ?? '', 'base64').length, 64)
  })

  it('dev and start say in one line that a port is taken, and leave nothing half started', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const data = join(directory, 'taken')
    const dev = await synod(['dev', '--nodes', '1', '--data', data, '--base-port', String(port - 1)])
    assert.match(dev.stderr, new RegExp(`^synod: port ${port} \\(node 1, clients\\) cannot be used: .*\\n$`))
    assert.equal(dev.code, 1)
    const peers = `1=127.0.0.1:${port}/127.0.0.1:${port - 1}`
    const started = await synod(['start', '--id', '1', '--data', data, '--peers', peers, '--log-level', 'error'])
    assert.match(started.stderr, new RegExp(`^synod: .*${port}.*\\n$`))
    assert.equal(started.code, 1)
    server.close()
  })

  it('dev says in one line that it cannot write to the data directory', async () => {
    const { code, stderr } = await synod(['dev', '--data', '/proc/synod'])
    assert.match(stderr, /^synod: cannot write to the data directory \/proc\/synod: .*\n$/)
    assert.equal(code, 1)
  })
})
