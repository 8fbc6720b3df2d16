import { DEFAULT_OPTIONS } from '../../paxos/core-options.js'
import { GOOD_LINK, type LinkQuality } from '../cluster/network.js'
import { QUIET_PLAN, type WorldPlan } from './plan.js'
import { contradictionIn } from './plan-file.js'
import type { PlannedFault } from './schedule.js'

const THINK_MS_MAX = 1_000

/** Returns a simpler one, or undefined if there is nothing to simplify. Repeated application must terminate. */
type Simplify<T> = (complex: T) => T | undefined

/** Ways to simplify a world; those that save most come first. */
export const SIMPLER_PLANS: readonly Simplify<WorldPlan>[] = [
  (plan) => (plan.nodeCount > 3 ? withNodes(plan, 3, plan.spareCount) : undefined),
  (plan) => (plan.spareCount > 0 ? withNodes(plan, plan.nodeCount, 0) : undefined),
  (plan) => (plan.spareCount > 0 ? withNodes(plan, plan.nodeCount, plan.spareCount - 1) : undefined),
  (plan) => simplerIf(plan.link !== GOOD_LINK && !isLike(plan.link, GOOD_LINK), { ...plan, link: GOOD_LINK }),
  (plan) => simplerIf(!isLike(plan.options, DEFAULT_OPTIONS), { ...plan, options: DEFAULT_OPTIONS }),
  (plan) => withLink(plan, { lossRate: 0 }),
  (plan) => withLink(plan, { duplicationRate: 0 }),
  (plan) => withLink(plan, { tailRate: 0, tailMsMean: 0 }),
  (plan) => withLink(plan, { canReorder: false }),
  (plan) => withLink(plan, { isCutBehind: false }),
  (plan) => withLink(plan, { delayMsMin: GOOD_LINK.delayMsMin, delayMsMean: GOOD_LINK.delayMsMean }),
  ...(Object.keys(DEFAULT_OPTIONS) as (keyof WorldPlan['options'])[]).map((name): Simplify<WorldPlan> => {
    const value = DEFAULT_OPTIONS[name]
    return (plan) => {
      const options = { ...plan.options, [name]: value }
      return simplerIf(plan.options[name] !== value && contradictionIn(options) === undefined, { ...plan, options })
    }
  }),
  (plan) => withLike(plan, 'syncMsMean'),
  (plan) => withLike(plan, 'turnMsMax'),
  (plan) => withLike(plan, 'tickMs'),
  (plan) => withLike(plan, 'checkpointEverySlots'),
  (plan) => withLike(plan, 'logSlotsMax'),
  (plan) => withLike(plan, 'quotaBytes'),
  (plan) => withLike(plan, 'encodesMessages'),
  ...Object.keys(QUIET_PLAN.habits).map(
    (name): Simplify<WorldPlan> =>
      (plan) =>
        withSimplerHabit(plan, name),
  ),
  (plan) => simplerIf(plan.faultsMs > 100, { ...plan, faultsMs: Math.ceil(plan.faultsMs / 2) }),
]

/** Ways to simplify one fault. */
export const SIMPLER_FAULTS: readonly Simplify<PlannedFault>[] = [
  (fault) => {
    if (fault.kind !== 'crashOfAll' && fault.kind !== 'restartOfAll' && fault.kind !== 'rollingRestart') return undefined
    return { kind: 'crash', atMs: fault.atMs, forMs: fault.forMs, target: 'leader' }
  },
  (fault) => {
    if (fault.kind !== 'crashMidStep' && fault.kind !== 'crashInWrite' && fault.kind !== 'stop') return undefined
    return { kind: 'crash', atMs: fault.atMs, forMs: fault.forMs, target: fault.target }
  },
  (fault) => ('links' in fault && fault.links.length > 1 ? { ...fault, links: fault.links.slice(1) } : undefined),
  (fault) => ('links' in fault && fault.links.length > 1 ? { ...fault, links: fault.links.slice(0, -1) } : undefined),
  (fault) =>
    fault.kind === 'symmetricPartition' && fault.group.length > 1 ? { ...fault, group: fault.group.slice(1) } : undefined,
  (fault) => (fault.kind === 'crashMidStep' && fault.steps > 1 ? { ...fault, steps: fault.steps >> 1 } : undefined),
  (fault) => (fault.forMs > 1 ? { ...fault, forMs: Math.floor(fault.forMs / 2) } : undefined),
]

/** Returns the same world without what comes after a failure at `failedMs`: it fails in the same way. */
export function cutOff(plan: WorldPlan, failedMs: number): WorldPlan {
  const faultsMs = Math.min(plan.faultsMs, Math.ceil(failedMs) + 1)
  return { ...plan, faultsMs, faults: plan.faults.filter((fault) => fault.atMs < faultsMs) }
}

function withNodes(plan: WorldPlan, nodeCount: number, spareCount: number): WorldPlan {
  const machineCount = nodeCount + spareCount
  const isThere = (id: number): boolean => id <= machineCount
  const faults = plan.faults.flatMap((fault): PlannedFault[] => {
    if ('target' in fault) return typeof fault.target === 'string' || isThere(fault.target) ? [fault] : []
    if ('links' in fault) {
      const links = fault.links.filter((link) => link.every(isThere))
      return links.length > 0 ? [{ ...fault, links }] : []
    }
    if (fault.kind === 'chained') return [{ ...fault, order: fault.order.filter(isThere) }]
    if (fault.kind !== 'symmetricPartition') return [fault]
    const group = fault.group.filter(isThere)
    return group.length > 0 && group.length < machineCount ? [{ ...fault, group }] : []
  })
  return { ...plan, nodeCount, spareCount, faults, healOrder: plan.healOrder.filter(isThere) }
}

function withLink(plan: WorldPlan, change: Partial<LinkQuality>): WorldPlan | undefined {
  const link = { ...plan.link, ...change }
  return simplerIf(!isLike(link, plan.link), { ...plan, link })
}

function withLike(
  plan: WorldPlan,
  name: 'syncMsMean' | 'turnMsMax' | 'tickMs' | 'checkpointEverySlots' | 'logSlotsMax' | 'quotaBytes' | 'encodesMessages',
) {
  return simplerIf(plan[name] !== QUIET_PLAN[name], { ...plan, [name]: QUIET_PLAN[name] })
}

function withSimplerHabit(plan: WorldPlan, name: string): WorldPlan | undefined {
  const value = valueIn(plan.habits, name)
  const simpler = simplerValue(name, value)
  return simplerIf(!isLike([simpler], [value]), { ...plan, habits: { ...plan.habits, [name]: simpler } })
}

/** Returns a simpler value: rates become 0, clients fewer and slower; other values become those of the quiet plan. */
function simplerValue(name: string, value: unknown): unknown {
  const quiet = valueIn(QUIET_PLAN.habits, name)
  if (typeof value !== 'number') return quiet
  if (name.endsWith('Rate')) return 0
  if (name === 'thinkMsMean') return Math.min(THINK_MS_MAX, value * 2)
  if (name === 'clientCount' || name === 'outstandingMax') return Math.max(1, value >> 1)
  // Fewer keys and accounts mean more contention: these numbers do not grow.
  return name === 'keyCount' || name === 'accountCount' ? value : quiet
}

function valueIn(habits: WorldPlan['habits'], name: string): unknown {
  return Object.entries(habits).find(([key]) => key === name)?.[1]
}

function simplerIf<T>(isSimpler: boolean, simpler: T): T | undefined {
  return isSimpler ? simpler : undefined
}

function isLike(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
