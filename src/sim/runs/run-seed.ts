import { extname } from 'node:path'
import type { Checker } from '../checkers/checkers.js'
import { check, Violation } from '../checkers/violation.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import { type History, tellInvocation } from '../history/history.js'
import { isMajority } from '../nemesis/survival.js'
import type { FaultTotals } from '../plan/faults.js'
import { drawPlan, hasFaults, type WorldPlan } from '../plan/plan.js'
import type { SeededPlan } from '../plan/plan-file.js'
import { Random } from '../random.js'
import type { TracedEvent } from '../trace/trace-events.js'
import { type OrderVerdict, World, type WorldSettings } from './world.js'

/** What became of one seed's world. */
export interface SeedResult {
  readonly seed: number
  readonly plan: WorldPlan
  /** The promise that was broken, in one sentence; undefined when all held. */
  readonly failure: string | undefined
  readonly error: Violation | undefined
  /** The same on every replay. */
  readonly eventHash: string
  readonly eventCount: number
  readonly simulatedMs: number
  readonly decidedUpTo: number
  readonly leaderCount: number
  readonly acknowledgedCount: number
  /** Whether an order was found that explains all answers without a look at the slots, as a second opinion. */
  readonly order: OrderVerdict
  /** Everything that the clients asked and were told. */
  readonly history: History
  readonly totals: FaultTotals
  /** Every event, if the settings asked to record them. */
  readonly events: readonly TracedEvent[]
}

/** Within so much simulated time after a quorum is healed every outstanding request must be answered. */
const LIVENESS_MS = 30_000
/** What is outstanding, the session among it, and at least one new request. */
const FRESH_ANSWERS = 6
const SETTLE_MS = 5_000

export interface RunSettings extends Omit<WorldSettings, 'seed' | 'plan'> {
  /** Ends with phase one, and judges nothing at the end: for failures that are known to come before. Default: false. */
  readonly endsWithFaults?: boolean
}

/** Lives through the world that a seed draws. */
export function runSeed(seed: number, settings: RunSettings = {}): Promise<SeedResult> {
  return runPlan({ ...settings, seed, plan: planOf(seed) })
}

/** The world that a seed draws. */
export function planOf(seed: number): WorldPlan {
  return drawPlan(new Random(seed).fork())
}

/** Lives through one world: phase one with faults on for safety, phase two with a healed quorum for liveness. */
export async function runPlan(settings: RunSettings & SeededPlan): Promise<SeedResult> {
  const { seed, plan, endsWithFaults = false } = settings
  const world = new World(settings)
  let error: Violation | undefined
  try {
    await live(world, endsWithFaults)
  } catch (caught) {
    if (!(caught instanceof Violation)) throw caught
    error = caught
  }
  world.conclude(error?.message)
  return {
    seed,
    plan,
    failure: error?.message,
    error,
    eventHash: world.trace.hash,
    eventCount: world.eventCount,
    simulatedMs: world.nowMs,
    decidedUpTo: world.checker.decidedUpTo,
    leaderCount: world.checker.leaderCount,
    acknowledgedCount: world.history.acknowledgedCount,
    order: world.order,
    history: world.history,
    totals: world.totals,
    events: world.trace.recorded,
  }
}

/** As whoever runs this would write it: from a checkout the sources are run, without a build. */
const COMMAND = extname(import.meta.url) === '.ts' ? 'npm run sim --' : 'npx synod sim'

/** How anybody sees the same world again. */
export function replayCommand(seed: number): string {
  return `${COMMAND} --seed ${seed} --verbose`
}

/** The same for a plan in a file. */
export function replayPlanCommand(file: string): string {
  return `${COMMAND} --plan ${shellWord(file)} --verbose`
}

/** One word to a POSIX shell, whatever is in it. */
function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

async function live(world: World, endsWithFaults: boolean): Promise<void> {
  world.start()
  const nemesis = world.startNemesis()
  await world.run(world.plan.faultsMs)
  if (endsWithFaults) return
  nemesis.stop()
  world.operator.stop()

  const core = chooseCore(world)
  await form(world, core)
  world.heal(core)
  for (const client of world.clients) {
    client.useOnly(core)
    client.spare()
  }
  await repair(world, core)
  await serve(
    world,
    core.filter((node) => isOfUse(world, node)),
  )
  world.checkHistory(world.nodes)
  world.checkOrder()
  checkNotVacuous(world)
}

/** A cluster is formed only once all its members have been up at once: no majority can do without that. */
async function form(world: World, core: readonly SimulatedNode[]): Promise<void> {
  if (core.some(isMember)) return
  const initial = world.nodes.filter((node) => !node.isSpare)
  world.heal(initial)
  const isFormed = () => initial.every(isMember)
  check(await world.runUntil(isFormed, LIVENESS_MS), () => 'the cluster was not formed though all its members were up')
}

