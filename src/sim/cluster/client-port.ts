import type { Answer, MemberError, SessionRequest } from '../../host/api.js'
import type { NodeId } from '../../paxos/types.js'
import type { SessionName } from '../../replication/session-table.js'
import type { SessionDialogue, SessionOutlet } from '../../server/session-dialogue.js'

/** Called with the outcome of a request. */
export type Settled<T> = (outcome: T | MemberError) => void

/** A stream as the node's process sees it. */
export interface StreamOutlet extends SessionOutlet {
  /** Called when the process has died. */
  onDied(): void
}

/** The node's end of a stream. */
export interface NodeEnd {
  /** Something reaches the process, when it can take it; never, if it is dead by then. */
  input(run: (dialogue: SessionDialogue) => void): void
}

/** The doors of a simulated node for clients. A node that is down loses requests; `settle` is called once at most. */
export interface ClientPort {
  readonly id: NodeId
  /** Begins a session stream, as the SDK does it. Undefined while nobody listens. */
  acceptStream(outlet: StreamOutlet): NodeEnd | undefined
  closeSession(session: SessionName, timeoutMs: number, settle: Settled<boolean>): void
  /** Submits a command in a session, outside of any stream. */
  submit(request: SessionRequest, timeoutMs: number, settle: Settled<Answer>): void
  /** Carries a bare unary call out, in the node's session. */
  invoke(command: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void
  /** Waits for a read index, then asks the local state: linearizable. */
  read(query: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void
}
