/**
 * A history as JSON lines, for checkers of other people's: everything that the clients of a run asked and were told.
 *
 * The first line says what follows: `{"format":"synod-history","version":1,"seed":42}`. Then one line for each request, in the order in
 * which they were made:
 *
 * | field | |
 * | --- | --- |
 * | client | who asked |
 * | process | does one thing at a time: a client that asks several at once is several; one that was never answered does nothing more |
 * | operation | what was asked: `kind` and the fields of that kind, see clients/operations.ts |
 * | invokedUs, returnedUs | µs of virtual time, from the first try to the first answer; returnedUs is null if there was none |
 * | answer | what it came to: `kind` and the fields of that kind, see clients/outcomes.ts; null if there was none |
 * | slot | of the log, where it took effect or as of which it was read; a repeat by its id is told that of the first time |
 *
 * Kinds of operations: put, delete, txn, open, deposit, withdraw, transfer, post, void, batch; the reads get, list, balance, accounts,
 * movement; and logRead, which is one of these reads through the log. `requestId` stands with those that have one. All of them are
 * linearizable. What was never answered may have taken effect at any time after it was asked, or never; it takes effect once at most.
 * A pending transfer with a timeout ends by itself `timeoutMs` of log time after it was made. Log time is not the time of this file:
 * a checker that does not follow the log must allow such a hold to end at any time, and not look at fields whose names end in Ms.
 */
import type { History, Invocation } from './history.js'

const FORMAT = 'synod-history'
const VERSION = 1

/** The lines of the file, without line ends. */
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

function operationOf({ asked }: Invocation): object {
  if (asked.kind === 'read') return asked.query
  const { operation, requestId } = asked.request
  return requestId === '' ? operation : { ...operation, requestId }
}

/** Gives each request to a process that is idle, numbered within its client from 1. */
class Processes {
  /** By client, of each process: when it is done with what it does. */
  readonly #busyUntilUs = new Map<string, number[]>()

  take({ client, invokedUs, returnedUs }: Invocation): string {
    const busyUntilUs = this.#busyUntilUs.get(client) ?? []
    this.#busyUntilUs.set(client, busyUntilUs)
    const idle = busyUntilUs.findIndex((untilUs) => untilUs < invokedUs)
    const place = idle === -1 ? busyUntilUs.length : idle
    busyUntilUs[place] = returnedUs ?? Number.POSITIVE_INFINITY
    return `${client}/${place + 1}`
  }
}
