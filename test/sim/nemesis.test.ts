import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LinkQuality, Network } from '../../src/sim/cluster/network.js'
import { Nemesis } from '../../src/sim/nemesis/nemesis.js'
import { linksCutBy, type Partition } from '../../src/sim/plan/partitions.js'
import { QUIET_PLAN, type WorldPlan } from '../../src/sim/plan/plan.js'
import type { PlannedFault } from '../../src/sim/plan/schedule.js'
import { World } from '../../src/sim/runs/world.js'
import { formedWorld } from './scenario.js'

/** Makes these faults strike a world that has been running for a while: `atMs` counts from now. */
function strike(world: World, faults: readonly PlannedFault[]): Nemesis {
  const { nodes, network, scheduler, totals, trace, checker, survival, operator, plan, nowMs } = world
  const shifted = faults.map((fault) => ({ ...fault, atMs: fault.atMs + nowMs }))
  return new Nemesis({
    plan: { faults: shifted, link: plan.link },
    nodes,
    network,
    scheduler,
    totals,
    trace,
    checker,
    survival,
    operator,
  })
}

/** Returns the links that have been cut at any time, as `1>2`. */
function watchCuts(network: Network): Set<string> {
  const cuts = new Set<string>()
  const cut = network.cut.bind(network)
  const mend = network.mend.bind(network)
  network.cut = (from, to) => {
    cuts.add(`${from}>${to}`)
    cut(from, to)
  }
  network.mend = (from, to) => {
    cuts.delete(`${from}>${to}`)
    mend(from, to)
  }
  return cuts
}

const FIVE = [1, 2, 3, 4, 5]
const when = { atMs: 0, forMs: 1 }

/** Returns every link except those between these pairs, in both directions. */
function allBut(...pairs: readonly string[]): string[] {
  const kept = new Set(pairs.flatMap((pair) => [pair, pair.split('>').toReversed().join('>')]))
  return FIVE.flatMap((a) => FIVE.filter((b) => a !== b && !kept.has(`${a}>${b}`)).map((b) => `${a}>${b}`))
}

const PARTITIONS: readonly { readonly fault: Partition; readonly target?: number; readonly cut: readonly string[] }[] = [
  {
    fault: { ...when, kind: 'symmetricPartition', group: [2, 4] },
    cut: allBut('1>3', '1>5', '3>5', '2>4'),
  },
  { fault: { ...when, kind: 'oneWayPartition', target: 2, side: 'deaf' }, target: 2, cut: ['1>2', '3>2', '4>2', '5>2'] },
  { fault: { ...when, kind: 'oneWayPartition', target: 2, side: 'mute' }, target: 2, cut: ['2>1', '2>3', '2>4', '2>5'] },
  { fault: { ...when, kind: 'quorumLoss', target: 3 }, target: 3, cut: allBut('3>1', '3>2', '3>4', '3>5') },
  { fault: { ...when, kind: 'constrainedElection', target: 3 }, target: 3, cut: allBut('3>2', '3>4', '3>5') },
  { fault: { ...when, kind: 'constrainedElection', target: 1 }, target: 1, cut: allBut('2>3', '2>4', '2>5') },
  { fault: { ...when, kind: 'chained', order: [5, 1, 4, 2, 3] }, cut: allBut('5>1', '1>4', '4>2', '2>3') },
  { fault: { ...when, kind: 'partialPartition', links: [[4, 5]] }, cut: ['4>5'] },
  { fault: { ...when, kind: 'leaderIsolation' }, cut: ['1>2', '1>3', '1>4', '1>5', '2>1', '3>1', '4>1', '5>1'] },
]

for (const { fault, target, cut } of PARTITIONS) {
  test(`five nodes, the first leads: ${JSON.stringify(fault)} cuts ${cut.length} links`, () => {
    const links = linksCutBy(fault, { nodeIds: FIVE, leader: 1, target })
    assert.deepEqual(links.map(([from, to]) => `${from}>${to}`).toSorted(), cut.toSorted())
  })
}

test('partitions that need a leader cut nothing while there is none', () => {
  for (const fault of [
    { ...when, kind: 'leaderIsolation' },
    { ...when, kind: 'quorumLoss', target: 2 },
  ] as const) {
    assert.deepEqual(linksCutBy(fault, { nodeIds: FIVE, leader: undefined, target: 2 }), [])
  }
})

test('a link that two partitions cut is mended when both are over, and not before', async () => {
  const { world } = await formedWorld()
  const cuts = watchCuts(world.network)
  strike(world, [
    { atMs: 10, forMs: 100, kind: 'partialPartition', links: [[1, 2]] },
    {
      atMs: 50,
      forMs: 100,
      kind: 'partialPartition',
      links: [
        [1, 2],
        [2, 3],
      ],
    },
  ])
  await world.run(20)
  assert.deepEqual([...cuts], ['1>2'])
  await world.run(100)
  assert.deepEqual([...cuts], ['1>2', '2>3'])
  await world.run(40)
  assert.equal(cuts.size, 0)
})

