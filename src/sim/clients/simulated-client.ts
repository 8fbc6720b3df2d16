import type { ClientPort } from '../cluster/client-port.js'
import type { Asked, ClientInvocation } from '../history/client-history.js'
import { BareCaller } from './bare-caller.js'
import { SessionCaller } from './session-caller.js'
import type { CallerSettings, SimulatedCaller } from './simulated-caller.js'
import type { SimulatedOperation, SimulatedQuery } from './simulated-operations.js'
import type { Workload } from './workload.js'

export interface ClientSettings extends CallerSettings {
  readonly workload: Workload
  /** False for a client of bare calls, which are carried out in the sessions of the nodes. */
  readonly hasSession: boolean
}

const DOWN_MS_MEAN = 400
const ABSENCE_MS_MEAN = 1_500
/** A timeout longer than any run. */
const PATIENT_MS = 3_600_000
const BURST_COUNT = 40

/** One client: asks for one thing after the other, a few at a time, and dies or leaves for a while now and then. */
export class SimulatedClient {
  readonly #settings: ClientSettings
  readonly #caller: SimulatedCaller
  #state: 'up' | 'away' | 'down' = 'up'
  /** Number of requests postponed while the client is away or down. */
  #waitingCount = 0
  #isQuiet = false
  #isSpared = false
  #isRestricted = false

  constructor(settings: ClientSettings) {
    this.#settings = settings
    this.#caller = settings.hasSession ? new SessionCaller(settings) : new BareCaller(settings)
  }

  get answeredCount(): number {
    return this.#caller.answeredCount
  }

  start(): void {
    const { habits } = this.#settings
    for (let i = 0; i < habits.outstandingMax; i++) this.#askLater()
    this.#trouble(habits.deathMsMean, () => this.die())
    this.#trouble(habits.absenceMsMean, () => this.#leave())
  }

  /** Makes no new requests; outstanding ones continue. */
  becomeQuiet(): void {
    this.#isQuiet = true
  }

  /** Dies no more, and stays; nothing between it and the nodes is lost any more. */
  spare(): void {
    this.#isSpared = true
    this.#caller.healNetwork()
    this.#comeBack()
  }

  /** Sets the nodes of the cluster; a restricted client ignores it. */
  setNodes(nodes: readonly ClientPort[]): void {
    if (!this.#isRestricted) this.#caller.setNodes(nodes)
  }

  /** Restricts the client to these nodes. */
  useOnly(nodes: readonly ClientPort[]): void {
    this.#isRestricted = true
    this.#caller.useOnly(nodes)
  }

  /** Reads at once. */
  read(query: SimulatedQuery): ClientInvocation {
    return this.#caller.ask({ kind: 'read', query }, PATIENT_MS, () => undefined)
  }

  /** Asks for an operation, at once. */
  request(operation: SimulatedOperation, requestId = ''): ClientInvocation {
    return this.#caller.ask({ kind: 'command', request: { operation, requestId } }, PATIENT_MS, () => undefined)
  }

  #askLater(): void {
    const { random, scheduler, habits } = this.#settings
    scheduler.after(random.exponential(habits.thinkMsMean), () => this.#askNext())
  }

  #askNext(): void {
    const { random, habits, workload, hasSession } = this.#settings
    if (this.#isQuiet) return
    if (this.#state !== 'up') {
      this.#waitingCount++
      return
    }
    const asked: Asked = random.chance(habits.readRate)
      ? { kind: 'read', query: workload.drawQuery() }
      : { kind: 'command', request: workload.drawRequest({ hasSession }) }
    this.#caller.ask(asked, this.#drawTimeoutMs(), () => this.#askLater())
    if (asked.kind === 'command' && random.chance(habits.burstRate)) this.#burst()
  }

  /** Asks for much at once, more than can be answered in time. */
  #burst(): void {
    const { random, habits, workload, hasSession } = this.#settings
    for (let i = 0; i < BURST_COUNT; i++) {
      const request = workload.drawRequest({ hasSession })
      this.#caller.ask({ kind: 'command', request }, random.between(10, habits.timeoutMs), () => undefined)
    }
  }

  #drawTimeoutMs(): number {
    const { random, habits } = this.#settings
    return !this.#isSpared && random.chance(habits.hurryRate) ? random.between(10, 2 * habits.timeoutMs) : PATIENT_MS
  }

  /** Goes on with what had to wait. */
  #resume(): void {
    if (this.#state !== 'up') return
    const count = this.#waitingCount
    this.#waitingCount = 0
    for (let i = 0; i < count; i++) this.#askLater()
  }

  /** Its process is gone for a while. */
  die(): void {
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

  /** Strikes again and again while the client may have trouble. */
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
