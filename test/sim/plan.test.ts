import assert from 'node:assert/strict'
import { test } from 'node:test'
import { QUIET_PLAN, type WorldPlan } from '../../src/sim/plan/plan.js'
import { InvalidPlan } from '../../src/sim/plan/plan-fields.js'
import { formatPlan, parsePlan } from '../../src/sim/plan/plan-file.js'
import { drawSchedule, FAULT_KINDS } from '../../src/sim/plan/schedule.js'
import { SIMPLER_PLANS } from '../../src/sim/plan/simplify.js'
import { tellSchedule } from '../../src/sim/plan/tell-fault.js'
import { Random } from '../../src/sim/random.js'
import { planOf } from '../../src/sim/runs/run-seed.js'

const SEEDS = Array.from({ length: 300 }, (_, i) => i + 1)
const kindsOf = (plan: WorldPlan) => new Set(plan.faults.map((fault) => fault.kind))
const drawn = planOf

test('every plan that is drawn can be formatted and parsed again', () => {
  for (const seed of SEEDS) {
    const seeded = { seed, plan: drawn(seed) }
    assert.deepEqual(parsePlan(formatPlan(seeded)), seeded)
  }
})

test('a simplified plan can still be formatted and parsed', () => {
  const patient = {
    ...QUIET_PLAN.options,
    heartbeatIntervalMs: 700,
    electionTimeoutMsMin: 100_000,
    electionTimeoutMsMax: 200_000,
  }
  for (const seed of SEEDS.slice(0, 20)) {
    const plan = { ...drawn(seed), options: patient }
    for (const simpler of SIMPLER_PLANS.flatMap((simplify) => simplify(plan) ?? [])) {
      assert.deepEqual(parsePlan(formatPlan({ seed, plan: simpler })).plan, simpler)
    }
  }
})

test('worlds differ in which faults exist, how many, and how long', () => {
  const plans = SEEDS.map(drawn)
  for (const kind of FAULT_KINDS) {
    const share = plans.filter((plan) => kindsOf(plan).has(kind)).length / plans.length
    assert.ok(share > 0.01 && share < 0.6, `${kind} is in ${share} of the worlds`)
  }
  assert.ok(plans.some((plan) => plan.faults.length === 0 || kindsOf(plan).size <= 2))
  assert.ok(plans.some((plan) => plan.faults.length > 40))
  for (const { faults, faultsMs } of plans) {
    assert.ok(faults.every(({ atMs, forMs }) => atMs >= 0 && atMs < faultsMs && forMs >= 0))
    assert.deepEqual(
      faults,
      faults.toSorted((a, b) => a.atMs - b.atMs),
    )
  }
})

test('each kind of fault is drawn separately: the duration of a world changes only the end', () => {
  const short = drawSchedule(new Random(5), { nodeCount: 5, untilMs: 2_000 })
  const long = drawSchedule(new Random(5), { nodeCount: 5, untilMs: 4_000 })
  assert.ok(long.length > short.length)
  assert.deepEqual(
    long.filter(({ atMs }) => atMs < 2_000),
    short,
  )
})