test('flapping links are cut and mended in turn, and whole in the end', async () => {
  const { world } = await formedWorld()
  const cuts = watchCuts(world.network)
  strike(world, [{ atMs: 5, forMs: 50, kind: 'flappingLinks', links: [[1, 2]], periodMs: 20 }])
  const seen: number[] = []
  for (let i = 0; i < 8; i++) {
    await world.run(10)
    seen.push(cuts.size)
  }
  assert.deepEqual(seen, [1, 1, 0, 0, 1, 0, 0, 0])
})

test('isolating a leader ends the isolation of the one before', async () => {
  const { world, leader, followers } = await formedWorld({}, { isBusy: true })
  const cuts = watchCuts(world.network)
  strike(world, [
    { atMs: 10, forMs: 60_000, kind: 'leaderIsolation' },
    { atMs: 4_000, forMs: 60_000, kind: 'leaderIsolation' },
  ])
  await world.run(2_000)
  assert.equal(cuts.size, 4)
  assert.ok([...cuts].every((link) => link.includes(String(leader.id))))
  await world.run(2_010)
  assert.equal(cuts.size, 4)
  assert.ok(followers.some(({ id }) => [...cuts].every((link) => link.includes(String(id)))))
})

test('the node that a fault strikes is determined when it strikes', async () => {
  const { world, leader } = await formedWorld()
  strike(world, [
    { atMs: 10, forMs: 5_000, kind: 'crash', target: 'leader' },
    { atMs: 3_000, forMs: 100, kind: 'pause', target: 'leader' },
    { atMs: 2_950, forMs: 150, kind: 'slowDisk', target: 'follower' },
  ])
  await world.run(20)
  assert.deepEqual(
    world.nodes.filter((node) => !node.isUp),
    [leader],
  )
  await world.run(3_000)
  const paused = world.nodes.filter((node) => node.isPaused)
  const slow = world.nodes.filter((node) => node.disk.isSlow)
  assert.equal(paused.length, 1)
  assert.notEqual(paused[0], leader)
  assert.deepEqual(
    slow.map((node) => node.id),
    [((paused[0]?.id ?? 0) % 3) + 1],
  )
})

test('a node that is down for two reasons comes back when both are over', async () => {
  const { world } = await formedWorld()
  strike(world, [
    { atMs: 10, forMs: 100, kind: 'crash', target: 2 },
    { atMs: 50, forMs: 300, kind: 'crashOfAll' },
  ])
  await world.run(140)
  assert.deepEqual(
    world.nodes.map((node) => node.isUp),
    [false, false, false],
  )
  await world.run(115)
  assert.deepEqual(
    world.nodes.map((node) => node.isUp),
    [true, true, false],
  )
  await world.run(100)
  assert.ok(world.nodes.every((node) => node.isUp))
})

test('a rolling restart takes one node after the other down, and all are up in between', async () => {
  const { world } = await formedWorld()
  strike(world, [{ atMs: 0, forMs: 300, kind: 'rollingRestart' }])
  const down: string[] = []
  for (let i = 0; i < 40; i++) {
    await world.run(50)
    down.push(
      world.nodes
        .filter((node) => !node.isUp)
        .map((node) => node.id)
        .join(),
    )
  }
  const phases = down.filter((ids, i) => ids !== down[i - 1])
  assert.deepEqual(phases.filter(Boolean), ['1', '2', '3'])
  assert.equal(down.at(-1), '')
})

test('at most a minority has lost written data at any time, and no node before it is a member', async () => {
  for (const nodeCount of [3, 5]) {
    const everybody = (atMs: number) =>
      Array.from(
        { length: nodeCount },
        (_, i): PlannedFault => ({
          atMs,
          forMs: 200,
          ...(i % 2 === 0 ? { kind: 'lostDirectory', target: i + 1 } : { kind: 'corruptedRecord', target: i + 1, pick: 7 }),
        }),
      )
    const { world } = await formedWorld({ nodeCount }, { isBusy: true })
    strike(world, [...everybody(10), ...everybody(500)])
    const minority = Math.floor((nodeCount - 1) / 2)
    let goneMax = 0
    for (let i = 0; i < 100; i++) {
      await world.run(15)
      goneMax = Math.max(goneMax, world.nodes.filter((node) => world.survival.isGone(node)).length)
    }
    assert.equal(goneMax, minority)
    const halted = world.nodes.filter((node) => node.haltCode !== undefined)
    assert.ok(halted.length <= minority)
    assert.deepEqual(new Set(halted.map((node) => node.haltCode)), new Set(['DATA_DIR_MISMATCH']))
    assert.ok(nodeCount < 5 || world.totals.of('repairedDirectory') > 0, 'what is damaged only mends itself')
  }
  const { world } = await formedWorld()
  for (const node of world.nodes) node.loseDirectory()
  strike(world, [{ atMs: 1, forMs: 10, kind: 'lostDirectory', target: 1 }])
  await world.run(20)
  assert.equal(world.totals.of('lostDirectory'), world.nodes.length)
})

