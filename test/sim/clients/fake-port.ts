import { Result } from '../../../src/gen/synod/session/v1/session.js'
import { type Answer, MemberError, type MemberErrorCode, type SessionRequest } from '../../../src/host/api.js'
import type { SessionName } from '../../../src/replication/session-table.js'
import { Caller, type ClientTrouble } from '../../../src/sim/clients/caller.js'
import { type ClientHabits, QUIET_HABITS } from '../../../src/sim/clients/habits.js'
import type { ClientPort, Settled } from '../../../src/sim/cluster/client-port.js'
import { Scheduler } from '../../../src/sim/cluster/scheduler.js'
import { History } from '../../../src/sim/history/history.js'
import { Random } from '../../../src/sim/random.js'
import { EventTrace } from '../../../src/sim/trace/event-trace.js'
import { TOKEN } from '../../support/token.js'

/** What a node was asked, and how to answer it. */
export interface Heard {
  readonly kind: 'open' | 'close' | 'submit' | 'invoke' | 'read'
  readonly node: number
  readonly bytes: Uint8Array
  /** Of a submit. */
  readonly request: Pick<SessionRequest, 'clientId' | 'requestNumber' | 'firstUnacknowledged'> | undefined
  answer(slot: number, result?: Result): void
  opened(clientId: number): void
  fail(code: MemberErrorCode): void
}

const PUT_DONE = Result.fromPartial({ outcome: { $case: 'put', value: { revision: 1n } } })

/** A caller whose nodes say only what a test has them say. */
export class FakeNodes {
  readonly heard: Heard[] = []
  readonly scheduler = new Scheduler()
  readonly history = new History()
  readonly troubles: ClientTrouble[] = []
  readonly caller: Caller
  readyCount = 0

  constructor({ hasSession = true, habits = {} }: { hasSession?: boolean; habits?: Partial<ClientHabits> } = {}) {
    this.caller = new Caller(
      {
        name: 'client1',
        habits: { ...QUIET_HABITS, ...habits },
        hasSession,
        ports: [1, 2, 3].map((id) => this.#port(id)),
        history: this.history,
        random: new Random(1),
        scheduler: this.scheduler,
        trace: new EventTrace({ clock: this.scheduler }),
        count: (trouble) => this.troubles.push(trouble),
      },
      () => this.readyCount++,
    )
    this.caller.start()
  }

  run(durationMs: number): void {
    const untilMs = this.scheduler.nowMs + durationMs
    while (this.scheduler.step(untilMs));
  }

  /** Lets what is on its way arrive, and gives what has been heard since the last time. */
  hear(durationMs = 20): Heard[] {
    this.run(durationMs)
    return this.heard.splice(0)
  }

  /** The same, when it must be one. */
  hearOne(durationMs = 20): Heard {
    const [heard, ...others] = this.hear(durationMs)
    if (heard === undefined || others.length > 0) throw new Error(`heard ${heard === undefined ? 0 : others.length + 1} things`)
    return heard
  }

  #port(id: number): ClientPort {
    const record = <T>(kind: Heard['kind'], bytes: Uint8Array, settle: Settled<T>, request?: SessionRequest): void => {
      this.heard.push({
        kind,
        node: id,
        bytes,
        request,
        answer: (slot, result = PUT_DONE) => settle({ slot, result: Result.encode(result).finish() } as T & Answer),
        opened: (clientId) => settle({ clientId, token: TOKEN } as T & SessionName),
        fail: (code) => settle(new MemberError(code, 'as the test wants it')),
      })
    }
    return {
      id,
      openSession: (_, settle) => record('open', new Uint8Array(0), settle),
      closeSession: (session, _, settle) => record('close', session.token, settle),
      submit: (request, _, settle) => record('submit', request.command, settle, request),
      invoke: (command, _, settle) => record('invoke', command, settle),
      read: (query, _, settle) => record('read', query, settle),
    }
  }
}
