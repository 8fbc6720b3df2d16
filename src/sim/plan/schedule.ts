import type { NodeId } from '../../paxos/types.js'
import type { Random } from '../random.js'

/** Whom a fault strikes: a node by its number, or by the part that it plays when the fault strikes. */
export type Target = NodeId | 'leader' | 'follower'

/** One way: from the first node to the second. */
export type DirectedLink = readonly [from: NodeId, to: NodeId]

interface Timing {
  /** When it strikes, in ms from the beginning of the world. */
  readonly atMs: number
  /** How long until what it did is undone, in ms. */
  readonly forMs: number
}

type Detail =
  | {
      readonly kind:
        | 'crash'
        | 'crashInWrite'
        | 'stop'
        | 'pause'
        /** The whole machine stands still, its monotonic clock, too, as a suspended virtual one does. */
        | 'suspension'
        | 'slowNode'
        | 'slowDisk'
        | 'stalledSync'
        | 'failingSync'
        | 'fullDisk'
        | 'lostDirectory'
        /** Down for so long that members may come and go meanwhile. */
        | 'absence'
      readonly target: Target
    }
  /** The machine comes back at other addresses. `isLogged`: an operator has the log say so, too. */
  | { readonly kind: 'move'; readonly target: Target; readonly isLogged: boolean }
  /** Between two steps of what a node does, so many of them later. */
  | { readonly kind: 'crashMidStep'; readonly target: Target; readonly steps: number }
  | { readonly kind: 'crashOfAll' | 'restartOfAll' | 'rollingRestart' | 'handOver' }
  /** One node after the other is started with the next version of the software. */
  | { readonly kind: 'rollingUpgrade' }
  /** A node that runs the next version is started with this one, which refuses what stands at the next level, and then with the next one again. */
  | { readonly kind: 'downgrade'; readonly target: Target }
  | { readonly kind: 'leaderIsolation' }
  /** These do not hear the others, nor the others them. */
  | { readonly kind: 'symmetricPartition'; readonly group: readonly NodeId[] }
  | { readonly kind: 'oneWayPartition'; readonly target: Target; readonly side: 'deaf' | 'mute' }
  /**
   * Scenarios of "Omni-Paxos: Breaking the Barriers of Partial Connectivity" (EuroSys '23, section 2). Quorum-loss: all hear one node only,
   * which does not lead; constrained election: the same, and the leader is cut off wholly.
   */
  | { readonly kind: 'quorumLoss' | 'constrainedElection'; readonly target: Target }
  /** The third of them: each hears its neighbours in this order only. */
  | { readonly kind: 'chained'; readonly order: readonly NodeId[] }
  | { readonly kind: 'partialPartition'; readonly links: readonly DirectedLink[] }
  | { readonly kind: 'flappingLinks'; readonly links: readonly DirectedLink[]; readonly periodMs: number }
  /** The wall clock is off by so much for a while, or from now on. */
  | { readonly kind: 'clockSkew' | 'clockJump'; readonly target: Target; readonly byMs: number }
  /** All wall clocks are set forward at once, as those of a cluster are that had no time server: sessions expire, and holds. */
  | { readonly kind: 'clockLeap'; readonly byMs: number }
  /** The wall clock gains (or loses) so much in each second, and keeps what it gained. */
  | { readonly kind: 'clockDrift'; readonly target: Target; readonly perSecondMs: number }
  /** The disk of a node that is down is put back to what it was `forMs` before, the whole directory. */
  | { readonly kind: 'olderCopy'; readonly target: Target }
  /** An operator adds a spare machine, if there is one left, and has it vote when it has learned. */
  | { readonly kind: 'addMember' }
  /** An operator removes a member; `replaceMember`: adds a spare machine before. One that cannot run any more goes first. */
  | { readonly kind: 'removeMember' | 'replaceMember'; readonly target: Target }
  /** An operator wants the level of the log raised, to the highest that all know (0) or to that one. */
  | { readonly kind: 'raiseLevel'; readonly level: number }
  /** An operator asks for another leader. */
  | { readonly kind: 'transferLeadership'; readonly target: Target }
  /** A bit of one stored record flips; `pick` decides of which. */
  | { readonly kind: 'corruptedRecord'; readonly target: Target; readonly pick: number }

/** What goes wrong once, when, and for how long: plain JSON. */
export type PlannedFault = Timing & Detail

export type FaultKind = PlannedFault['kind']

interface Frequency {
  /** In which share of the worlds it exists at all. */
  readonly share: number
  /** Where it does: the mean time between two of them, in ms. */
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

/** These do nothing in a world without spare machines. */
const NEEDS_SPARES: ReadonlySet<FaultKind> = new Set<FaultKind>(['addMember', 'replaceMember'])

/** The next level, half of the time by its number: until all know it, that is refused. */
const LEVELS = [0, 2]

const STEPS_MAX = 30
const CLOCK_MS_MAX = 10_000
/** Now and then one clock is so far ahead that sessions would expire, if it decided of the time. */
const LEAP_SHARE = 0.15
const LEAP_MS_MAX = 7_200_000
const DRIFT_MS_MAX = 200
const FLAP_MS_MAX = 300

/** Draws what goes wrong in the first `untilMs` of a world. Which kinds exist there is drawn, too (swarm testing). */
export function drawSchedule(
  random: Random,
  { nodeCount, spareCount = 0, untilMs }: { nodeCount: number; spareCount?: number; untilMs: number },
): PlannedFault[] {
  const faults: PlannedFault[] = []
  const strength = random.between(0.5, 2)
  for (const kind of FAULT_KINDS) {
    const { share, everyMs, forMsMean } = FREQUENCIES[kind]
    // Each kind draws for itself: another frequency of one leaves the others as they are.
    const own = random.fork()
    if (!own.chance(share) || (spareCount === 0 && NEEDS_SPARES.has(kind))) continue
    for (let atMs = 0; ; ) {
      atMs += own.exponential(everyMs * strength)
      if (atMs >= untilMs) break
      const forMs = Math.ceil(own.exponential(forMsMean))
      faults.push({ atMs: Math.floor(atMs), forMs, ...drawDetail(kind, own, nodeCount + spareCount) })
    }
  }
  // Without another version there is nothing to raise.
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

/** The leader is the most rewarding one. */
function drawTarget(random: Random, nodeIds: readonly NodeId[]): Target {
  if (random.chance(0.4)) return 'leader'
  return random.chance(0.2) ? 'follower' : random.pick(nodeIds)
}

/** Some of all links; at least one. */
function drawLinks(random: Random, nodeIds: readonly NodeId[], share: number): DirectedLink[] {
  const all = nodeIds.flatMap((from) => nodeIds.filter((to) => to !== from).map((to): DirectedLink => [from, to]))
  const drawn = all.filter(() => random.chance(share))
  return drawn.length > 0 ? drawn : [random.pick(all)]
}
