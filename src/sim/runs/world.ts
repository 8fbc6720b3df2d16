import { inspect, isDeepStrictEqual } from 'node:util'
import type { EventReplay } from '../checkers/event-replay.js'
import { check } from '../checkers/violation.js'
import { decodeAnswer } from '../clients/decode-result.js'
import { encodeQuery } from '../clients/encode-request.js'
import { sameOutcome } from '../clients/plain-outcomes.js'
import { SimulatedClient } from '../clients/simulated-client.js'
import type { SimulatedQuery } from '../clients/simulated-operations.js'
import { Workload } from '../clients/workload.js'
import { Application, INITIAL_COMMANDS } from '../cluster/application.js'
import { NEXT_LEVEL } from '../cluster/next-machine.js'
import { type ClusterSettings, SimulatedCluster } from '../cluster/simulated-cluster.js'
import type { SimulatedNode } from '../cluster/simulated-node.js'
import { STATE_LIMITS } from '../cluster/state-limits.js'
import { History } from '../history/client-history.js'
import { findOrder } from '../history/order-of-answers.js'
import { checkSlotOrder } from '../history/slot-order.js'
import type { Model } from '../model/model.js'
import { Nemesis } from '../nemesis/nemesis.js'
import { Operator } from '../nemesis/operator.js'
import { Survival } from '../nemesis/survival.js'
import { mayRaiseLevel, type WorldPlan } from '../plan/plan.js'

export interface WorldSettings extends Pick<ClusterSettings, 'seed' | 'print' | 'records' | 'parts' | 'looksInside'> {
  readonly plan: WorldPlan
}

/** `undecided`: the search would have taken too long. */
export type OrderVerdict = 'notSearched' | 'found' | 'undecided'

/** Enough for four of five histories, in less than a tenth of the time that a world takes. */
const SEARCH_STEPS_MAX = 3_000

/** A simulated cluster, its clients, and its faults. */
export class World extends SimulatedCluster {
  readonly plan: WorldPlan
  readonly history = new History()
  readonly clients: readonly SimulatedClient[]
  readonly survival: Survival
  readonly operator: Operator
  /** Nodes that clients know. */
  readonly #ports: SimulatedNode[]
  #order: OrderVerdict = 'notSearched'

  constructor(settings: WorldSettings) {
    super({
      ...settings,
      initialCommands: INITIAL_COMMANDS,
      makeApplication: (version) => new Application(settings.plan.limits, version),
    })
    this.plan = settings.plan
    this.#ports = this.nodes.filter(({ isCommissioned }) => isCommissioned)
    this.clients = this.#makeClients()
    this.survival = new Survival(this)
    this.operator = this.#makeOperator()
  }

  /** Starts every node and client, at about the same time. */
  override start(): void {
    super.start()
    for (const client of this.clients) this.scheduler.after(this.random.between(0, 50), () => client.start())
  }

  startNemesis(): Nemesis {
    return new Nemesis(this)
  }

  /** Checks every answer to the clients, and the state of these nodes. @throws Violation */
  checkHistory(nodes: readonly SimulatedNode[]): void {
    const { log, quotaMarks, firstLevel } = this.checker
    const model = checkSlotOrder(this.history, log, { limits: this.plan.limits, quotaMarks, firstLevel })
    const wasRefused = this.totals.of('refusedDowngrade') > 0
    check(!wasRefused || model.level >= NEXT_LEVEL, () => 'a node refused its version, though the level was never raised')
    for (const node of nodes) if (node.appliedUpTo === this.checker.decidedUpTo) checkState(node, model)
    if (this.checker.looksInside) checkReplay(this.checker.feed.replay, model)
  }

  /** The verdict of the search for an order of the requests that does not use slots. */
  get order(): OrderVerdict {
    return this.#order
  }

