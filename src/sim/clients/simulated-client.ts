import type { NodeId } from '../../paxos/types.js'
import type { ClientPort } from '../cluster/client-port.js'
import type { Asked, Invocation } from '../history/history.js'
import { Caller, type CallerSettings } from './caller.js'
import type { Operation, Query } from './operations.js'
import type { Workload } from './workload.js'

export interface ClientSettings extends CallerSettings {
  readonly workload: Workload
}

const DOWN_MS_MEAN = 400
const ABSENCE_MS_MEAN = 1_500

/** One client: asks for one thing after the other, a few at a time, and dies or leaves for a while now and then. */
export class SimulatedClient {
  readonly #settings: ClientSettings
  readonly #caller: Caller
  #state: 'up' | 'away' | 'down' = 'up'
  /** How many would have asked for something while the client could not. */
  #waitingCount = 0
  #isQuiet = false
  #isSpared = false

  constructor(settings: ClientSettings) {
    this.#settings = settings
    this.#caller = new Caller(settings, () => this.#resume())
  }

  /** Whether it can ask for operations: who needs no session always can. */
  get hasSession(): boolean {
    return this.#caller.isReady
  }

  get answeredCount(): number {
    return this.#caller.answeredCount
  }

  start(): void {
    const { habits } = this.#settings
    this.#caller.start()
    for (let i = 0; i < habits.outstandingMax; i++) this.#askLater()
    this.#trouble(habits.deathMsMean, () => this.#die())
    this.#trouble(habits.absenceMsMean, () => this.#leave())
  }

  /** Asks for nothing new; what is outstanding goes on. */
  becomeQuiet(): void {
    this.#isQuiet = true
  }

  /** Dies no more, and stays; nothing between it and the nodes is lost any more. */
  spare(): void {
    this.#isSpared = true
    this.#caller.healWay()
    this.#comeBack()
  }

  /** From now on it knows only these nodes. */
  useOnly(ports: readonly ClientPort[]): void {
    this.#caller.useOnly(ports)
  }

  /** Turns to that node. */
  standWith(nodeId: NodeId): void {
    this.#caller.standWith(nodeId)
  }

  /** Reads through the node that it stands with, at once. */
  read(query: Query): Invocation {
    return this.#caller.ask({ kind: 'read', query }, () => undefined)
  }

  /** Asks for an operation, at once; its session must be open. */
  request(operation: Operation, requestId = ''): Invocation {
    return this.#caller.ask({ kind: 'command', request: { operation, requestId } }, () => undefined)
  }

  #askLater(): void {
    const { random, scheduler, habits } = this.#settings
    scheduler.after(random.exponential(habits.thinkMsMean), () => this.#askNext())
  }

  #askNext(): void {
    const { random, habits, workload, hasSession } = this.#settings
    if (this.#isQuiet) return
    if (this.#state !== 'up' || !this.hasSession) {
      this.#waitingCount++
      return
    }
    const asked: Asked = random.chance(habits.readRate)
      ? { kind: 'read', query: workload.drawQuery() }
      : { kind: 'command', request: workload.drawRequest({ hasSession }) }
    this.#caller.ask(asked, () => this.#askLater())
  }

  /** Goes on with what had to wait. */
  #resume(): void {
    if (this.#state !== 'up' || !this.hasSession) return
    const count = this.#waitingCount
    this.#waitingCount = 0
    for (let i = 0; i < count; i++) this.#askLater()
  }

  #die(): void {
    if (this.#state !== 'up') return
    const { count, random, scheduler } = this.#settings
    count('clientDeath')
    this.#tell('clientDied')
    this.#state = 'down'
    this.#caller.die()
    scheduler.after(random.exponential(DOWN_MS_MEAN), () => this.#comeBack())
  }

  /** Asks for nothing new for a while, perhaps so long that its session expires. */
  #leave(): void {
    if (this.#state !== 'up') return
    const { count, random, scheduler } = this.#settings
    count('clientAbsence')
    this.#tell('clientLeft')
    this.#state = 'away'
    scheduler.after(random.exponential(ABSENCE_MS_MEAN), () => this.#comeBack())
  }

  #comeBack(): void {
    if (this.#state !== 'up') this.#tell('clientBack')
    const wasDown = this.#state === 'down'
    this.#state = 'up'
    if (wasDown) this.#caller.revive()
    this.#resume()
  }

  #tell(kind: 'clientDied' | 'clientLeft' | 'clientBack'): void {
    this.#settings.trace.tell({ kind, client: this.#settings.name })
  }

  /** Again and again while the client may have trouble. */
  #trouble(meanMs: number, strike: () => void): void {
    const { random, scheduler } = this.#settings
    if (meanMs === 0) return
    scheduler.after(random.exponential(meanMs), () => {
      if (this.#isSpared || this.#isQuiet) return
      strike()
      this.#trouble(meanMs, strike)
    })
  }
}