function isMember(node: SimulatedNode): boolean {
  return node.disk.contents.genesis !== undefined
}

/** What the operator has begun comes to its end; and whoever found its directory damaged votes again, from another one. */
async function repair(world: World, core: readonly SimulatedNode[]): Promise<void> {
  const { operator, survival, checker } = world
  // Whoever leads, in the core or not, must hear of those that are to vote.
  if (!operator.isIdle || core.some((node) => isReturning(node, checker))) world.connectAll()
  for (const node of core) if (node.disk.isCorrupted) node.crash()
  for (const node of core) node.start()
  check(
    await world.runUntil(() => operator.isIdle, LIVENESS_MS),
    () => `the operator wants ${operator.task}, and that was not done ${LIVENESS_MS / 1_000} s after a quorum was healed`,
  )
  const isBack = (node: SimulatedNode) => !isOfUse(world, node) || survival.isVoter(node.id)
  const hasRecovered = await world.runUntil(() => core.every(isBack), LIVENESS_MS)
  check(hasRecovered, () => `node ${core.find((node) => !isBack(node))?.id} never came to vote again after it was healed`)
}

/** Whoever was removed meanwhile serves nobody. */
function isOfUse({ checker }: World, node: SimulatedNode): boolean {
  return node.haltCode === undefined && !checker.isRemoved(node.id)
}

/** Phase two: what is outstanding is answered, and so are new requests; then the healed nodes know everything. */
async function serve(world: World, core: readonly SimulatedNode[]): Promise<void> {
  const { clients, history, checker } = world
  for (const client of clients) client.useOnly(core)
  const answeredBefore = clients.map((client) => client.answeredCount)
  const isServed = () => clients.every((client, i) => client.answeredCount >= (answeredBefore[i] ?? 0) + FRESH_ANSWERS)
  check(
    await world.runUntil(isServed, LIVENESS_MS),
    () => `a client got hardly any answers in ${LIVENESS_MS / 1_000} s after a quorum was healed`,
  )
  for (const client of clients) client.becomeQuiet()
  const isDone = await world.runUntil(() => history.outstandingCount === 0, LIVENESS_MS)
  check(isDone, () => `${tellOutstanding(world)} ${LIVENESS_MS / 1_000} s after a quorum was healed`)
  const hasSettled = await world.runUntil(() => core.every((node) => node.appliedUpTo === checker.decidedUpTo), SETTLE_MS)
  check(hasSettled, () => 'a node of the healed quorum never learned everything that is decided')
}

/**
 * A majority of those that can still run, in the order that the plan has drawn, of whatever the membership may come to be; and whoever
 * is about to vote, for the first time or again.
 */
function chooseCore({ nodes, plan, survival, operator, checker }: World): SimulatedNode[] {
  const rank = (node: SimulatedNode): number => (plan.healOrder.includes(node.id) ? plan.healOrder.indexOf(node.id) : node.id)
  const inOrder = nodes.toSorted((a, b) => rank(a) - rank(b))
  const core = new Set<SimulatedNode>()
  // Before the cluster is formed its members are all that there is.
  const initialIds = nodes.filter((node) => !node.isSpare).map((node) => node.id)
  for (const list of checker.memberships.isFormed ? survival.voterLists : [initialIds]) {
    const isEnough = (): boolean => isMajority(list.filter((id) => [...core].some((node) => node.id === id)).length, list.length)
    for (const node of inOrder) {
      if (isEnough()) break
      if (list.includes(node.id) && !survival.isGone(node)) core.add(node)
    }
  }
  for (const node of nodes) if (node === operator.newcomer || isReturning(node, checker)) core.add(node)
  return [...core]
}

/** It can mend itself, with the others' help. */
function isReturning({ id, disk, haltCode }: SimulatedNode, { memberships }: Checker): boolean {
  if (haltCode !== undefined || !memberships.isFormed) return false
  return disk.isCorrupted || memberships.latest.member(id)?.returning === true
}

/** A run in which nothing happened proves nothing. */
function checkNotVacuous({ checker, history, plan, totals }: World): void {
  check(checker.leaderCount > 0, () => 'nobody ever led')
  check(checker.decidedUpTo > 0, () => 'nothing was ever decided')
  check(history.acknowledgedCount > plan.habits.clientCount, () => 'hardly anything was acknowledged')
  check(!hasFaults(plan) || totals.sum > 0, () => 'the plan had faults, but none struck')
}

function tellOutstanding({ history }: World): string {
  const [first, ...others] = history.invocations.filter(({ answer, isAbandoned }) => answer === undefined && !isAbandoned)
  return `${first && tellInvocation(first)}, and ${others.length} others have no answer`
}
