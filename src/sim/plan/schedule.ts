import type { NodeId } from '../../paxos/types.js'
import type { Random } from '../random.js'

/** The node that a fault strikes: by its id, or by its role at that moment. */
export type Target = NodeId | 'leader' | 'follower'

/** One direction of a link: from the first node to the second. */
export type DirectedLink = readonly [from: NodeId, to: NodeId]

interface Timing {
  /** Time of the fault, in ms from the beginning of the world. */
  readonly atMs: number
  /** Duration of the fault, in ms. */
  readonly forMs: number
}

type Detail =
  | {
      readonly kind:
        | 'crash'
        | 'crashInWrite'
        | 'stop'
        | 'pause'
        /** The whole machine stands still, its monotonic clock too, like a suspended virtual machine. */
        | 'suspension'
        | 'slowNode'
        | 'slowDisk'
        | 'stalledSync'
        | 'failingSync'
        | 'fullDisk'
        | 'lostDirectory'
        /** Down for so long that members may be added and removed meanwhile. */
        | 'absence'
      readonly target: Target
    }
  /** The machine comes back at other addresses. `isLogged`: an operator also records them in the log. */
  | { readonly kind: 'move'; readonly target: Target; readonly isLogged: boolean }
  /** Crashes between two steps of the node, after `steps` more steps. */
  | { readonly kind: 'crashMidStep'; readonly target: Target; readonly steps: number }
  | { readonly kind: 'crashOfAll' | 'restartOfAll' | 'rollingRestart' | 'handOver' }
  /** The nodes are restarted with the next version of the software, one after the other. */
  | { readonly kind: 'rollingUpgrade' }
  /**
   * A node of the next version is started with the current one, which refuses data of the next level, and then with the next one
   * again.
   */
  | { readonly kind: 'downgrade'; readonly target: Target }
  | { readonly kind: 'leaderIsolation' }
  /** The nodes of the group and the others do not hear each other. */
  | { readonly kind: 'symmetricPartition'; readonly group: readonly NodeId[] }
  | { readonly kind: 'oneWayPartition'; readonly target: Target; readonly side: 'deaf' | 'mute' }
  /**
   * Scenarios of "Omni-Paxos: Breaking the Barriers of Partial Connectivity" (EuroSys '23, section 2). Quorum-loss: all nodes
   * hear one node only, which does not lead. Constrained election: the same, and the leader is cut off completely.
   */
  | { readonly kind: 'quorumLoss' | 'constrainedElection'; readonly target: Target }
  /** The third of these scenarios: each node hears only its neighbours in this order. */
  | { readonly kind: 'chained'; readonly order: readonly NodeId[] }
  | { readonly kind: 'partialPartition'; readonly links: readonly DirectedLink[] }
  | { readonly kind: 'flappingLinks'; readonly links: readonly DirectedLink[]; readonly periodMs: number }
  /** The wall clock is off by this much, for a while (skew) or from now on (jump). */
  | { readonly kind: 'clockSkew' | 'clockJump'; readonly target: Target; readonly byMs: number }
  /** All wall clocks are set forward at once, as in a cluster that had no time server: sessions and holds expire. */
  | { readonly kind: 'clockLeap'; readonly byMs: number }
  /** The wall clock gains (or loses) this much in each second, and keeps it. */
  | { readonly kind: 'clockDrift'; readonly target: Target; readonly perSecondMs: number }
  /** The disk of a node that is down is put back to its state of `forMs` before, the whole directory. */
  | { readonly kind: 'olderCopy'; readonly target: Target }
  /** An operator adds a spare machine, if there is one left, and lets it vote once it has learned. */
  | { readonly kind: 'addMember' }
  /**
   * An operator removes a member; `replaceMember` first adds a spare machine. A member that cannot run any more is chosen first.
   */
  | { readonly kind: 'removeMember' | 'replaceMember'; readonly target: Target }
  /** An operator raises the level of the log: to the given level, or to the highest that all members know (0). */
  | { readonly kind: 'raiseLevel'; readonly level: number }
  /** An operator transfers the leadership. */
  | { readonly kind: 'transferLeadership'; readonly target: Target }
  /** A bit of one stored record flips; `pick` chooses the record. */
  | { readonly kind: 'corruptedRecord'; readonly target: Target; readonly pick: number }

/** One planned fault: its kind, its time and its duration. Plain JSON. */
export type PlannedFault = Timing & Detail

export type FaultKind = PlannedFault['kind']

interface Frequency {
  /** Share of the worlds in which the fault exists at all. */
  readonly share: number
  /** Mean time between two of these faults, in a world in which they exist, in ms. */
  readonly everyMs: number
  readonly forMsMean: number
}

