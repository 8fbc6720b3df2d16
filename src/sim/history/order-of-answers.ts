import type { Operation, Transfer } from '../clients/operations.js'
import { withoutTimes } from '../clients/outcomes.js'
import { Model } from '../model/model.js'
import { type Invocation, tellAnswer, tellInvocation } from './history.js'
import { type Sequential, searchOrder, type Timed } from './linearizability.js'

/** What a search puts in order: what clients asked, and the end of each hold that ends by itself, which nobody asks for. */
type Event = Timed & ({ readonly invocation: Invocation; readonly told: string | undefined } | { readonly expiringId: string })

/** Whether there is an order of the requests that explains what the clients saw. `failure`: why not, in a sentence. */
export interface OrderFound {
  readonly kind: 'linearizable' | 'notLinearizable' | 'undecided'
  readonly steps: number
  readonly failure: string | undefined
}

/**
 * Searches for that order without a look at the log: neither slots nor log time are known here. A hold with a timeout may therefore
 * end at any time after it was asked for.
 *
 * @param stepsMax the search ends undecided after so many steps of the model
 */
export function findOrder(invocations: readonly Invocation[], stepsMax: number): OrderFound {
  const verdict = searchOrder(eventsOf(invocations), new SequentialModel(), stepsMax)
  const { kind, steps } = verdict
  if (kind !== 'notLinearizable') return { kind, steps, failure: undefined }
  const stuck = verdict.stuck.map(tellEvent).join(' · ')
  return { kind, steps, failure: `no order of the requests explains the answers: none of these could come next: ${stuck}` }
}

function eventsOf(invocations: readonly Invocation[]): Event[] {
  const events: Event[] = []
  for (const invocation of invocations) {
    const { asked, answer, invokedUs, returnedUs, isDenied } = invocation
    if (answer === undefined && (asked.kind === 'read' || isDenied)) continue
    events.push({ invokedUs, returnedUs, invocation, told: answer && withoutTimes(answer.outcome) })
    if (asked.kind === 'read') continue
    for (const { id } of holdsIn(asked.request.operation)) events.push({ invokedUs, returnedUs: undefined, expiringId: id })
  }
  return events
}

/** The transfers that may end by themselves. */
function holdsIn(operation: Operation): Transfer[] {
  const parts =
    operation.kind === 'batch'
      ? operation.transfers
      : operation.kind === 'txn'
        ? [...operation.whenTrue, ...operation.whenFalse]
        : [operation]
  return parts.filter((part) => part.kind === 'transfer').filter(({ isPending, timeoutMs }) => isPending && timeoutMs > 0)
}

function tellEvent(event: Event): string {
  if ('expiringId' in event) return `hold ${event.expiringId} ends`
  const { invocation } = event
  return `${tellInvocation(invocation)}, answered ${invocation.answer && tellAnswer(invocation.answer)}`
}

/** The model at a time that stands still: there nothing expires unless it is told to. */
class SequentialModel implements Sequential<Event> {
  readonly #model = new Model({ isSearched: true })
  readonly #marks: number[] = []

  step(event: Event): boolean {
    const { mark } = this.#model
    const isExplained = this.#explains(event)
    // What nobody was told need not have happened: there is no point in it unless it changes something.
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

  #explains(event: Event): boolean {
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
