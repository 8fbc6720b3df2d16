import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from './cluster.js'

// One short history, again and again, with one fault after each of its messages in turn. The cluster itself checks agreement, the
// invariants and the reads; here it must in the end have decided what was proposed after the fault, on every node.

const NODE_IDS = [1, 2, 3]
const MESSAGES_MAX = 45

type Fault = (cluster: Cluster) => void

/** Elects, writes and reads on all nodes; `fault` strikes when `strikesAfter` messages have been delivered. False if none were left. */
function strike(strikesAfter: number, fault: Fault, isDiskSlow: boolean): boolean {
  const cluster = new Cluster({ nodeIds: NODE_IDS, options: { batchCommandsMax: 1, pageBytesMax: 30 } })
  if (isDiskSlow) for (const nodeId of NODE_IDS) cluster.syncByHand(nodeId)
  let deliveredCount = 0
  let hasStruck = false
  const advance = () => {
    for (const nodeId of NODE_IDS) cluster.tick(nodeId)
    for (let left = 30; left > 0 && cluster.deliver(); left--) {
      if (++deliveredCount !== strikesAfter) continue
      hasStruck = true
      fault(cluster)
    }
    if (isDiskSlow) for (const nodeId of NODE_IDS) cluster.sync(nodeId)
  }
  cluster.tick(1, 601)
  for (let i = 0; i < 12; i++) {
    advance()
    if (i === 3 || i === 6) for (const nodeId of NODE_IDS) cluster.propose(nodeId, `n${nodeId}-${i}`)
    if (i === 7) for (const nodeId of NODE_IDS) cluster.read(nodeId)
  }
  if (!hasStruck) return false
  for (const nodeId of NODE_IDS) cluster.syncAlone(nodeId)
  cluster.runUntil('a leader is there', () => cluster.leaders.length === 1)
  const [leader] = cluster.leaders
  assert.ok(leader)
  cluster.runUntil('a command is taken', () => cluster.propose(leader, 'after') === 'sent')
  const reads = NODE_IDS.map((nodeId) => cluster.read(nodeId))
  cluster.runUntil('everybody has decided it', () => {
    const { length } = cluster.log
    return cluster.log.includes('after') && NODE_IDS.every((nodeId) => cluster.node(nodeId).decidedUpTo === length)
  })
  cluster.runUntil('the reads are answered', () => reads.every((read) => cluster.grants.has(read)))
  return true
}

const FAULTS: Record<string, Fault> = {
  'node 1 crashes and restarts': (cluster) => bounce(cluster, 1),
  'node 2 crashes and restarts': (cluster) => bounce(cluster, 2),
  'all crash and restart': (cluster) => NODE_IDS.forEach((nodeId) => bounce(cluster, nodeId)),
  'everything on its way is lost': (cluster) => void cluster.drop(),
  'everything on its way arrives twice': (cluster) => cluster.duplicate(),
  'everything on its way is turned round': (cluster) => cluster.turnRound(),
  'the next message is lost': (cluster) => loseNext(cluster),
}

function bounce(cluster: Cluster, nodeId: number): void {
  cluster.crash(nodeId)
  cluster.restart(nodeId)
}

function loseNext(cluster: Cluster): void {
  const [next] = cluster.inTransit
  if (next !== undefined) cluster.drop({ where: (message) => message === next.message, to: next.to })
}

for (const [name, fault] of Object.entries(FAULTS)) {
  for (const isDiskSlow of [false, true]) {
    test(`${name}, after each message in turn${isDiskSlow ? ', with writes under way' : ''}`, () => {
      let runs = 0
      for (let i = 1; i <= MESSAGES_MAX; i++) if (strike(i, fault, isDiskSlow)) runs++
      assert.ok(runs >= 30, `${runs} faults struck`)
    })
  }
}
