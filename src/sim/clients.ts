import { MemberError } from '../host/api.js'
import type { NodeId } from '../paxos/types.js'
import { encodeOperation, encodeQuery, tellEncodedResult } from './application.js'
import type { FaultTotals } from './faults.js'
import type { Answer, History, Invocation } from './history.js'
import { type Command, nameOf, type Operation, type Query } from './operations.js'
import type { Random } from './random.js'
import type { Scheduler } from './scheduler.js'
import type { SimulatedNode } from './simulated-node.js'

/** How the clients behave in a run. */
export interface ClientHabits {
  readonly clientCount: number
  /** So many requests of one client may be unanswered at once. */
  readonly outstandingMax: number
  readonly thinkMsMean: number
  readonly timeoutMs: number
  readonly readRate: number
  /** How often a request is sent twice, to two nodes. */
  readonly duplicateRate: number
  readonly lossRate: number
  readonly keyCount: number
  readonly accountCount: number
}

export interface ClientSettings {
  readonly name: string
  readonly habits: ClientHabits
  /** The nodes that it knows. */
  readonly nodes: readonly SimulatedNode[]
  readonly history: History
  readonly random: Random
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
}

const DELAY_MS_MEAN = 0.5
const REFUSED_BACKOFF_MS = 60

/** One client: opens a session, then asks for one thing after the other, and for each again and again until it is answered. */
export class SimulatedClient {
  readonly #settings: ClientSettings
  #nodes: readonly SimulatedNode[]
  #node: SimulatedNode
  #clientId = 0
  #lastRequestNumber = 0
  #lastReadNumber = 0
  /** Request numbers without an answer, ascending. */
  readonly #unacknowledged = new Set<number>()
  #answeredCount = 0
  #isQuiet = false

  constructor(settings: ClientSettings) {
    this.#settings = settings
    this.#nodes = settings.nodes
    this.#node = settings.random.pick(settings.nodes)
  }

