import { extname } from 'node:path'
import type { Checker } from '../checkers/checker.js'
import { check, Violation } from '../checkers/violation.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import { type History, tellInvocation } from '../history/client-history.js'
import { isMajority } from '../nemesis/survival.js'
import type { FaultTotals } from '../plan/faults.js'
import { drawPlan, hasFaults, type WorldPlan } from '../plan/plan.js'
import type { SeededPlan } from '../plan/plan-file.js'
import { Random } from '../random.js'
import type { TracedEvent } from '../trace/trace-events.js'
import { type OrderVerdict, World, type WorldSettings } from './world.js'

/** The result of one seed's world. */
export interface SeedResult {
  readonly seed: number
  readonly plan: WorldPlan
  /** The violation in one sentence; undefined if everything held. */
  readonly failure: string | undefined
  readonly error: Violation | undefined
  /** The same on every replay. */
  readonly eventHash: string
  readonly eventCount: number
  readonly simulatedMs: number
  readonly decidedUpTo: number
  readonly leaderCount: number
  readonly acknowledgedCount: number
  /** The verdict of a search for an order that explains all answers without the slots: a second opinion. */
  readonly order: OrderVerdict
  /** Everything that the clients asked and were told. */
  readonly history: History
  readonly totals: FaultTotals
  /** Every event, if the settings asked for a record. */
  readonly events: readonly TracedEvent[]
}

/** Maximum simulated time after the healing of a quorum until every outstanding request is answered, in ms. */
const LIVENESS_MS = 30_000
/** Number of answers that each client must get: those that are outstanding, the session's, and at least one new. */
const FRESH_ANSWERS = 6
const SETTLE_MS = 5_000

export interface RunSettings extends Omit<WorldSettings, 'seed' | 'plan'> {
  /** Ends with phase one, and checks nothing at the end: for failures that are known to come earlier. Default: false. */
  readonly endsWithFaults?: boolean
}

/** Runs the world that a seed draws. */
export function runSeed(seed: number, settings: RunSettings = {}): Promise<SeedResult> {
  return runPlan({ ...settings, seed, plan: planOf(seed) })
}

/** Returns the world that a seed draws. */
export function planOf(seed: number): WorldPlan {
  return drawPlan(new Random(seed).fork())
}

/** Runs one world: phase one with faults on, for safety; phase two with a healed quorum, for liveness. */
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

/** The command as a user would write it: in a checkout it runs the sources, without a build. */
const COMMAND = extname(import.meta.url) === '.ts' ? 'npm run sim --' : 'npx synod sim'

/** Returns the command that runs the same world again. */
export function replayCommand(seed: number): string {
  return `${COMMAND} --seed ${seed} --verbose`
}

/** Returns the command that runs the plan in a file again. */
export function replayPlanCommand(file: string): string {
  return `${COMMAND} --plan ${shellWord(file)} --verbose`
}

/** Quotes a text as one word for a POSIX shell. */
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

/** Waits until the cluster is formed. That needs all its members up at once: a majority is not enough. */
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

/**
 * Waits until the operator's current change is done, and every node that found its directory damaged votes again, from a new one.
 */
async function repair(world: World, core: readonly SimulatedNode[]): Promise<void> {
  const { operator, survival, checker } = world
  // The leader, inside the quorum or outside, must hear the nodes that are to vote.
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

/** Returns true if the node serves clients: a removed node does not. */
function isOfUse({ checker }: World, node: SimulatedNode): boolean {
  return node.haltCode === undefined && !checker.isRemoved(node.id)
}

/** Runs phase two: outstanding requests and new ones are answered; then the healed nodes know everything that is decided. */
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
 * Chooses the quorum to heal: a majority of the nodes that can still run, in the order that the plan has drawn, for every
 * membership that may result; and every node that is about to vote, for the first time or again.
 */
function chooseCore({ nodes, plan, survival, operator, checker }: World): SimulatedNode[] {
  const rank = (node: SimulatedNode): number => (plan.healOrder.includes(node.id) ? plan.healOrder.indexOf(node.id) : node.id)
  const inOrder = nodes.toSorted((a, b) => rank(a) - rank(b))
  const core = new Set<SimulatedNode>()
  // Before the cluster is formed, its initial members are all there is.
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

/** Returns true if the node can repair itself with the help of the others. */
function isReturning({ id, disk, haltCode }: SimulatedNode, { memberships }: Checker): boolean {
  if (haltCode !== undefined || !memberships.isFormed) return false
  return disk.isCorrupted || memberships.latest.member(id)?.returning === true
}

/** Checks that the run was not vacuous: a run in which nothing happened proves nothing. */
function checkNotVacuous({ checker, history, plan, totals }: World): void {
  check(checker.leaderCount > 0, () => 'no node ever led')
  check(checker.decidedUpTo > 0, () => 'nothing was ever decided')
  check(history.acknowledgedCount > plan.habits.clientCount, () => 'hardly anything was acknowledged')
  check(!hasFaults(plan) || totals.sum > 0, () => 'the plan had faults, but none struck')
}

function tellOutstanding({ history }: World): string {
  const [first, ...others] = history.invocations.filter(({ answer, isAbandoned }) => answer === undefined && !isAbandoned)
  return `${first && tellInvocation(first)}, and ${others.length} others have no answer`
}
