import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { pino } from 'pino'
import { newClusterOf } from '../src/cli/new-cluster-plan.js'
import { Member } from '../src/member.js'

const NO_NUMBERS: readonly unknown[] = [Number.NaN, -1, 0, 1e300, Number.POSITIVE_INFINITY, 1.5, '5', null]

const member = (nodeId: number) => ({ nodeId, peerAddress: '127.0.0.1:1', clientAddress: '' })
const peers = (id: number): string => `1=a:1/a:2,${id}=b:1/b:2`

describe('the options of a member', () => {
  const root = mkdtempSync(join(tmpdir(), 'synod-options-'))
  const directory = join(root, 'data')
  after(() => rmSync(root, { recursive: true, force: true }))

  function start(options: Record<string, unknown>): Promise<Member> {
    const machine = {} as never // it is not come to
    const logger = pino({ level: 'silent' })
    const given = { directory, listenAddress: '127.0.0.1:0', nodeId: 1, members: [member(1)], machine, logger, ...options }
    return Member.start(given)
  }

  it('are refused by name where they are no such numbers, before anything is made', async () => {
    const window = { slots: 1, bytes: 1 }
    const checkpoints = { slotsMax: 1, commandsMax: 1, bytesMax: 1 }
    for (const value of NO_NUMBERS) {
      const cases: [string, Record<string, unknown>][] = [
        ['nodeId', { nodeId: value }],
        ['members[1].nodeId', { members: [member(1), { ...member(2), nodeId: value }] }],
        ['logWindow.slots', { logWindow: { ...window, slots: value } }],
        ['logWindow.bytes', { logWindow: { ...window, bytes: value } }],
        ['checkpoints.slotsMax', { checkpoints: { ...checkpoints, slotsMax: value } }],
        ['checkpoints.commandsMax', { checkpoints: { ...checkpoints, commandsMax: value } }],
        ['checkpoints.bytesMax', { checkpoints: { ...checkpoints, bytesMax: value } }],
        ['machine.levelMax', { machine: { levelMax: value } }],
        ['version', { version: 'v'.repeat(257) }],
        ['options.heartbeatIntervalMs', { options: { heartbeatIntervalMs: value } }],
      ]
      if (value !== 0 && value !== null) cases.push(['capacityBytes', { capacityBytes: value }])
      if (value !== 1.5 && value !== 1e300) cases.push(['transferBytesPerSecondMax', { transferBytesPerSecondMax: value }])
      for (const [field, options] of cases) {
        await assert.rejects(start(options), (error: unknown) => {
          assert.ok(error instanceof RangeError && error.message.startsWith(`${field}: must be `), `${field}: ${String(error)}`)
          return true
        })
      }
    }
    assert.equal(existsSync(directory), false)
  })

  it('have no id that would burn the id space when a cluster is founded', async () => {
    const highest = { nodeId: 101, members: [member(101)] }
    await assert.rejects(start(highest), /^RangeError: members: node id 101 is too high: .* from 1 to 100/)
    assert.equal(existsSync(directory), false)
    assert.equal(newClusterOf({ peers: peers(100), out: root }).members.length, 2)
    assert.throws(() => newClusterOf({ peers: peers(65_535), out: root }), /--peers: node id 65535 is too high: .* from 1 to 100/)
  })
})
