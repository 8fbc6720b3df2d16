import assert from 'node:assert/strict'
import { it } from 'node:test'
import { RosterExchange } from '../../src/host/peers/roster-exchange.js'
import type { Message, Roster } from '../../src/paxos/messages.js'
import type { NodeId } from '../../src/paxos/types.js'

const own = { nodeId: 1, dataDirId: 'd', peerAddress: 'a:1', clientAddress: '', version: 1 }

function setUp() {
  const sent: string[] = []
  const known = { clusterId: 'c', memberships: [], announcements: [own], levelMin: 1, levelMax: 1, version: '' }
  const exchange = new RosterExchange({
    peers: () => [2],
    roster: () => known,
    send: (to: NodeId, message: Message) =>
      void sent.push(`${to} ${message.kind === 'roster' && message.asks ? 'asks' : 'tells'}`),
  })
  const roster = (announcements: Roster['announcements'], asks = false): Roster => ({
    kind: 'roster',
    ...known,
    announcements,
    asks,
  })
  return { exchange, known, roster, told: () => sent.splice(0) }
}

it('asks a peer, less and less often, until it tells; then is silent as long as the peer lacks nothing', () => {
  const { exchange, roster, told } = setUp()
  for (let nowMs = 0; nowMs < 5_000; nowMs += 100) exchange.tick(nowMs)
  assert.deepEqual(told(), ['2 asks', '2 asks', '2 asks', '2 asks'])
  exchange.onRoster(2, roster([own]))
  for (let nowMs = 5_000; nowMs < 60_000; nowMs += 100) exchange.tick(nowMs)
  assert.deepEqual(told(), [])
})

it('answers who asks, and tells whoever lacks something again until it has it', () => {
  const { exchange, known, roster, told } = setUp()
  exchange.onRoster(2, roster([own], true))
  assert.deepEqual(told(), ['2 tells'])
  known.announcements = [{ ...own, version: 2 }]
  exchange.onNews()
  exchange.tick(10)
  exchange.tick(600)
  assert.deepEqual(told(), ['2 tells', '2 tells'])
  exchange.onRoster(2, roster([{ ...own, version: 2 }]))
  exchange.tick(5_000)
  assert.deepEqual(told(), [])
})