  /** Checks every answer to the clients once more, without the log. @throws Violation */
  checkOrder(): void {
    // A request that was carried out, and whose repeat was refused as too late, has two places in the order.
    if (this.plan.limits.firstAnswersMax !== STATE_LIMITS.firstAnswersMax) return
    // Without the slots it is unknown how full the state was, and at which level a command was carried out.
    if (this.plan.quotaBytes > 0 || mayRaiseLevel(this.plan)) return
    const { kind, failure } = findOrder(this.history.invocations, SEARCH_STEPS_MAX)
    check(kind !== 'notLinearizable', () => failure ?? '')
    this.#order = kind === 'undecided' ? 'undecided' : 'found'
  }

  /** True if a node offers the next level: clients ask a node for its version. */
  get #isNextOffered(): boolean {
    return this.nodes.some(({ member }) => (member?.status().level ?? 0) >= NEXT_LEVEL)
  }

  #makeOperator(): Operator {
    const { nodes, survival, checker, scheduler, totals, trace } = this
    return new Operator({
      nodes,
      survival,
      checker,
      random: this.random.fork(),
      scheduler,
      totals,
      trace,
      onCommissioned: (node) => {
        this.#ports.push(node)
        for (const client of this.clients) client.setNodes(this.#ports)
      },
      onRemoved: (nodeId) => {
        const at = this.#ports.findIndex((port) => port.id === nodeId)
        if (at !== -1) this.#ports.splice(at, 1)
        for (const client of this.clients) client.setNodes(this.#ports)
      },
      onBug: (error) => this.onBug(error),
    })
  }

  #makeClients(): SimulatedClient[] {
    const { plan, history, scheduler, totals, trace } = this
    const { habits } = plan
    const workload = new Workload(habits, this.random.fork(), mayRaiseLevel(plan) ? () => this.#isNextOffered : undefined)
    const bareCount = Math.round(habits.clientCount * habits.sessionlessRate)
    // Only clients without a session ask for what the next level has.
    const sessionCount = habits.clientCount - (mayRaiseLevel(plan) ? Math.max(1, bareCount) : bareCount)
    return Array.from({ length: habits.clientCount }, (_, i) => {
      const random = this.random.fork()
      return new SimulatedClient({
        name: `client${i + 1}`,
        habits,
        hasSession: i < sessionCount,
        nodes: this.#ports,
        workload,
        history,
        random,
        scheduler,
        trace,
        count: (trouble) => totals.count(trouble),
        onBug: (error) => this.onBug(error),
      })
    })
  }
}

const ALL_KEYS: SimulatedQuery = {
  kind: 'list',
  prefix: '',
  start: '',
  end: '',
  limit: 0,
  isDescending: false,
  keysOnly: false,
  countOnly: false,
}

function checkState(node: SimulatedNode, model: Model): void {
  for (const query of [ALL_KEYS, { kind: 'accounts' } as const]) {
    const result = node.application?.machine.query(encodeQuery(query)) ?? new Uint8Array(0)
    const { outcome: found } = decodeAnswer({ slot: node.appliedUpTo, result })
    const expected = model.query(query)
    check(
      sameOutcome(found, expected),
      () => `at the end node ${node.id} answers ${JSON.stringify(found)}, but by the log it is ${JSON.stringify(expected)}`,
    )
  }
}

/** Checks that the events from the first on lead to the model's state. */
function checkReplay(replay: EventReplay, model: Model): void {
  const keys = model.query(ALL_KEYS)
  const accounts = model.query({ kind: 'accounts' })
  const pairs = keys.kind === 'list' ? keys.pairs : []
  const expected = {
    pairs: new Map(
      pairs.map((pair) => [pair.key, `${pair.value} ${pair.createRevision} ${pair.modRevision} ${pair.version}`] as const),
    ),
    accounts: new Map(
      (accounts.kind === 'accounts' ? accounts.accounts : []).map(
        ({ account, balance, held }) => [account, `${balance} ${held}`] as const,
      ),
    ),
  }
  const found = { pairs: replay.pairs(), accounts: replay.accounts() }
  check(
    isDeepStrictEqual(found, expected),
    () => `by the events there are ${inspect(found, { depth: 3 })}, but by the log ${inspect(expected, { depth: 3 })}`,
  )
}
