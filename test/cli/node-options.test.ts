import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { CliError } from '../../src/cli/failure.js'
import { formatPeers, mergeNodeOptions, type NodeOptions, readConfigFile, serverConfigOf } from '../../src/cli/node-options.js'
import type { ServerConfig } from '../../src/server/config.js'

const PEERS = '1=127.0.0.1:7201/127.0.0.1:7101,2=127.0.0.1:7202/127.0.0.1:7102'
const KEY = Buffer.alloc(32, 7).toString('base64')
const COMPLETE: NodeOptions = { id: '2', data: '/tmp/data', peers: PEERS, authority: [`mint=${KEY}`] }

/** The bound on transfers. */
function rate(...from: Parameters<typeof mergeNodeOptions>): number | undefined {
  return serverConfigOf({ ...mergeNodeOptions(...from), id: '1', data: '/d', peers: '1=a:1/a:2' }).transferBytesPerSecondMax
}

function switches(...from: Parameters<typeof mergeNodeOptions>): Pick<ServerConfig, 'join' | 'repair'> {
  const { join = false, repair = true } = serverConfigOf({
    ...COMPLETE,
    ...mergeNodeOptions(...from),
    id: '2',
    data: 'd',
    peers: PEERS,
  })
  return { join, repair }
}

describe('the options of a node', () => {
  const directory = mkdtempSync(join(tmpdir(), 'synod-options-'))
  after(() => rmSync(directory, { recursive: true, force: true }))

  function file(content: string | Buffer): string {
    const path = join(directory, 'config.json')
    writeFileSync(path, content)
    return path
  }

  it('take flags before variables, and variables before the file', () => {
    const merged = mergeNodeOptions(
      { id: '1' },
      { SYNOD_ID: '2', SYNOD_DATA: 'variable', SYNOD_PEERS: '', SYNOD_AUTHORITIES: 'a=1,b=2' },
      { id: '3', data: 'file', peers: 'file', listen: 'file' },
    )
    assert.deepEqual(merged, {
      id: '1',
      data: 'variable',
      listen: 'file',
      peerListen: undefined,
      peers: 'file',
      authority: ['a=1', 'b=2'],
      join: undefined,
      repair: undefined,
      transferRate: undefined,
    })
  })

  it('bound the rate at which state is sent, in MiB a second', () => {
    assert.equal(rate({}, {}, {}), undefined)
    assert.equal(rate({ transferRate: '2.5' }, {}, {}), 2.5 * (1 << 20))
    assert.equal(rate({}, { SYNOD_TRANSFER_RATE: '8' }, {}), 8 << 20)
    assert.equal(rate({}, {}, readConfigFile(file('{"transferRate": 16}'))), 16 << 20)
    for (const wrong of ['0', '-1', '4MiB', '1e3', '']) {
      assert.throws(() => rate({ transferRate: wrong }, {}, {}), /--transfer-rate: .* from 0\.01 to 100000/)
    }
  })

  it('join an existing cluster, and do not repair by themselves, only when told to, wherever it is said', () => {
    assert.deepEqual(switches({}, {}, {}), { join: false, repair: true })
    assert.deepEqual(switches({ join: true, repair: false }, {}, {}), { join: true, repair: false })
    assert.deepEqual(switches({}, { SYNOD_JOIN: 'true', SYNOD_REPAIR: 'false' }, {}), { join: true, repair: false })
    assert.deepEqual(switches({}, {}, readConfigFile(file('{"join": true, "repair": false}'))), { join: true, repair: false })
    assert.deepEqual(switches({ join: true }, { SYNOD_JOIN: 'false' }, {}), { join: true, repair: true })
    assert.throws(() => mergeNodeOptions({}, { SYNOD_JOIN: 'yes' }, {}), /SYNOD_JOIN must be true or false, not "yes"/)
    assert.throws(() => readConfigFile(file('{"join": "true"}')), /join in .* must be true or false/)
  })

  it('find a data directory of the file beside the file', () => {
    assert.deepEqual(readConfigFile(file('{"id": 3, "data": "db"}')), { id: '3', data: join(directory, 'db') })
  })

  it('listen where the other members look for the node, unless told otherwise', () => {
    const config = serverConfigOf(COMPLETE)
    assert.equal(config.clientListen, '127.0.0.1:7102')
    assert.equal(config.peerListen, '127.0.0.1:7202')
    assert.equal(serverConfigOf({ ...COMPLETE, listen: '0.0.0.0:9' }).clientListen, '0.0.0.0:9')
    assert.deepEqual(config.authorities, [{ authorityId: 'mint', publicKey: Buffer.alloc(32, 7) }])
  })

  it('write the list of members as they read it', () => {
    assert.equal(formatPeers(serverConfigOf(COMPLETE).members), PEERS)
  })

  const FAULTS: [string, NodeOptions, RegExp][] = [
    ['no id', { ...COMPLETE, id: '' }, /^--id is missing \(or SYNOD_ID/],
    ['an id that is no number', { ...COMPLETE, id: 'x' }, /^--id: "x".* from 1 to 65,535/],
    ['an id of 0', { ...COMPLETE, id: '0' }, /^--id: "0"/],
    ['an id that no member has', { ...COMPLETE, id: '3' }, /^--peers: has no node 3/],
    [
      'an address that two members have',
      { ...COMPLETE, peers: '1=A:1/a:2,2=b:1/a:01' },
      /^--peers: a:01 is the address of node 1 for peers/,
    ],
    ['two addresses that are one', { ...COMPLETE, peers: '1=a:1/a:1' }, /^--peers: a:1 .*node 1 for clients$/],
    ['a member named twice', { ...COMPLETE, peers: `${PEERS},2=a:1/b:2` }, /^--peers: names a node twice/],
    ['a member without a client address', { ...COMPLETE, peers: '2=127.0.0.1:7202' }, /^--peers: .*ID=HOST:PEERPORT/],
    [
      'a port out of range',
      { ...COMPLETE, peers: '2=127.0.0.1:70000/127.0.0.1:1' },
      /^--peers: "127.0.0.1:70000" is not HOST:PORT/,
    ],
    ['an address without a port', { ...COMPLETE, listen: 'localhost' }, /^--listen: "localhost" is not HOST:PORT/],
    ['a peer address without a port', { ...COMPLETE, peerListen: ':1' }, /^--peer-listen: ":1" is not HOST:PORT/],
    ['a key with something behind it', { ...COMPLETE, authority: [`mint=${KEY}!`] }, /^--authority: .* 32 bytes/],
    ['a key of the wrong size', { ...COMPLETE, authority: ['mint=AAAA'] }, /^--authority: .* 32 bytes/],
  ]
  for (const [what, options, message] of FAULTS) {
    it(`refuse ${what}, and name the flag`, () => {
      assert.throws(() => serverConfigOf(options), isUsageError(message))
    })
  }

  const FILES: [string, string | Buffer, RegExp][] = [
    ['is no JSON', '{', /^--config .*config\.json is not valid JSON/],
    ['is no object', '[]', /is not a JSON object/],
    ['has something behind it', '{} {}', /is not valid JSON/],
    ['is not UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /config\.json is not UTF-8/],
    ['has an unknown entry', '{"port": 1}', /an entry port, which is not an option/],
    ['has an entry that is nearly right', '{"peer": "a"}', /an entry peer, which is not an option \(did you mean "peers"\?\)/],
    ['has an entry twice', '{"id": 1, "id": 2}', /id is given twice/],
    ['has an entry of the wrong type', '{"data": 1}', /data in .* must be a string/],
    ['has an empty data directory', '{"data": ""}', /data in .* must be a string, and not an empty one/],
    ['has half a surrogate pair in a path', '{"data": "a\\ud800"}', /data in .* is no text/],
    ['has a zero in a path', '{"data": "a\\u0000b"}', /data in .* is no text/],
    ['has an id that is not whole', '{"id": 1.5}', /id in .* must be a whole number/],
    ['has one authority that is not in a list', '{"authority": "a=b"}', /authority in .* must be a list of strings/],
  ]
  it('refuse a config file that has no end, or is none, and name it', () => {
    assert.throws(() => readConfigFile('/dev/zero'), isUsageError(/cannot read --config \/dev\/zero: it is larger than/))
    assert.throws(() => readConfigFile(directory), isUsageError(new RegExp(`cannot read --config ${directory}: EISDIR`)))
  })

  for (const [what, content, message] of FILES) {
    it(`refuse a config file that ${what}`, () => {
      assert.throws(() => readConfigFile(file(content)), isUsageError(message))
    })
  }
})

function isUsageError(message: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof CliError, String(error))
    assert.match(error.message, message)
    assert.equal(error.exitCode, 2)
    return true
  }
}
