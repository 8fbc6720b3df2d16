/**
 * The history of a run as JSON lines, for other checkers: everything that the clients asked and were told.
 *
 * The first line names the format: `{"format":"synod-history","version":1,"seed":42}`. Then comes one line for each request, in the
 * order of invocation:
 *
 * | field | |
 * | --- | --- |
 * | client | the client that asked |
 * | process | a sequential part of that client: one request at a time, and none after a request that was never answered |
 * | operation | the request: `kind` and the fields of that kind, see clients/simulated-operations.ts |
 * | invokedUs, returnedUs | µs of virtual time, of the first try and of the first answer; returnedUs is null without an answer |
 * | answer | the outcome: `kind` and the fields of that kind, see clients/plain-outcomes.ts; null without an answer |
 * | slot | the slot of the log in which it took effect, or as of which it was read; a repeat by id has that of the first request |
 *
 * Kinds of operations: put, delete, txn, open, deposit, withdraw, transfer, post, void, batch; the reads get, list, balance, accounts,
 * movement; and logRead, which is one of these reads through the log. `requestId` is present if the request has one. All operations
 * are linearizable. An unanswered operation may have taken effect at any time after its invocation, or never; at most once.
 * A pending transfer with a timeout ends by itself `timeoutMs` of log time after it was made. Log time is not the time of this file:
 * a checker that does not follow the log must allow such a hold to end at any time, and must ignore fields whose names end in Ms.
 */
import type { ClientInvocation, History } from './client-history.js'

const FORMAT = 'synod-history'
const VERSION = 1

/** Yields the lines of the file, without line ends. */
export function* historyLines({ invocations }: History, seed: number): Generator<string> {
  yield JSON.stringify({ format: FORMAT, version: VERSION, seed })
  const processes = new Processes()
  for (const invocation of invocations) {
    const { client, invokedUs, returnedUs = null, answer } = invocation
    yield JSON.stringify({
      client,
      process: processes.take(invocation),
      operation: operationOf(invocation),
      invokedUs,
      returnedUs,
      answer: answer?.outcome ?? null,
      slot: answer?.slot ?? null,
    })
  }
}

function operationOf({ asked }: ClientInvocation): object {
  if (asked.kind === 'read') return asked.query
  const { operation, requestId } = asked.request
  return requestId === '' ? operation : { ...operation, requestId }
}

/** Assigns each request to an idle process of its client. Processes are numbered from 1 within a client. */
class Processes {
  /** For each client, the time at which each of its processes becomes idle. */
  readonly #busyUntilUs = new Map<string, number[]>()

  take({ client, invokedUs, returnedUs }: ClientInvocation): string {
    const busyUntilUs = this.#busyUntilUs.get(client) ?? []
    this.#busyUntilUs.set(client, busyUntilUs)
    const idle = busyUntilUs.findIndex((untilUs) => untilUs < invokedUs)
    const place = idle === -1 ? busyUntilUs.length : idle
    busyUntilUs[place] = returnedUs ?? Number.POSITIVE_INFINITY
    return `${client}/${place + 1}`
  }
}