  start(): void {
    const { random, scheduler, habits } = this.#settings
    const retry = (): void => {
      if (this.#clientId !== 0) return
      this.#failOver()
      this.start()
    }
    this.#travel(() =>
      this.#node.openSession(habits.timeoutMs, (outcome) => {
        if (outcome instanceof MemberError || this.#clientId !== 0) return
        this.#travel(() => {
          if (this.#clientId !== 0) return
          this.#clientId = outcome
          for (let i = 0; i < habits.outstandingMax; i++) this.#askLater()
        })
      }),
    )
    scheduler.after(habits.timeoutMs * random.between(0.75, 1.25), retry)
  }

  /** Asks for nothing new; what is outstanding goes on. */
  becomeQuiet(): void {
    this.#isQuiet = true
  }

  /** From now on it knows only these nodes. */
  useOnly(nodes: readonly SimulatedNode[]): void {
    this.#nodes = nodes
    this.#failOver()
  }

  /** Reads through the node that it stands with, at once. */
  read(query: Query): Invocation {
    return this.#invoke(`${this.#settings.name}/read${++this.#lastReadNumber}`, { kind: 'read', query }, () => undefined)
  }

  /** Asks for an operation in its session, which must be open. */
  request(operation: Operation): Invocation {
    return this.#request(operation, () => undefined)
  }

  /** Turns to that node. */
  standWith(nodeId: NodeId): void {
    this.#node = this.#settings.nodes.find((node) => node.id === nodeId) ?? this.#node
  }

  get hasSession(): boolean {
    return this.#clientId !== 0
  }

  get answeredCount(): number {
    return this.#answeredCount
  }

  #askLater(): void {
    const { random, scheduler, habits } = this.#settings
    scheduler.after(random.exponential(habits.thinkMsMean), () => {
      if (this.#isQuiet) return
      if (random.chance(habits.readRate)) {
        const name = `${this.#settings.name}/read${++this.#lastReadNumber}`
        this.#invoke(name, { kind: 'read', query: drawQuery(random, habits) }, () => this.#askLater())
      } else {
        this.#request(drawOperation(random, habits, `${this.#settings.name}-${this.#lastRequestNumber + 1}`), () =>
          this.#askLater(),
        )
      }
    })
  }

  #request(operation: Operation, onAnswer: () => void): Invocation {
    const requestNumber = ++this.#lastRequestNumber
    this.#unacknowledged.add(requestNumber)
    const firstUnacknowledged = this.#unacknowledged.values().next().value ?? requestNumber
    const command: Command = {
      kind: 'request',
      request: { clientId: this.#clientId, requestNumber, firstUnacknowledged, operation },
    }
    return this.#invoke(nameOf(command), command, () => {
      this.#unacknowledged.delete(requestNumber)
      onAnswer()
    })
  }

  #invoke(name: string, asked: Invocation['asked'], onAnswer: (answer: Answer) => void): Invocation {
    const { history, scheduler } = this.#settings
    const invocation = history.invoke(name, asked, scheduler.nowUs)
    const settle = (answer: Answer): void => {
      if (!history.onAnswer(invocation, answer, scheduler.nowUs)) return
      this.#answeredCount++
      onAnswer(answer)
    }
    this.#try({ invocation, settle })
    return invocation
  }

  /** One try, and the next one if it fails. A retry is the same bytes: the same request number. */
  #try(request: Request): void {
    if (request.invocation.answer !== undefined) return
    const { random, scheduler, habits, totals } = this.#settings
    let isOver = false
    const retryAfter = (delayMs: number, isTimeout: boolean): void => {
      scheduler.after(delayMs, () => {
        if (isOver || request.invocation.answer !== undefined) return
        isOver = true
        if (isTimeout) totals.count('clientTimeout')
        this.#failOver()
        this.#try(request)
      })
    }
    retryAfter(habits.timeoutMs * random.between(0.75, 1.25), true)
    this.#sendTo(this.#node, request, () => retryAfter(random.between(0.5, 1.5) * REFUSED_BACKOFF_MS, false))
    if (request.invocation.asked.kind === 'read' || !random.chance(habits.duplicateRate)) return
    totals.count('duplicateRequest')
    this.#sendTo(random.pick(this.#nodes), request, () => undefined)
  }

  #sendTo(node: SimulatedNode, { invocation, settle }: Request, onRefused: () => void): void {
    const { timeoutMs } = this.#settings.habits
    const onOutcome = (outcome: { slot: number; result: Uint8Array } | MemberError): void => {
      if (outcome instanceof MemberError) {
        if (outcome.code !== 'ALREADY_ACKNOWLEDGED') this.#travel(onRefused)
        return
      }
      this.#travel(() => settle({ slot: outcome.slot, outcome: tellEncodedResult(outcome.result) }))
    }
    this.#travel(() => {
      const { asked } = invocation
      if (asked.kind === 'read') return node.read(encodeQuery(asked.query), timeoutMs, onOutcome)
      if (asked.kind !== 'request') return
      const { operation, ...session } = asked.request
      node.submit({ ...session, command: encodeOperation(operation) }, timeoutMs, onOutcome)
    })
  }

  #travel(arrive: () => void): void {
    const { random, scheduler, habits, totals } = this.#settings
    if (random.chance(habits.lossRate)) return totals.count('loss')
    scheduler.after(random.exponential(DELAY_MS_MEAN), arrive)
  }

  #failOver(): void {
    this.#node = this.#settings.random.pick(this.#nodes)
  }
}

interface Request {
  readonly invocation: Invocation
  readonly settle: (answer: Answer) => void
}

function drawQuery(random: Random, habits: ClientHabits): Query {
  return random.chance(0.5)
    ? { kind: 'get', key: drawName(random, 'k', habits.keyCount) }
    : { kind: 'balance', account: drawName(random, 'a', habits.accountCount) }
}

function drawOperation(random: Random, habits: ClientHabits, id: string): Operation {
  const account = drawName(random, 'a', habits.accountCount)
  const amount = random.int(1, 50)
  switch (random.int(0, 7)) {
    case 0:
      return { kind: 'open', account, overdraftLimit: random.chance(0.2) ? 30 : 0 }
    case 1:
      return { kind: 'withdraw', id, account, amount }
    case 2:
    case 3:
      return { kind: 'deposit', id, account, amount }
    case 4:
    case 5: {
      const number = Number(account.slice(1))
      const destination = `a${((number + random.int(0, habits.accountCount - 2)) % habits.accountCount) + 1}`
      return { kind: 'transfer', id, source: account, destination, amount }
    }
    case 6: {
      const key = drawName(random, 'k', habits.keyCount)
      return { kind: 'swap', key, expected: `v${random.int(1, 4)}`, value: `v${random.int(1, 4)}` }
    }
    default:
      return { kind: 'put', key: drawName(random, 'k', habits.keyCount), value: `v${random.int(1, 4)}` }
  }
}

function drawName(random: Random, prefix: string, count: number): string {
  return `${prefix}${random.int(1, count)}`
}