const FREQUENCIES: { readonly [K in FaultKind]: Frequency } = {
  crash: { share: 0.3, everyMs: 1_000, forMsMean: 400 },
  crashMidStep: { share: 0.3, everyMs: 1_000, forMsMean: 400 },
  crashInWrite: { share: 0.3, everyMs: 1_000, forMsMean: 400 },
  crashOfAll: { share: 0.25, everyMs: 2_500, forMsMean: 400 },
  restartOfAll: { share: 0.1, everyMs: 3_000, forMsMean: 300 },
  rollingRestart: { share: 0.1, everyMs: 3_000, forMsMean: 150 },
  rollingUpgrade: { share: 0.12, everyMs: 3_000, forMsMean: 100 },
  downgrade: { share: 0.4, everyMs: 1_000, forMsMean: 200 },
  stop: { share: 0.15, everyMs: 1_500, forMsMean: 300 },
  handOver: { share: 0.25, everyMs: 1_000, forMsMean: 1 },
  symmetricPartition: { share: 0.25, everyMs: 1_500, forMsMean: 900 },
  oneWayPartition: { share: 0.25, everyMs: 1_500, forMsMean: 900 },
  partialPartition: { share: 0.2, everyMs: 1_500, forMsMean: 900 },
  quorumLoss: { share: 0.15, everyMs: 1_500, forMsMean: 900 },
  constrainedElection: { share: 0.15, everyMs: 1_500, forMsMean: 900 },
  chained: { share: 0.15, everyMs: 1_500, forMsMean: 900 },
  flappingLinks: { share: 0.15, everyMs: 2_000, forMsMean: 1_200 },
  leaderIsolation: { share: 0.4, everyMs: 400, forMsMean: 500 },
  slowNode: { share: 0.15, everyMs: 1_500, forMsMean: 700 },
  slowDisk: { share: 0.25, everyMs: 1_000, forMsMean: 500 },
  stalledSync: { share: 0.15, everyMs: 1_200, forMsMean: 600 },
  failingSync: { share: 0.15, everyMs: 1_500, forMsMean: 400 },
  fullDisk: { share: 0.15, everyMs: 1_500, forMsMean: 500 },
  corruptedRecord: { share: 0.08, everyMs: 4_000, forMsMean: 300 },
  lostDirectory: { share: 0.08, everyMs: 4_000, forMsMean: 300 },
  clockSkew: { share: 0.15, everyMs: 1_500, forMsMean: 1_000 },
  clockJump: { share: 0.25, everyMs: 800, forMsMean: 1 },
  clockLeap: { share: 0.1, everyMs: 2_500, forMsMean: 1 },
  clockDrift: { share: 0.15, everyMs: 2_000, forMsMean: 1_500 },
  pause: { share: 0.25, everyMs: 1_200, forMsMean: 700 },
  suspension: { share: 0.2, everyMs: 1_200, forMsMean: 700 },
  olderCopy: { share: 0.25, everyMs: 2_500, forMsMean: 1_500 },
  addMember: { share: 0.3, everyMs: 1_500, forMsMean: 1 },
  removeMember: { share: 0.25, everyMs: 2_000, forMsMean: 1 },
  replaceMember: { share: 0.3, everyMs: 1_500, forMsMean: 1 },
  transferLeadership: { share: 0.2, everyMs: 1_000, forMsMean: 1 },
  absence: { share: 0.25, everyMs: 2_000, forMsMean: 2_500 },
  move: { share: 0.25, everyMs: 1_000, forMsMean: 200 },
  raiseLevel: { share: 0.9, everyMs: 400, forMsMean: 1 },
}

export const FAULT_KINDS = Object.keys(FREQUENCIES) as readonly FaultKind[]

/** Faults that do nothing in a world without spare machines. */
const NEEDS_SPARES: ReadonlySet<FaultKind> = new Set<FaultKind>(['addMember', 'replaceMember'])

/** The next level. Half of the requests name it: such a request is refused until all members know it. */
const LEVELS = [0, 2]

const STEPS_MAX = 30
const CLOCK_MS_MAX = 10_000
/** Sometimes one clock is so far ahead that sessions would expire if it alone determined log time. */
const LEAP_SHARE = 0.15
const LEAP_MS_MAX = 7_200_000
const DRIFT_MS_MAX = 200
const FLAP_MS_MAX = 300

