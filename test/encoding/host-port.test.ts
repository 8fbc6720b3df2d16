import assert from 'node:assert/strict'
import { it } from 'node:test'
import { addressedMemberViolations } from '../../src/api/validate-cluster.js'
import { parseMember } from '../../src/cli/node-options.js'
import { connect } from '../../src/client/client.js'
import { isHostPort } from '../../src/encoding/host-port.js'

const RIGHT = [
  'localhost:1',
  '10.0.0.1:65535',
  'node-1.example_1.org.:7101',
  'bücher.example:80',
  '[::1]:7101',
  '[fe80::1%eth0]:80',
]
const WRONG = [
  '',
  'localhost',
  'localhost:',
  ':80',
  '.:80',
  'a:0',
  'a:65536',
  'a:-1',
  'a:1e3',
  'a:0x10',
  'a: 80',
  ' a:80',
  '::1:80',
  '[::1:80',
  '[zz]:80',
  '[]:80',
  'http://a:80',
  'dns:a:80',
  'a@b:80',
  'a/b:80',
  'a,b:80',
  'a=b:80',
  'a?b:80',
  'a#b:80',
  'a%b:80',
  'a\\b:80',
  'a\0b:80',
  'a\u001b[31m:80',
  'a\u202eb:80',
  '\ufeffa:80',
]

it('host:port is the same for the command line, the SDK and the server', () => {
  for (const text of RIGHT) assert.ok(isHostPort(text), text)
  for (const text of WRONG) {
    assert.ok(!isHostPort(text), JSON.stringify(text))
    // Around an endpoint there may be blanks: in a list that is written by hand.
    if (text === text.trim()) assert.throws(() => connect({ endpoints: [text] }), /endpoints/, text)
    assert.throws(() => parseMember(`1=${text}/a:1`), /--peers/, text)
    const request = { nodeId: 1, peerAddress: text, clientAddress: 'a:1' }
    assert.equal(addressedMemberViolations(request)[0]?.field, 'peer_address', text)
  }
})
