import type { Value } from '../../../src/paxos/types.js'
import { encodeOpenSession, encodeSessionCommand } from '../../../src/replication/envelope.js'
import type { PlainOutcome } from '../../../src/sim/clients/plain-outcomes.js'
import type { SimulatedQuery, SimulatedRequest } from '../../../src/sim/clients/simulated-operations.js'
import { type Asked, type ClientInvocation, History, sessionName } from '../../../src/sim/history/client-history.js'
import { Model } from '../../../src/sim/model/model.js'
import { TOKEN } from '../../support/token.js'

const START_MS = 1_700_000_000_000

/**
 * A request, listed in the order in which a cluster carried it out. The times of the question and the answer are independent of
 * that.
 */
export interface Told {
  readonly ask: SimulatedRequest | SimulatedQuery
  readonly from: number
  /** Undefined: there was no answer. */
  readonly to: number | undefined
  /** A defect of the cluster: it forgets an answered request, carries it out twice, or never. */
  readonly fate?: 'lost' | 'twice' | 'never'
  /** Changes the answer that the client gets. */
  readonly changed?: (outcome: PlainOutcome) => PlainOutcome
}

/** Returns the history and the log of a cluster that carried these requests out in this order, each command in its own slot. */
export function tell(order: readonly Told[]): { history: History; log: Value[] } {
  const history = new History()
  const log: Value[] = [batch(0, encodeOpenSession(TOKEN))]
  history.onSessionOpened('client', 1)
  const model = new Model()
  const answered = invokeAll(history, order).map(({ told, invocation }) => {
    const { asked } = invocation
    if (asked.kind === 'read') return { told, invocation, answer: { slot: log.length, outcome: model.query(asked.query) } }
    const at = { slot: log.length + 1, timeMs: START_MS + log.length }
    model.passTime(at.timeMs)
    const { mark } = model
    const { slot, outcome } = model.apply(asked.request, at)
    if (told.fate === 'lost' || told.fate === 'never') model.undoTo(mark)
    if (told.fate === 'twice') model.apply(asked.request, at)
    if (told.fate !== 'never') log.push(batch(log.length, sent(invocation)))
    return { told, invocation, answer: { slot, outcome } }
  })
  for (const { told, invocation, answer } of answered.toSorted((a, b) => (a.told.to ?? 0) - (b.told.to ?? 0))) {
    const { to, changed = (outcome: PlainOutcome) => outcome } = told
    if (to === undefined) history.abandon(invocation)
    else history.onAnswer(invocation, { slot: answer.slot, outcome: changed(answer.outcome) }, to)
  }
  return { history, log }
}

/** Invokes requests in the order of time. Returns them in the order of the list. */
function invokeAll(history: History, order: readonly Told[]): { told: Told; invocation: ClientInvocation }[] {
  const invoked = order
    .map((told, place) => ({ told, place }))
    .toSorted((a, b) => a.told.from - b.told.from)
    .map(({ told, place }) => {
      const { ask, from } = told
      const asked: Asked = 'kind' in ask ? { kind: 'read', query: ask } : { kind: 'command', request: ask }
      const invocation = history.invoke('client', asked, from)
      if (asked.kind === 'command') invocation.sentAs.push(sessionName(1, place + 1))
      return { told, place, invocation }
    })
  return invoked.toSorted((a, b) => a.place - b.place)
}

function sent({ sentAs, bytes }: ClientInvocation): Uint8Array {
  const requestNumber = Number(sentAs[0]?.split(':')[1])
  return encodeSessionCommand({ clientId: 1, token: TOKEN, requestNumber, firstUnacknowledged: 1, command: bytes })
}

function batch(sequence: number, command: Uint8Array): Value {
  return { kind: 'batch', timeMs: START_MS + sequence, commands: [command] }
}
