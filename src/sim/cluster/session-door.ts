import { Query, Result } from '../../gen/synod/session/v1/session.js'
import { MemberError } from '../../host/api.js'
import type { HostedMember } from '../../host/hosted-member.js'
import type { StateMachine } from '../../replication/state-machine.js'
import { requireJoined } from '../../server/joined.js'
import { type LocalReads, Operations } from '../../server/operation-calls.js'
import type { SessionContext } from '../../server/session-context.js'
import { SessionDialogue } from '../../server/session-dialogue.js'
import { UntakenAnswers } from '../../server/untaken-answers.js'
import type { NodeEnd, StreamOutlet } from './client-port.js'
import type { SimulatedRuntime } from './simulated-runtime.js'

interface Settings {
  readonly machine: StateMachine
  readonly runtime: SimulatedRuntime
  /** Passes an input to the process, as soon as it is awake. */
  readonly input: (run: (member: HostedMember) => void) => void
  /** Called with an error that no part has foreseen. */
  readonly onUnforeseen: (error: unknown) => void
}

/** The session streams of a simulated node: does what the server's gRPC end of a stream does. */
export class SessionDoor {
  readonly #settings: Settings
  readonly #dialogues = new Set<SessionDialogue>()
  #context: SessionContext | undefined

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Accepts a client's stream. */
  accept(outlet: StreamOutlet): NodeEnd {
    let dialogue: SessionDialogue | undefined
    this.#settings.runtime.whenOver(() => outlet.onDied())
    return {
      input: (run) =>
        this.#settings.input((member) => {
          dialogue ??= this.#begin(member, outlet)
          if (dialogue !== undefined) run(dialogue)
        }),
    }
  }

  /** Ends every stream once what is in flight on it has been answered. */
  finish(): void {
    for (const dialogue of this.#dialogues)
      dialogue.finish(new MemberError('STOPPED', 'this node is stopping; go on with another'))
  }

  #begin(member: HostedMember, outlet: StreamOutlet): SessionDialogue | undefined {
    try {
      requireJoined(member, { mayWait: true })
    } catch (error) {
      outlet.fail(error)
      return undefined
    }
    this.#context ??= this.#makeContext(member)
    const dialogue = new SessionDialogue(outlet, this.#context, () => this.#dialogues.delete(dialogue))
    this.#dialogues.add(dialogue)
    return dialogue
  }

  #makeContext(member: HostedMember): SessionContext {
    const { machine, runtime, onUnforeseen } = this.#settings
    const reads: LocalReads = { read: (query) => Result.decode(machine.query(Query.encode(query).finish())) }
    return {
      member,
      machine: reads,
      operations: new Operations(member, reads),
      logger: { error: (told: { err: unknown }) => onUnforeseen(told.err) },
      untaken: new UntakenAnswers(),
      runtime,
    }
  }
}
