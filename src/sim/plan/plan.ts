import { type CoreOptions, DEFAULT_OPTIONS } from '../../paxos/core-options.js'
import type { NodeId } from '../../paxos/types.js'
import { type ClientHabits, drawHabits, QUIET_HABITS } from '../clients/habits.js'
import { GOOD_LINK, type LinkQuality } from '../cluster/network.js'
import { STATE_LIMITS, type StateLimits } from '../cluster/state-limits.js'
import type { Random } from '../random.js'
import { drawSchedule, type PlannedFault } from './schedule.js'

/** The size and speed of a cluster, and the quality of its links. */
export interface ClusterPlan {
  readonly nodeCount: number
  /** Number of spare machines, which may become members: the nodes from nodeCount + 1 on. */
  readonly spareCount: number
  readonly options: CoreOptions
  readonly link: LinkQuality
  readonly syncMsMean: number
  readonly turnMsMax: number
  /** Interval of the host's tick. */
  readonly tickMs: number
  readonly checkpointEverySlots: number
  /** Number of slots kept in the log below the checkpoint. A node that misses more must fetch a checkpoint. */
  readonly logSlotsMax: number
  /** Maximum size of the replicated state in bytes; 0: unlimited. */
  readonly quotaBytes: number
  /** Bounds of the replicated state. */
  readonly limits: StateLimits
  /** True if messages go through the real codec. */
  readonly encodesMessages: boolean
}

/** A world before it begins: its size and speed, the habits of its clients, its faults. Plain JSON. */
export interface WorldPlan extends ClusterPlan {
  readonly habits: ClientHabits
  /** Planned faults in the order of their times. */
  readonly faults: readonly PlannedFault[]
  /** Duration of phase one, in ms of virtual time. */
  readonly faultsMs: number
  /** Order of preference: phase two heals the first majority of these nodes that can still run. */
  readonly healOrder: readonly NodeId[]
}

/** A small, healthy, quiet world, from which scenarios start. */
export const QUIET_PLAN: WorldPlan = Object.freeze({
  nodeCount: 3,
  spareCount: 0,
  options: DEFAULT_OPTIONS,
  link: GOOD_LINK,
  syncMsMean: 0.3,
  turnMsMax: 0.2,
  tickMs: 10,
  checkpointEverySlots: 1_000,
  logSlotsMax: 16_384,
  quotaBytes: 0,
  limits: STATE_LIMITS,
  habits: QUIET_HABITS,
  faults: Object.freeze([]),
  encodesMessages: false,
  faultsMs: 2_000,
  healOrder: Object.freeze([1, 2, 3]),
})

const ENCODED_SHARE = 0.1
/**
 * Choices of logSlotsMax, by pageBytesMax. A checkpoint in small pages takes so long to fetch that its receiver then needs a log
 * of hundreds of slots to catch up. With fewer slots and busy clients it would fetch one checkpoint after another for ever.
 */
const LOG_SLOTS_MAX: Readonly<Record<number, readonly number[]>> = {
  200: [300, 1_000, 16_384],
  2_000: [100, 300, 16_384],
  [1 << 20]: [2, 15, 16_384],
}

/** Choices of quotaBytes: some are small enough to be reached within seconds. */
const QUOTAS_BYTES = [0, 0, 0, 0, 12_000, 40_000]

/** Draws a world. The kinds of faults and their strength are drawn too (swarm testing): few runs have them all. */
export function drawPlan(random: Random): WorldPlan {
  // With four members, half of them are not a majority.
  const nodeCount = random.pick([3, 3, 3, 4, 5])
  const spareCount = random.pick([0, 0, 1, 2, 3])
  const faultsMs = random.int(2_500, 5_000)
  const options = drawOptions(random)
  return {
    nodeCount,
    spareCount,
    options,
    link: drawLink(random),
    syncMsMean: random.pick([0.1, 0.5, 3]),
    turnMsMax: random.pick([0.05, 0.5, 4]),
    tickMs: random.pick([10, 20, 40]),
    checkpointEverySlots: random.pick([5, 20, 1_000]),
    logSlotsMax: random.pick(LOG_SLOTS_MAX[options.pageBytesMax] ?? [16_384]),
    limits: drawLimits(random),
    habits: drawHabits(random),
    faults: drawSchedule(random.fork(), { nodeCount, spareCount, untilMs: faultsMs }),
    encodesMessages: random.chance(ENCODED_SHARE),
    faultsMs,
    healOrder: random.shuffle(Array.from({ length: nodeCount + spareCount }, (_, i) => i + 1)),
    quotaBytes: random.pick(QUOTAS_BYTES),
  }
}

function drawOptions(random: Random): CoreOptions {
  const windowSlots = random.pick([1, 2, 8, 64])
  return {
    ...DEFAULT_OPTIONS,
    windowSlots,
    // A window of very few commands, under a leader with lossy links, has no room for the clients' retries: it would never
    // recover.
    batchCommandsMax: windowSlots > 2 ? random.pick([1, 3, 8_192]) : random.pick([8, 8_192]),
    queueCommandsMax: random.pick([4, 64, 65_536]),
    // Small pages and a short memory, so that paging and catching up from the log happen within a few seconds.
    pageBytesMax: random.pick([200, 2_000, 1 << 20]),
    recentSlotsMax: random.pick([4, 32, 1_024]),
  }
}

/** Draws bounds. Some are so small that sessions are full, or evict each other, again and again; a node has a session, too. */
function drawLimits(random: Random): StateLimits {
  if (random.chance(0.7)) return STATE_LIMITS
  return {
    sessionCountMax: random.pick([8, 12, STATE_LIMITS.sessionCountMax]),
    answersPerSessionMax: random.pick([1, 3, STATE_LIMITS.answersPerSessionMax]),
    firstAnswersMax: random.pick([1, 4, STATE_LIMITS.firstAnswersMax]),
  }
}

function drawLink(random: Random): LinkQuality {
  const hasTail = random.chance(0.5)
  return {
    delayMsMin: random.pick([0.05, 0.5, 3]),
    delayMsMean: random.pick([0.1, 1, 6]),
    tailRate: hasTail ? random.between(0.01, 0.1) : 0,
    tailMsMean: hasTail ? random.between(20, 400) : 0,
    lossRate: random.chance(0.5) ? random.between(0.01, 0.3) : 0,
    duplicationRate: random.chance(0.5) ? random.between(0.01, 0.2) : 0,
    canReorder: random.chance(0.5),
    isCutBehind: random.chance(0.4),
  }
}

/** Returns true if an operator raises the level of the log. */
export function mayRaiseLevel({ faults }: Pick<WorldPlan, 'faults'>): boolean {
  return faults.some(({ kind }) => kind === 'raiseLevel')
}

/** Returns true if anything goes wrong in this plan. */
export function hasFaults({ link, habits, faults }: WorldPlan): boolean {
  const rates = [link.tailRate, link.lossRate, link.duplicationRate, habits.duplicateRate, habits.lossRate, habits.deathMsMean]
  return link.canReorder || rates.some((rate) => rate > 0) || faults.length > 0
}
