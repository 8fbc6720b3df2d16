import type { ServerDuplexStream } from '@grpc/grpc-js'
import { sessionViolations } from '../api/validate-session.js'
import { CloseSessionRequest, type CloseSessionResponse, type ConnectResponse } from '../gen/synod/session/v1/session.js'
import { MemberError } from '../host/api.js'
import { SharedLimit } from '../host/shared-limit.js'
import { invalidArgument, toServiceError } from './errors.js'
import { requireJoined } from './joined.js'
import type { SessionContext } from './session-context.js'
import { type ConnectStream, SessionStream } from './session-stream.js'
import type { CallContext, RawUnaryHandler, UnaryCalls } from './unary.js'

/** synod.session.v1.SessionService: the SDK's road, one stream per client. */
export class SessionStreams {
  readonly #context: SessionContext
  readonly #streamsMax: number
  readonly #open = new Set<SessionStream>()
  /** By connection. */
  readonly #clients: SharedLimit<string>
  #isDraining = false
  /** Called when the last stream has ended. */
  #onIdle: () => void = () => {}

  constructor(context: SessionContext, options: { streamsMax: number }) {
    this.#context = context
    this.#streamsMax = options.streamsMax
    this.#clients = new SharedLimit(options.streamsMax)
  }

  handlers(calls: UnaryCalls): {
    connect: (stream: ServerDuplexStream<Uint8Array, ConnectResponse>) => void
    closeSession: RawUnaryHandler<CloseSessionResponse>
  } {
    return {
      connect: (stream) => this.#onConnect(stream),
      closeSession: calls.handler(CloseSessionRequest, (request, context) => this.#close(request, context)),
    }
  }

  /** Ends every stream when what is in flight on it has been answered, and takes no new ones. Resolves when none is left. */
  drain(): Promise<void> {
    return new Promise((resolve) => {
      this.#isDraining = true
      this.#onIdle = resolve
      for (const stream of this.#open) stream.finish(new MemberError('STOPPED', 'this node is stopping; go on with another'))
      if (this.#open.size === 0) resolve()
    })
  }

  /** @throws CallError when it names no session; MemberError */
  async #close(session: CloseSessionRequest, context: CallContext): Promise<CloseSessionResponse> {
    const violations = sessionViolations(session)
    if (violations.length > 0) throw invalidArgument(violations)
    const { member, operations } = this.#context
    requireJoined(member, { mayWait: true })
    const { closed, slot } = await member.closeSession(session, context)
    return { header: operations.header(slot), closed }
  }

  #onConnect(stream: ConnectStream): void {
    try {
      this.#checkAdmission(stream.getPeer())
    } catch (error) {
      stream.emit('error', toServiceError(error, this.#context.member.status().nodeId))
      return
    }
    const client = stream.getPeer()
    this.#clients.add(client)
    const session = new SessionStream(stream, this.#context, () => {
      this.#open.delete(session)
      this.#clients.remove(client)
      if (this.#open.size === 0) this.#onIdle()
    })
    this.#open.add(session)
  }

  /** @throws MemberError */
  #checkAdmission(client: string): void {
    if (this.#isDraining) throw new MemberError('STOPPED', 'this node is stopping; ask another')
    if (!this.#clients.hasRoom(client)) {
      throw new MemberError(
        'OVERLOADED',
        `this node has ${this.#streamsMax} sessions at a time, which its clients share; try again later`,
      )
    }
    requireJoined(this.#context.member, { mayWait: true })
  }
}
