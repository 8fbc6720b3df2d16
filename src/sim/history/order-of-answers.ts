import { withoutTimes } from '../clients/plain-outcomes.js'
import type { SimulatedOperation, Transfer } from '../clients/simulated-operations.js'
import { Model } from '../model/model.js'
import { type ClientInvocation, tellAnswer, tellInvocation } from './client-history.js'
import { type Sequential, searchOrder, type Timed } from './linearizability.js'

/** An event to be ordered: a request of a client, or the end of a hold with a timeout, which no client asks for. */
type HistoryEvent = Timed &
  ({ readonly invocation: ClientInvocation; readonly told: string | undefined } | { readonly expiringId: string })

/**
 * The verdict on a history: `linearizable` if an order of the requests explains the answers. `failure`: why there is none, in a
 * sentence.
 */
export interface OrderFound {
  readonly kind: 'linearizable' | 'notLinearizable' | 'undecided'
  readonly steps: number
  readonly failure: string | undefined
}

/**
 * Searches for that order without the log: slots and log time are unknown here. A hold with a timeout may therefore end at any
 * time after it was asked for.
 *
 * @param stepsMax the search ends undecided after this many steps of the model
 */
export function findOrder(invocations: readonly ClientInvocation[], stepsMax: number): OrderFound {
  const verdict = searchOrder(eventsOf(invocations), new SequentialModel(), stepsMax)
  const { kind, steps } = verdict
  if (kind !== 'notLinearizable') return { kind, steps, failure: undefined }
  const stuck = verdict.stuck.map(tellEvent).join(' · ')
  return { kind, steps, failure: `no order of the requests explains the answers: none of these could come next: ${stuck}` }
}

function eventsOf(invocations: readonly ClientInvocation[]): HistoryEvent[] {
  const events: HistoryEvent[] = []
  for (const invocation of invocations) {
    const { asked, answer, invokedUs, returnedUs, isDenied } = invocation
    if (answer === undefined && (asked.kind === 'read' || isDenied)) continue
    events.push({ invokedUs, returnedUs, invocation, told: answer && withoutTimes(answer.outcome) })
    if (asked.kind === 'read') continue
    for (const { id } of holdsIn(asked.request.operation)) events.push({ invokedUs, returnedUs: undefined, expiringId: id })
  }
  return events
}

/** Returns the transfers of an operation that may end by timeout. */
function holdsIn(operation: SimulatedOperation): Transfer[] {
  const parts =
    operation.kind === 'batch'
      ? operation.transfers
      : operation.kind === 'txn'
        ? [...operation.whenTrue, ...operation.whenFalse]
        : [operation]
  return parts.filter((part) => part.kind === 'transfer').filter(({ isPending, timeoutMs }) => isPending && timeoutMs > 0)
}

function tellEvent(event: HistoryEvent): string {
  if ('expiringId' in event) return `hold ${event.expiringId} ends`
  const { invocation } = event
  return `${tellInvocation(invocation)}, answered ${invocation.answer && tellAnswer(invocation.answer)}`
}

/** The model at a fixed time: holds end only by an explicit event. */
class SequentialModel implements Sequential<HistoryEvent> {
  readonly #model = new Model({ isSearched: true })
  readonly #marks: number[] = []

  step(event: HistoryEvent): boolean {
    const { mark } = this.#model
    const isExplained = this.#explains(event)
    // An unanswered event need not have happened: it is useful only if it changes something.
    const isWorthwhile = event.returnedUs !== undefined || this.#model.mark > mark
    if (isExplained && isWorthwhile) {
      this.#marks.push(mark)
      return true
    }
    this.#model.undoTo(mark)
    return false
  }

  undo(): void {
    this.#model.undoTo(this.#marks.pop() ?? 0)
  }

  get fingerprint(): string {
    return this.#model.fingerprint
  }

  #explains(event: HistoryEvent): boolean {
    if ('expiringId' in event) {
      this.#model.expireHold(event.expiringId)
      return true
    }
    const { asked } = event.invocation
    const outcome =
      asked.kind === 'read' ? this.#model.query(asked.query) : this.#model.apply(asked.request, { slot: 0, timeMs: 0 }).outcome
    return event.told === undefined || event.told === withoutTimes(outcome)
  }
}
