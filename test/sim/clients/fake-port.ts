import assert from 'node:assert/strict'
import { Result } from '../../../src/gen/synod/session/v1/session.js'
import { type Answer, MemberError, type MemberErrorCode } from '../../../src/host/api.js'
import { BareCaller } from '../../../src/sim/clients/bare-caller.js'
import { type ClientHabits, QUIET_HABITS } from '../../../src/sim/clients/habits.js'
import type { ClientTrouble } from '../../../src/sim/clients/simulated-caller.js'
import type { ClientPort, Settled } from '../../../src/sim/cluster/client-port.js'
import { Scheduler } from '../../../src/sim/cluster/scheduler.js'
import { History } from '../../../src/sim/history/client-history.js'
import { Random } from '../../../src/sim/random.js'
import { EventTrace } from '../../../src/sim/trace/event-trace.js'

/** A request that a node received, and functions to answer it. */
export interface Heard {
  readonly kind: 'close' | 'submit' | 'invoke' | 'read'
  readonly node: number
  readonly bytes: Uint8Array
  answer(slot: number, result?: 'another'): void
  fail(code: MemberErrorCode): void
}

function putDone(revision: bigint): Uint8Array {
  return Result.encode(Result.fromPartial({ outcome: { $case: 'put', value: { revision } } })).finish()
}

/** A caller whose nodes answer only what a test tells them. */
export class FakeNodes {
  readonly heard: Heard[] = []
  readonly scheduler = new Scheduler()
  readonly history = new History()
  readonly troubles: ClientTrouble[] = []
  readonly bugs: Error[] = []
  readonly caller: BareCaller

  constructor(habits: Partial<ClientHabits> = {}) {
    this.caller = new BareCaller({
      name: 'client1',
      habits: { ...QUIET_HABITS, ...habits },
      nodes: [1, 2, 3].map((id) => this.#port(id)),
      history: this.history,
      random: new Random(1),
      scheduler: this.scheduler,
      trace: new EventTrace({ clock: this.scheduler }),
      count: (trouble) => this.troubles.push(trouble),
      onBug: (error) => this.bugs.push(error),
    })
  }

  async run(durationMs: number): Promise<void> {
    const untilMs = this.scheduler.nowMs + durationMs
    do await new Promise((resolve) => setImmediate(resolve))
    while (this.scheduler.step(untilMs))
    assert.deepEqual(this.bugs, [])
  }

  /** Lets messages under way arrive. Returns what the nodes have received since the last call. */
  async hear(durationMs = 20): Promise<Heard[]> {
    await this.run(durationMs)
    return this.heard.splice(0)
  }

  /** The same for exactly one request. */
  async hearOne(durationMs = 20): Promise<Heard> {
    const [heard, ...others] = await this.hear(durationMs)
    if (heard === undefined || others.length > 0) throw new Error(`heard ${heard === undefined ? 0 : others.length + 1} things`)
    return heard
  }

  #port(id: number): ClientPort {
    const record = <T>(kind: Heard['kind'], bytes: Uint8Array, settle: Settled<T>): void => {
      this.heard.push({
        kind,
        node: id,
        bytes,
        answer: (slot, result) => settle({ slot, result: putDone(result === undefined ? 1n : 2n) } as T & Answer),
        fail: (code) => settle(new MemberError(code, 'as the test wants it')),
      })
    }
    return {
      id,
      acceptStream: () => undefined,
      closeSession: (session, _, settle) => record('close', session.token, settle),
      submit: (request, _, settle) => record('submit', request.command, settle),
      invoke: (command, _, settle) => record('invoke', command, settle),
      read: (query, _, settle) => record('read', query, settle),
    }
  }
}
