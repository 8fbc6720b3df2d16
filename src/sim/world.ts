import { Application, INITIAL_COMMANDS } from './application.js'
import { promise } from './checkers.js'
import { SimulatedClient } from './clients.js'
import { History } from './history.js'
import type { Model } from './model.js'
import { Nemesis } from './nemesis.js'
import type { WorldPlan } from './plan.js'
import { type ClusterSettings, SimulatedCluster } from './simulated-cluster.js'
import type { SimulatedNode } from './simulated-node.js'

export interface WorldSettings extends Pick<ClusterSettings, 'seed' | 'print' | 'records' | 'parts' | 'looksInside'> {
  readonly plan: WorldPlan
}

/** A simulated cluster, the clients that use it, and what goes wrong. */
export class World extends SimulatedCluster {
  readonly plan: WorldPlan
  readonly history = new History()
  readonly clients: readonly SimulatedClient[]

  constructor(settings: WorldSettings) {
    super({ ...settings, initialCommands: INITIAL_COMMANDS, makeApplication: () => new Application() })
    this.plan = settings.plan
    this.clients = Array.from({ length: settings.plan.habits.clientCount }, (_, i) => this.#makeClient(`client${i + 1}`))
  }

  /** Starts every node and client, at about the same time. */
  override start(): void {
    super.start()
    for (const client of this.clients) this.scheduler.after(this.random.between(0, 50), () => client.start())
  }

  startNemesis(): Nemesis {
    const { plan, nodes, network, scheduler, totals } = this
    return new Nemesis({ plan, nodes, network, scheduler, totals, note: (text) => this.note(text) })
  }

  /** Judges everything that the clients were told, and the state of these nodes. @throws BrokenPromise */
  checkHistory(nodes: readonly SimulatedNode[]): void {
    const model = this.history.check(this.checker.log)
    for (const node of nodes) if (node.appliedUpTo === this.checker.decidedUpTo) checkState(node, model)
  }

  #makeClient(name: string): SimulatedClient {
    const { plan, nodes, history, scheduler, totals } = this
    const random = this.random.fork()
    return new SimulatedClient({ name, habits: plan.habits, nodes, history, random, scheduler, totals })
  }
}

function checkState(node: SimulatedNode, model: Model): void {
  for (const key of model.keys) checkQuery(node, model, { kind: 'get', key })
  for (const account of model.accounts) checkQuery(node, model, { kind: 'balance', account })
}

function checkQuery(node: SimulatedNode, model: Model, query: Parameters<Model['query']>[0]): void {
  const { application } = node
  const found = application instanceof Application ? application.query(query) : undefined
  const expected = model.query(query)
  promise(
    found === expected,
    () => `at the end node ${node.id} answers ${JSON.stringify(query)} with ${found}, but by the log it is ${expected}`,
  )
}
