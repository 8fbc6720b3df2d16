import type { AnswerFrame, ClientHello, RequestFrame, ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { Runtime } from '../host/runtime.js'
import type { SynodError } from './synod-error.js'

/** The name of a session, from its welcome. */
export type SessionName = Pick<ServerWelcome, 'clientId' | 'token'>

/** The purpose of a stream: commands and queries in a session (undefined: a new one), or queries without a session. */
export type StreamPurpose = { readonly session: SessionName | undefined } | 'reads'

export interface StreamEvents {
  onWelcome(welcome: ServerWelcome): void
  onAnswers(frame: AnswerFrame): void
  /** Called when there is room again after `canSend` was false. */
  onDrain(): void
  /** Called once, as the last event. */
  onEnd(error: SynodError): void
}

export interface StreamOptions {
  readonly endpoint: string
  readonly purpose: StreamPurpose
  readonly events: StreamEvents
}

/** One stream to one endpoint, from the hello to its end. It transports frames and knows nothing of requests. */
export interface SessionStream {
  readonly endpoint: string
  /** False while the transport is behind and would only buffer. */
  readonly canSend: boolean
  send(frame: RequestFrame): void
  /** Lets the node finish its side; no event follows. */
  finish(): void
  /** Breaks the stream off; no event follows. */
  destroy(): void
}

/** The transport of a session: gRPC in production, a simulated network in the simulator. */
export interface SessionPort {
  /** Connects and sends the hello. Events come later, never before this returns. */
  openStream(options: StreamOptions): SessionStream
  /** Asks the cluster to forget a session. If the request is lost, the session ends by itself after long idleness. */
  closeSession(endpoint: string, session: SessionName): void
  /** Finds out why an endpoint gives no session; undefined if it serves, or the reason is unknown. Never rejects. */
  findTrouble(endpoint: string, signal: AbortSignal): Promise<string | undefined>
}

/** The environment of a session: time, chance and the network. */
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