test('a full disk stops its node, which is back when there is space; a failing sync likewise; a stalled one ends late', async () => {
  const { world, leader, followers } = await formedWorld({}, { isBusy: true })
  const [full, failing] = followers
  strike(world, [{ atMs: 10, forMs: 2_000, kind: 'fullDisk', target: full?.id ?? 0 }])
  await world.run(1_000)
  assert.equal(full?.isUp, false)
  await world.run(2_000)
  assert.equal(full?.isUp, true)
  strike(world, [{ atMs: 10, forMs: 1_000, kind: 'failingSync', target: failing?.id ?? 0 }])
  await world.run(800)
  assert.equal(failing?.isUp, false)
  await world.run(1_000)
  assert.equal(failing?.isUp, true)
  assert.equal(world.totals.of('failedWrite'), 2)
  const stalled = world.leader ?? leader
  strike(world, [{ atMs: 0, forMs: 200, kind: 'stalledSync', target: 'leader' }])
  await world.run(150)
  assert.ok(stalled.disk.isWriting && stalled.disk.isStalled)
  await world.run(100)
  assert.equal(stalled.disk.isStalled, false)
})

test('a slow node is slow on its disk, in its turns and on its links, and fast again afterwards', async () => {
  const { world } = await formedWorld()
  const qualities = new Map<string, LinkQuality>()
  world.network.setQuality = (from, to, quality) => qualities.set(`${from}>${to}`, quality)
  const slowLinks = () => [...qualities].filter(([, quality]) => quality.delayMsMean > 10).map(([link]) => link)
  const nemesis = strike(world, [
    { atMs: 0, forMs: 100, kind: 'slowNode', target: 1 },
    { atMs: 50, forMs: 100, kind: 'slowNode', target: 2 },
    { atMs: 60, forMs: 10, kind: 'slowDisk', target: 1 },
    { atMs: 200, forMs: 1_000, kind: 'slowNode', target: 3 },
  ])
  await world.run(80)
  assert.deepEqual(slowLinks().toSorted(), ['1>2', '1>3', '2>1', '2>3', '3>1', '3>2'])
  assert.ok(world.node(1).isSlow && world.node(1).disk.isSlow)
  await world.run(40)
  assert.deepEqual(slowLinks().toSorted(), ['1>2', '2>1', '2>3', '3>2'])
  assert.ok(!world.node(1).isSlow && !world.node(1).disk.isSlow)
  await world.run(100)
  assert.deepEqual(slowLinks().toSorted(), ['1>3', '2>3', '3>1', '3>2'])
  nemesis.stop()
  assert.deepEqual(slowLinks(), [])
  assert.equal(world.node(3).isSlow, false)
})

test('a wall clock is off for a while, or jumps for good, or drifts', async () => {
  const { world } = await formedWorld()
  strike(world, [
    { atMs: 10, forMs: 100, kind: 'clockSkew', target: 1, byMs: -5_000 },
    { atMs: 10, forMs: 1, kind: 'clockJump', target: 2, byMs: 3_000 },
    { atMs: 10, forMs: 1_000, kind: 'clockDrift', target: 3, perSecondMs: 200 },
  ])
  await world.run(50)
  assert.equal(world.node(1).wallOffsetMs, -5_000)
  assert.equal(world.node(2).wallOffsetMs, 3_000)
  await world.run(1_000)
  assert.equal(world.node(1).wallOffsetMs, 0)
  assert.equal(world.node(2).wallOffsetMs, 3_000)
  assert.ok(Math.abs(world.node(3).wallOffsetMs - 200) < 1e-6)
})

test('a stopped nemesis neither strikes nor mends', async () => {
  const { world } = await formedWorld()
  const nemesis = strike(world, [
    { atMs: 10, forMs: 50, kind: 'crash', target: 1 },
    { atMs: 40, forMs: 50, kind: 'crash', target: 2 },
  ])
  await world.run(20)
  nemesis.stop()
  await world.run(200)
  assert.deepEqual(
    world.nodes.map((node) => node.isUp),
    [false, true, true],
  )
})

/** Returns every event of two seconds. */
async function linesOf(plan: Partial<WorldPlan>): Promise<string[]> {
  const lines: string[] = []
  const world = new World({ seed: 3, plan: { ...QUIET_PLAN, ...plan }, print: (line) => lines.push(line) })
  world.start()
  world.startNemesis()
  await world.run(2_000)
  return lines
}

test('without a fault the world is the same up to the moment at which the fault would have struck', async () => {
  const faults: readonly PlannedFault[] = [
    { atMs: 600, forMs: 200, kind: 'pause', target: 2 },
    { atMs: 1_100, forMs: 100, kind: 'crash', target: 1 },
    { atMs: 1_500, forMs: 100, kind: 'partialPartition', links: [[1, 2]] },
  ]
  const all = await linesOf({ faults })
  const without = await linesOf({ faults: faults.filter(({ kind }) => kind !== 'crash') })
  const first = all.findIndex((line) => line.includes('FAULT crash: n1 crashes'))
  assert.ok(first > 100 && all.length > first + 100)
  assert.deepEqual(all.slice(0, first - 1), without.slice(0, first - 1))
})
