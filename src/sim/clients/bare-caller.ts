import { failingOver } from '../../client/fail-over.js'
import { errorOfRefusal, outcomeUnknown, SynodError } from '../../client/synod-error.js'
import { type Answer, MemberError, type MemberErrorCode } from '../../host/api.js'
import { toRefusal } from '../../server/call-error.js'
import { check } from '../checkers/violation.js'
import type { ClientPort } from '../cluster/client-port.js'
import { SimulatedRuntime } from '../cluster/simulated-runtime.js'
import { type Asked, type ClientInvocation, tellInvocation } from '../history/client-history.js'
import { ClientNetwork } from './client-network.js'
import { decodeAnswer } from './decode-result.js'
import { type CallerSettings, CallTrace, type SimulatedCaller } from './simulated-caller.js'
import { isSafeToRepeat } from './simulated-operations.js'
import { endpointOf } from './simulated-port.js'

interface BareCall {
  readonly invocation: ClientInvocation
  readonly mayRepeat: boolean
  attemptCount: number
}

/** Maximum factor of the timeout, which doubles from try to try, so that retries do not overload a slow cluster. */
const PATIENCE_MAX = 8

/** The errors that a correct bare call may get. */
const POSSIBLE: ReadonlySet<MemberErrorCode> = new Set<MemberErrorCode>([
  'NO_QUORUM',
  'OVERLOADED',
  'NOT_JOINED',
  'STOPPED',
  'OUTCOME_UNKNOWN',
  'SESSION_EXPIRED',
  'DATA_DAMAGED',
])

/** A client without a session: a careful user of grpcurl, who goes from node to node as the SDK's unary calls do. */
export class BareCaller implements SimulatedCaller {
  readonly #settings: CallerSettings
  readonly #trace: CallTrace
  readonly #network: ClientNetwork
  #nodes: readonly ClientPort[]
  #runtime: SimulatedRuntime
  #answeredCount = 0
  readonly #open = new Map<BareCall, () => void>()

  constructor(settings: CallerSettings) {
    this.#settings = settings
    this.#trace = new CallTrace(settings)
    this.#network = new ClientNetwork(settings)
    this.#nodes = settings.nodes
    this.#runtime = this.#newRuntime()
  }

  get answeredCount(): number {
    return this.#answeredCount
  }

  setNodes(nodes: readonly ClientPort[]): void {
    this.#nodes = nodes
  }

  useOnly(nodes: readonly ClientPort[]): void {
    this.#nodes = nodes
  }

  healNetwork(): void {
    this.#network.heal()
  }

  ask(asked: Asked, timeoutMs: number, onDone: () => void): ClientInvocation {
    const { name, history, scheduler, onBug } = this.#settings
    const invocation = history.invoke(name, asked, scheduler.nowUs)
    const asking = { invocation, mayRepeat: asked.kind === 'read' || isSafeToRepeat(asked.request), attemptCount: 0 }
    this.#open.set(asking, onDone)
    this.#failOver(asking, timeoutMs).catch((error: unknown) => onBug(error instanceof Error ? error : new Error(String(error))))
    return invocation
  }

  die(): void {
    this.#runtime.end()
    this.#network.onDeath()
    for (const asking of this.#open.keys()) this.#giveUp(asking)
  }

  revive(): void {
    this.#runtime = this.#newRuntime()
  }

  #newRuntime(): SimulatedRuntime {
    const { scheduler, random } = this.#settings
    return new SimulatedRuntime({ scheduler, random, wallMs: () => scheduler.nowMs, turnMsMax: () => 0 })
  }

  async #failOver(asking: BareCall, timeoutMs: number): Promise<void> {
    const endpoints = this.#settings.random.shuffle(this.#nodes).map(endpointOf)
    try {
      await failingOver(endpoints, timeoutMs, (endpoint, leftMs) => this.#try(asking, endpoint, leftMs), this.#runtime)
    } catch (error) {
      if (!(error instanceof SynodError)) throw error
      this.#giveUp(asking)
    }
  }

  /** Asks one node. @throws SynodError: UNREACHABLE where nothing is known, and it may be asked again */
  #try(asking: BareCall, endpoint: string, leftMs: number): Promise<void> {
    const { random, scheduler, habits, count } = this.#settings
    // The one that was meant may have been removed.
    const node = this.#nodes.find((one) => endpointOf(one) === endpoint) ?? random.pick(this.#nodes)
    const patience = Math.min(PATIENCE_MAX, 2 ** Math.floor(asking.attemptCount++ / 2))
    const timeoutMs = Math.min(leftMs, habits.timeoutMs * patience * random.between(0.75, 1.25))
    return new Promise((resolve, reject) => {
      scheduler.after(timeoutMs, () => {
        if (!this.#open.has(asking)) return
        count('clientTimeout')
        this.#trace.failed(asking.invocation, 'no answer in time')
        reject(this.#unresolved(asking, 'no answer in time'))
      })
      this.#send(asking, node, timeoutMs, (error) => reject(error), resolve)
      if (!asking.mayRepeat || !random.chance(habits.duplicateRate)) return
      count('duplicateRequest')
      this.#send(asking, random.pick(this.#nodes), timeoutMs, () => undefined, resolve)
    })
  }

  #send(
    asking: BareCall,
    node: ClientPort,
    timeoutMs: number,
    onError: (error: SynodError) => void,
    onAnswered: () => void,
  ): void {
    const { invocation, attemptCount } = asking
    this.#trace.asked(invocation, node.id, attemptCount)
    const settle = this.#network.back((outcome: Answer | MemberError) => {
      if (outcome instanceof MemberError) {
        this.#trace.failed(invocation, outcome.code)
        check(POSSIBLE.has(outcome.code), () => `${tellInvocation(invocation)}, is told ${outcome.code}`)
        return onError(this.#errorOf(asking, outcome))
      }
      this.#trace.answered(invocation, node.id, outcome)
      this.#onAnswer(asking, outcome)
      onAnswered()
    })
    this.#network.travel(() => {
      if (invocation.asked.kind === 'read') node.read(invocation.bytes, timeoutMs, settle)
      else node.invoke(invocation.bytes, timeoutMs, settle)
    })
  }

  #onAnswer(asking: BareCall, answer: Answer): void {
    const { history, scheduler } = this.#settings
    if (!history.onAnswer(asking.invocation, decodeAnswer(answer), scheduler.nowUs)) return
    this.#answeredCount++
    this.#close(asking)
  }

  #errorOf(asking: BareCall, error: MemberError): SynodError {
    const isKnown = error.code !== 'OUTCOME_UNKNOWN' && error.code !== 'SESSION_EXPIRED' && error.code !== 'DATA_DAMAGED'
    return isKnown ? errorOfRefusal(toRefusal(error)) : this.#unresolved(asking, error.message)
  }

  /** The error of a try whose outcome is unknown. */
  #unresolved({ mayRepeat }: BareCall, message: string): SynodError {
    return mayRepeat ? new SynodError('UNAVAILABLE', 'UNREACHABLE', message) : outcomeUnknown(message)
  }

  #giveUp(asking: BareCall): void {
    if (!this.#open.has(asking)) return
    this.#trace.gaveUp(asking.invocation)
    this.#settings.history.abandon(asking.invocation)
    this.#close(asking)
  }

  #close(asking: BareCall): void {
    const onDone = this.#open.get(asking)
    this.#open.delete(asking)
    onDone?.()
  }
}
