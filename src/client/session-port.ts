import type { AnswerFrame, ClientHello, RequestFrame, ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { Runtime } from '../host/runtime.js'
import type { SynodError } from './errors.js'

/** Names a session, as the welcome told it. */
export type SessionName = Pick<ServerWelcome, 'clientId' | 'token'>

/** What a stream is for: commands and queries under a session's name (undefined: a new session), or queries without a session. */
export type StreamPurpose = { readonly session: SessionName | undefined } | 'reads'

export interface StreamEvents {
  onWelcome(welcome: ServerWelcome): void
  onAnswers(frame: AnswerFrame): void
  /** There is room again after `canSend` was false. */
  onDrain(): void
  /** Called once, and nothing after it. */
  onEnd(error: SynodError): void
}

export interface StreamOptions {
  readonly endpoint: string
  readonly purpose: StreamPurpose
  readonly events: StreamEvents
}

/** One stream to one endpoint, from the hello to its end. It knows frames, not requests. */
export interface SessionStream {
  readonly endpoint: string
  /** False while the transport is behind: what is sent then would only pile up. */
  readonly canSend: boolean
  send(frame: RequestFrame): void
  /** Lets the node finish its side; no event follows. */
  finish(): void
  /** Breaks the stream off; no event follows. */
  destroy(): void
}

/** A session's way to the nodes: gRPC in production, a simulated network in the simulator. */
export interface SessionPort {
  /** Connects and sends the hello. Events come later, never before this returns. */
  openStream(options: StreamOptions): SessionStream
  /** Has the cluster forget a session that nobody will go on with. Not answered: the session ends by itself when it is idle long enough. */
  closeSession(endpoint: string, session: SessionName): void
  /** Finds out why an endpoint gives no session; undefined if it does serve, or nobody knows. Never rejects. */
  findTrouble(endpoint: string, signal: AbortSignal): Promise<string | undefined>
}

/** Time, chance and the network, as a session sees them. */
export interface SessionWorld {
  readonly runtime: Pick<Runtime, 'nowMs' | 'random' | 'defer' | 'after' | 'every'>
  readonly port: SessionPort
}

const NEW_SESSION: SessionName = Object.freeze({ clientId: 0, token: new Uint8Array(0) })

/** The first frame of a stream. */
export function helloOf(purpose: StreamPurpose): ClientHello {
  if (purpose === 'reads') return { ...NEW_SESSION, readsOnly: true }
  return { ...(purpose.session ?? NEW_SESSION), readsOnly: false }
}
