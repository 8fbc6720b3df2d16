import type { NodeId } from '../../paxos/types.js'
import type { ClientPort } from '../cluster/client-port.js'
import type { Scheduler } from '../cluster/scheduler.js'
import type { Asked, ClientInvocation, History } from '../history/client-history.js'
import type { Random } from '../random.js'
import type { EventTrace } from '../trace/event-trace.js'
import { tellOperation } from '../trace/trace-words.js'
import { decodeAnswer } from './decode-result.js'
import type { ClientHabits } from './habits.js'

/** Faults of clients, and of what they send. */
export type ClientTrouble =
  | 'loss'
  | 'clientTimeout'
  | 'duplicateRequest'
  | 'clientDeath'
  | 'clientAbsence'
  | 'sessionExpired'
  | 'sessionFull'
  | 'sessionClosed'
  | 'misuse'

export interface CallerSettings {
  readonly name: string
  readonly habits: ClientHabits
  /** The nodes that it knows. */
  readonly nodes: readonly ClientPort[]
  readonly history: History
  readonly random: Random
  readonly scheduler: Scheduler
  readonly trace: EventTrace
  readonly count: (trouble: ClientTrouble) => void
  /** Called with an error that only a bug can cause, where it cannot be thrown. */
  readonly onBug: (error: Error) => void
}

/** Carries a client's requests out. Clients with a session and clients without one have different callers. */
export interface SimulatedCaller {
  readonly answeredCount: number
  /**
   * Asks at once, and gives up after `timeoutMs`; `onDone` is called when it is answered, or when it is given up.
   */
  ask(asked: Asked, timeoutMs: number, onDone: () => void): ClientInvocation
  /** Sets the nodes that the client knows. */
  setNodes(nodes: readonly ClientPort[]): void
  /** Restricts the client to these nodes, and breaks its streams to others. */
  useOnly(nodes: readonly ClientPort[]): void
  /** Ends all losses of the network. */
  healNetwork(): void
  /** Kills the client's process: it hears nothing any more. */
  die(): void
  /** Starts a new process, which knows nothing of the one before. */
  revive(): void
}

/** Writes a client's requests into the trace. */
export class CallTrace {
  readonly #trace: EventTrace
  readonly #client: string

  constructor({ trace, name }: Pick<CallerSettings, 'trace' | 'name'>) {
    this.#trace = trace
    this.#client = name
  }

  asked({ number, asked }: ClientInvocation, node: NodeId, attempt: number): void {
    const what = (): string => tellOperation(asked.kind === 'read' ? asked.query : asked.request.operation)
    this.#trace.tell({ kind: 'asked', client: this.#client, request: number, node, attempt, what })
  }

  answered({ number }: ClientInvocation, node: NodeId, answer: Parameters<typeof decodeAnswer>[0]): void {
    const { slot, outcome: found } = decodeAnswer(answer)
    const outcome = (): string => tellOperation(found)
    this.#trace.tell({ kind: 'answered', client: this.#client, request: number, node, slot, result: answer.result, outcome })
  }

  failed({ number }: ClientInvocation, reason: string): void {
    this.#trace.tell({ kind: 'tryFailed', client: this.#client, request: number, reason })
  }

  gaveUp({ number }: ClientInvocation): void {
    this.#trace.tell({ kind: 'gaveUp', client: this.#client, request: number })
  }

  sessionOpened(node: NodeId, clientId: number): void {
    this.#trace.tell({ kind: 'sessionOpened', client: this.#client, node, clientId })
  }
}
