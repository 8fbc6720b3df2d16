import type { Slot, Value } from '../paxos/types.js'
import { nameInLog } from './application.js'
import { promise } from './checkers.js'
import { Model } from './model.js'
import type { Command, Query } from './operations.js'

/** An answer to a simulated client: in which slot, or as of which, and what. */
export interface Answer {
  readonly slot: Slot
  readonly outcome: string
}

/** One request of a simulated client, from the first try to the first answer. */
export interface Invocation {
  /** A command's name in the log; of a read, a name of its own. */
  readonly name: string
  readonly asked: Command | { readonly kind: 'read'; readonly query: Query }
  readonly invokedUs: number
  answeredUs: number | undefined
  answer: Answer | undefined
}

/** Everything that the clients asked and were told. */
export class History {
  readonly #invocations: Invocation[] = []
  #outstandingCount = 0

  get invocations(): readonly Invocation[] {
    return this.#invocations
  }

  get outstandingCount(): number {
    return this.#outstandingCount
  }

  get acknowledgedCount(): number {
    return this.#invocations.length - this.#outstandingCount
  }

  invoke(name: string, asked: Invocation['asked'], nowUs: number): Invocation {
    const invocation: Invocation = { name, asked, invokedUs: nowUs, answeredUs: undefined, answer: undefined }
    this.#invocations.push(invocation)
    this.#outstandingCount++
    return invocation
  }

  /** True for the first answer. A command's later ones, to its retries, must be the same. */
  onAnswer(invocation: Invocation, answer: Answer, nowUs: number): boolean {
    const first = invocation.answer
    if (first === undefined) {
      invocation.answer = answer
      invocation.answeredUs = nowUs
      this.#outstandingCount--
      return true
    }
    const isSame = first.slot === answer.slot && first.outcome === answer.outcome
    promise(
      isSame || invocation.asked.kind !== 'request' || answer.outcome === 'alreadyAcknowledged',
      () => `request ${invocation.name} was answered ${tell(first)}, and when retried ${tell(answer)}`,
    )
    return false
  }

  /** Checks all answers against the log that the nodes agreed on. @throws BrokenPromise */
  check(log: readonly Value[]): Model {
    checkRealTime(this.#invocations)
    return checkAnswers(this.#invocations, log)
  }
}

/**
 * Linearizability, given that every answer carries its slot: whatever was answered before another was asked must not stand after it.
 * A command stands in its slot, a read after it.
 */
function checkRealTime(invocations: readonly Invocation[]): void {
  const answered = invocations
    .filter((i) => i.answeredUs !== undefined)
    .toSorted((a, b) => (a.answeredUs ?? 0) - (b.answeredUs ?? 0))
  const asked = invocations.filter((i) => i.answer !== undefined).toSorted((a, b) => a.invokedUs - b.invokedUs)
  let latest: Invocation | undefined
  let next = 0
  for (const invocation of asked) {
    for (; next < answered.length && (answered[next]?.answeredUs ?? 0) < invocation.invokedUs; next++) {
      if ((answered[next]?.answer?.slot ?? 0) > (latest?.answer?.slot ?? -1)) latest = answered[next]
    }
    const earlier = latest
    if (earlier === undefined) continue
    const earlierSlot = earlier.answer?.slot ?? 0
    const slot = invocation.answer?.slot ?? 0
    const isInOrder = invocation.asked.kind === 'read' ? slot >= earlierSlot : slot > earlierSlot
    promise(
      isInOrder,
      () =>
        `${invocation.asked.kind} ${invocation.name} stands at slot ${slot}, but ${earlier.asked.kind} ${earlier.name}, ` +
        `answered before it was asked, at slot ${earlierSlot}`,
    )
  }
}

const NO_COMMANDS: readonly Uint8Array[] = []

/** Replays the log on the model: every answer must be the model's, in the model's slot. */
function checkAnswers(invocations: readonly Invocation[], log: readonly Value[]): Model {
  const issued = new Map(invocations.map((invocation) => [invocation.name, invocation]))
  const readsAt = new Map<Slot, Invocation[]>()
  const unanswered = new Set<Invocation>()
  for (const invocation of invocations) {
    if (invocation.answer === undefined) continue
    unanswered.add(invocation)
    if (invocation.asked.kind !== 'read') continue
    const { slot } = invocation.answer
    readsAt.set(slot, [...(readsAt.get(slot) ?? []), invocation])
  }
  const model = new Model()
  const checkReads = (slot: Slot): void => {
    for (const read of readsAt.get(slot) ?? []) {
      unanswered.delete(read)
      if (read.asked.kind !== 'read') continue
      checkAnswer(read, { slot, outcome: model.query(read.asked.query) })
    }
  }
  checkReads(0)
  log.forEach((value, i) => {
    const slot = i + 1
    for (const bytes of value.kind === 'batch' ? value.commands : NO_COMMANDS) {
      const name = nameInLog(bytes)
      if (name?.includes('-')) {
        model.open()
        continue
      }
      const invocation = name === undefined ? undefined : issued.get(name)
      promise(invocation !== undefined, () => `slot ${slot} holds a command that no client sent: ${name}`)
      const command = invocation.asked
      promise(command.kind !== 'read', () => `slot ${slot} holds a read: ${name}`)
      const expected =
        command.kind === 'request' ? model.apply(command.request, slot) : { slot, outcome: `client ${model.open()}` }
      // A repeated opening opens another session; the client goes on with the one that it heard of first.
      if (command.kind === 'openSession' && invocation.answer?.outcome !== expected.outcome) continue
      checkAnswer(invocation, expected)
      unanswered.delete(invocation)
    }
    checkReads(slot)
  })
  for (const { name, answer } of unanswered) {
    promise(answer === undefined, () => `request ${name} was answered ${answer && tell(answer)}, but the log does not hold it`)
  }
  return model
}

function checkAnswer({ name, asked, answer }: Invocation, expected: Answer): void {
  if (answer === undefined) return
  promise(
    answer.slot === expected.slot && answer.outcome === expected.outcome,
    () => `${asked.kind} ${name} was answered ${tell(answer)}, but by the log it is ${tell(expected)}`,
  )
}

function tell({ slot, outcome }: Answer): string {
  return `"${outcome}" at slot ${slot}`
}
