import type { Answer, MemberError, SessionRequest } from '../../host/api.js'
import type { NodeId } from '../../paxos/types.js'
import type { SessionName } from '../../replication/session-table.js'

/** What became of a request. */
export type Settled<T> = (outcome: T | MemberError) => void

/** What a simulated node offers its clients. A node that is down loses what it is asked; `settle` is called once at most. */
export interface ClientPort {
  readonly id: NodeId
  openSession(timeoutMs: number, settle: Settled<SessionName>): void
  closeSession(session: SessionName, timeoutMs: number, settle: Settled<boolean>): void
  /** In the client's own session, as the SDK does it. */
  submit(request: SessionRequest, timeoutMs: number, settle: Settled<Answer>): void
  /** In the node's session, as a bare unary call is carried out. */
  invoke(command: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void
  /** Waits for a read index, then queries the local state: linearizable. */
  read(query: Uint8Array, timeoutMs: number, settle: Settled<Answer>): void
}