/** Draws the faults of the first `untilMs` of a world. The kinds that exist there are drawn, too (swarm testing). */
export function drawSchedule(
  random: Random,
  { nodeCount, spareCount = 0, untilMs }: { nodeCount: number; spareCount?: number; untilMs: number },
): PlannedFault[] {
  const faults: PlannedFault[] = []
  const strength = random.between(0.5, 2)
  for (const kind of FAULT_KINDS) {
    const { share, everyMs, forMsMean } = FREQUENCIES[kind]
    // Each kind draws from its own generator: changing the frequency of one does not change the others.
    const own = random.fork()
    if (!own.chance(share) || (spareCount === 0 && NEEDS_SPARES.has(kind))) continue
    for (let atMs = 0; ; ) {
      atMs += own.exponential(everyMs * strength)
      if (atMs >= untilMs) break
      const forMs = Math.ceil(own.exponential(forMsMean))
      faults.push({ atMs: Math.floor(atMs), forMs, ...drawDetail(kind, own, nodeCount + spareCount) })
    }
  }
  // Without another version there is no level to raise.
  const isUpgraded = faults.some(({ kind }) => kind === 'rollingUpgrade')
  const struck = isUpgraded ? faults : faults.filter(({ kind }) => kind !== 'raiseLevel')
  return struck.toSorted((a, b) => a.atMs - b.atMs)
}

function drawDetail(kind: FaultKind, random: Random, nodeCount: number): Detail {
  const nodeIds = Array.from({ length: nodeCount }, (_, i) => i + 1)
  switch (kind) {
    case 'crashOfAll':
    case 'restartOfAll':
    case 'rollingRestart':
    case 'rollingUpgrade':
    case 'leaderIsolation':
    case 'handOver':
    case 'addMember':
      return { kind }
    case 'raiseLevel':
      return { kind, level: random.pick(LEVELS) }
    case 'crashMidStep':
      return { kind, target: drawTarget(random, nodeIds), steps: random.int(1, STEPS_MAX) }
    case 'symmetricPartition':
      return { kind, group: random.shuffle(nodeIds).slice(0, random.int(1, nodeCount - 1)) }
    case 'oneWayPartition':
      return { kind, target: drawTarget(random, nodeIds), side: random.pick(['deaf', 'mute']) }
    case 'quorumLoss':
    case 'constrainedElection':
      return { kind, target: random.chance(0.5) ? 'follower' : random.pick(nodeIds) }
    case 'chained':
      return { kind, order: random.shuffle(nodeIds) }
    case 'partialPartition':
      return { kind, links: drawLinks(random, nodeIds, 0.4) }
    case 'flappingLinks':
      return { kind, links: drawLinks(random, nodeIds, 0.3), periodMs: random.int(2, FLAP_MS_MAX) }
    case 'clockSkew':
    case 'clockJump': {
      const byMs = random.chance(LEAP_SHARE) ? random.int(0, LEAP_MS_MAX) : random.int(-CLOCK_MS_MAX, CLOCK_MS_MAX)
      return { kind, target: drawTarget(random, nodeIds), byMs }
    }
    case 'clockLeap':
      return { kind, byMs: random.int(0, LEAP_MS_MAX) }
    case 'clockDrift':
      return { kind, target: drawTarget(random, nodeIds), perSecondMs: random.int(-DRIFT_MS_MAX, DRIFT_MS_MAX) }
    case 'corruptedRecord':
      return { kind, target: random.pick(nodeIds), pick: random.int(0, 1_000_000) }
    case 'lostDirectory':
    case 'downgrade':
    case 'absence':
      return { kind, target: random.pick(nodeIds) }
    case 'move':
      return { kind, target: random.pick(nodeIds), isLogged: random.chance(0.5) }
    case 'crash':
    case 'crashInWrite':
    case 'stop':
    case 'pause':
    case 'suspension':
    case 'slowNode':
    case 'slowDisk':
    case 'stalledSync':
    case 'failingSync':
    case 'fullDisk':
    case 'olderCopy':
    case 'removeMember':
    case 'replaceMember':
    case 'transferLeadership':
      return { kind, target: drawTarget(random, nodeIds) }
  }
}

/** Draws a target: often the leader, where faults reveal most. */
function drawTarget(random: Random, nodeIds: readonly NodeId[]): Target {
  if (random.chance(0.4)) return 'leader'
  return random.chance(0.2) ? 'follower' : random.pick(nodeIds)
}

/** Draws a share of all links, at least one. */
function drawLinks(random: Random, nodeIds: readonly NodeId[], share: number): DirectedLink[] {
  const all = nodeIds.flatMap((from) => nodeIds.filter((to) => to !== from).map((to): DirectedLink => [from, to]))
  const drawn = all.filter(() => random.chance(share))
  return drawn.length > 0 ? drawn : [random.pick(all)]
}
