import type { Answer, MemberError, SessionRequest } from '../../host/api.js'
import type { NodeId } from '../../paxos/types.js'
import type { SessionName } from '../../replication/session-table.js'
import type { SessionDialogue, SessionOutlet } from '../../server/session-dialogue.js'

/** Called with the outcome of a request. */
export type Settled<T> = (outcome: T | MemberError) => void

/** A stream as seen from the node's process. */
export interface StreamOutlet extends SessionOutlet {
  /** Called when the process has died. */
  onDied(): void
}

/** The node's end of a stream. */
export interface NodeEnd {
  /** Passes an input to the process as soon as it is awake; never, if it is dead by then. */
  input(run: (dialogue: SessionDialogue) => void): void
}

/** The interface of a simulated node for clients. A node that is down loses requests; `settle` is called at most once. */
export interface ClientPort {
  readonly id: NodeId
  /** Begins a session stream, as the SDK does. Returns undefined while the node does not listen. */
  acceptStream(outlet: StreamOutlet): NodeEnd | undefined
  closeSession(session: SessionName, timeoutMs: number, settle: Settled<boolean>): void
  /** Submits a command in a session, outside of any stream. */
  submit(request: SessionRequest, timeoutMs: number, settle: Settled<Answer>): void
  /** Carries out a bare unary call, in the node's own session. */
  invoke(command: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void
  /** Reads linearizably: waits for a read index, then queries the local state. */
  read(query: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void
}
