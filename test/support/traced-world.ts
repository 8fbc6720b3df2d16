import { Node, type NodeSettings } from '../../src/paxos/node.js'
import { GOOD_LINK } from '../../src/sim/cluster/network.js'
import { QUIET_PLAN, type WorldPlan } from '../../src/sim/plan/plan.js'
import { runPlan, type SeedResult } from '../../src/sim/runs/run-seed.js'
import type { WorldSettings } from '../../src/sim/runs/world.js'

/** Five nodes and four busy clients, on links that lose and double messages, and a bit of everything that can go wrong. */
const EVENTFUL_PLAN: WorldPlan = {
  ...QUIET_PLAN,
  nodeCount: 5,
  link: { ...GOOD_LINK, delayMsMean: 1, tailRate: 0.02, tailMsMean: 40, lossRate: 0.02, duplicationRate: 0.02, canReorder: true },
  checkpointEverySlots: 20,
  habits: { ...QUIET_PLAN.habits, clientCount: 4, outstandingMax: 2, thinkMsMean: 20 },
  faults: [
    { atMs: 900, forMs: 300, kind: 'crash', target: 2 },
    { atMs: 1_000, forMs: 500, kind: 'slowDisk', target: 3 },
    { atMs: 1_400, forMs: 500, kind: 'symmetricPartition', group: [1, 2] },
    { atMs: 1_500, forMs: 1, kind: 'clockJump', target: 4, byMs: 700 },
    { atMs: 2_000, forMs: 300, kind: 'suspension', target: 'leader' },
    { atMs: 2_400, forMs: 300, kind: 'failingSync', target: 5 },
    { atMs: 2_800, forMs: 200, kind: 'crashInWrite', target: 'leader' },
    { atMs: 3_200, forMs: 200, kind: 'stop', target: 3 },
  ],
  faultsMs: 3_800,
  healOrder: [1, 2, 3, 4, 5],
}

/** Lives through that world, and records every event of it. `parts`: defective ones in the place of the real ones. */
export function eventfulWorld(parts: NonNullable<WorldSettings['parts']> = {}): Promise<SeedResult> {
  return runPlan({ seed: 1, plan: EVENTFUL_PLAN, records: true, parts })
}

/** The same with a deliberate bug: nodes forget at a restart what they have promised and accepted. */
export function brokenWorld(): Promise<SeedResult> {
  return eventfulWorld({ makeNode: makeForgetfulNode })
}

function makeForgetfulNode(settings: NodeSettings): Node {
  return new Node({ ...settings, recovered: { ...settings.recovered, promised: 0, accepted: [] } })
}