test('every kind of fault has its own description, with names of nodes only', () => {
  const lines = new Map<string, string>()
  for (const seed of SEEDS) {
    const { faults } = drawn(seed)
    tellSchedule(faults).forEach((line, i) => {
      const kind = faults[i]?.kind ?? ''
      lines.set(kind, line)
      assert.match(line, /^at [\d,]+ ms: \S.*\S$/)
      assert.doesNotMatch(line, /undefined|\[object/)
    })
  }
  const words = [...lines.values()].map((line) =>
    line.replace(/^at [\d,]+ ms: /, '').replace(/n\d|the (leader|follower)|-?[\d,]+/g, '#'),
  )
  assert.equal(new Set(words).size, FAULT_KINDS.length)
  assert.deepEqual(tellSchedule([{ atMs: 1_203, forMs: 310, kind: 'crashInWrite', target: 2 }]), [
    'at 1,203 ms: n2 crashes in the middle of a write, back after 310 ms',
  ])
})

test('missing fields are as in the quiet plan', () => {
  const plan = parsePlan('{ "seed": 7, "link": { "lossRate": 0.5 }, "options": { "windowSlots": 1 } }')
  assert.deepEqual(plan, {
    seed: 7,
    plan: {
      ...QUIET_PLAN,
      link: { ...QUIET_PLAN.link, lossRate: 0.5 },
      options: { ...QUIET_PLAN.options, windowSlots: 1 },
      habits: { ...QUIET_PLAN.habits },
      faults: [],
      healOrder: [1, 2, 3],
    },
  })
})

const crash = '"atMs": 1, "forMs": 1, "kind": "crash"'
const atLeastOne =
  (part: string) =>
  (name: string): readonly [string, string] => [
    `{ "seed": 1, "${part}": { "${name}": 0 } }`,
    `${part}.${name} must be a number from 1 to 600000, not 0`,
  ]
const REFUSED: readonly (readonly [plan: string, message: string])[] = [
  ['[]', 'a plan must be an object, not []'],
  ['{ "seed": 1', 'a plan must be a JSON object: '],
  ['{}', 'seed must be a whole number from 0 to 4294967295, and is missing'],
  ['{ "seed": 1, "format": 2 }', 'format is 2; this version of synod reads 1'],
  ['{ "seed": 1, "nodeCount": 0 }', 'nodeCount must be a whole number from 1 to 9, not 0'],
  ['{ "seed": 1, "link": { "lossRate": 2 } }', 'link.lossRate must be a number from 0 to 1, not 2'],
  ['{ "seed": 1, "link": { "lossrate": 0 } }', 'link.lossrate is not known; known here are delayMsMin, '],
  ['{ "seed": 1, "habits": { "clientCount": 1.5 } }', 'habits.clientCount must be a whole number from 1 to 100, not 1.5'],
  ['{ "seed": 1, "habits": { "clientCount": 101 } }', 'habits.clientCount must be a whole number from 1 to 100, not 101'],
  ['{ "seed": 1, "habits": { "outstandingMax": 101 } }', 'habits.outstandingMax must be a whole number from 1 to 100, not 101'],
  ...['timeoutMs', 'thinkMsMean', 'holdMsMax'].map(atLeastOne('habits')),
  ...['heartbeatIntervalMs', 'retryDelayMs', 'electionTimeoutMsMin', 'electionTimeoutMsMax'].map(atLeastOne('options')),
  [
    '{ "seed": 1, "habits": { "deathMsMean": 0.001 } }',
    'habits.deathMsMean must be 0 (never) or a number of at least 1, not 0.001',
  ],
  ['{ "seed": 1, "habits": { "absenceMsMean": 0.5 } }', 'habits.absenceMsMean must be 0 (never) or a number of at least 1'],
  [
    '{ "seed": 1, "options": { "electionTimeoutMsMin": 601 } }',
    'options.electionTimeoutMsMin, 601, must not be above options.electionTimeoutMsMax, 600',
  ],
  [
    '{ "seed": 1, "options": { "heartbeatIntervalMs": 300 } }',
    'options.heartbeatIntervalMs, 300, must be below options.electionTimeoutMsMin, 300',
  ],
  ['{ "seed": 1, "encodesMessages": "yes" }', 'encodesMessages must be true or false, not "yes"'],
  ['{ "seed": 1, "faults": {} }', 'faults must be a list of at most 10000, not {}'],
  ['{ "seed": 1, "faults": [{ "atMs": -1, "kind": "crash" }] }', 'faults[0].atMs must be a number from 0 to 600000, not -1'],
  ['{ "seed": 1, "faults": [{ "atMs": 1, "kind": "crush" }] }', 'faults[0].kind must be one of crash, crashMidStep, '],
  [
    `{ "seed": 1, "faults": [{ ${crash} }] }`,
    'faults[0].target must be "leader", "follower" or a node from 1 to 3, and is missing',
  ],
  [`{ "seed": 1, "faults": [{ ${crash}, "target": 4 }] }`, 'or a node from 1 to 3, not 4'],
  [
    `{ "seed": 1, "faults": [{ ${crash}, "target": 1, "steps": 3 }] }`,
    'faults[0].steps is not known; known here are atMs, forMs, kind, target',
  ],
  [
    '{ "seed": 1, "faults": [{ "atMs": 1, "kind": "partialPartition", "links": [[1, 2], [2, 2]] }] }',
    'faults[0].links[1] must be [from, to], two different nodes from 1 to 3, not [2,2]',
  ],
  [
    '{ "seed": 1, "faults": [{ "atMs": 1, "kind": "symmetricPartition", "group": [1, 1] }] }',
    'faults[0].group must be a list of different nodes from 1 to 3, not [1,1]',
  ],
  ['{ "seed": 1, "healOrder": [] }', 'healOrder must be a list of different nodes from 1 to 3, not []'],
  ['{ "seed": 1, "healOrder": [3, 1] }', 'healOrder must be a list of all nodes from 1 to 3, each once, not [3,1]'],
]

for (const [plan, message] of REFUSED) {
  test(`refused: ${plan}`, () => {
    assert.throws(
      () => parsePlan(plan),
      (error) => error instanceof InvalidPlan && error.message.includes(message),
    )
  })
}
