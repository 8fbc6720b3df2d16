import { objectionToUnknown } from '../api/validate.js'
import { sessionViolations } from '../api/validate-session.js'
import type { Objection } from '../api/violations.js'
import { encode } from '../encoding/encode.js'
import {
  type Answer,
  type ClientHello,
  ConnectRequest,
  type Request,
  type RequestFrame,
  Result,
} from '../gen/synod/session/v1/session.js'
import { MemberError, type WaitOptions } from '../host/api.js'
import type { SessionName } from '../replication/session-table.js'
import { AnswerWriter, type FrameOutlet } from './answer-writer.js'
import { DEFAULT_TIMEOUT_MS } from './call-context.js'
import { invalidArgument, isForeseen, objected, toRefusal } from './call-error.js'
import { type NumberedQuery, QueryRunner } from './query-runner.js'
import type { SessionContext } from './session-context.js'
import { checkCommand, decodeStrictly } from './strict-decode.js'

/** A client sends no more in one frame. */
const FRAME_REQUESTS_MAX = 8_192
/**
 * Past either, the stream is not read until enough has been answered. The frame that crosses the line is still taken whole, and
 * grpc-js reads up to 16 frames ahead before the client feels it.
 */
const IN_FLIGHT_MAX = 2_048
const HELD_BYTES_MAX = 16 * 1_024 * 1_024

const NO_SESSION: SessionName = Object.freeze({ clientId: 0, token: new Uint8Array(0) })

/** The transport of one client's stream: gRPC in production, a simulated network in the simulator. */
export interface SessionOutlet extends FrameOutlet {
  /** Reads no further frames for now. */
  pause(): void
  resume(): void
  /** Ends the stream after what has been written. */
  end(): void
  /** Ends it with an error, after what has been written. */
  fail(error: unknown): void
}

/**
 * The node's half of one client's stream: a request is in flight from the frame that brought it until its answer is handed to the
 * transport; what is answered within one turn of the event loop leaves together. No promise is made per command.
 */
export class SessionDialogue {
  readonly #outlet: SessionOutlet
  readonly #context: SessionContext
  readonly #onEnded: () => void
  readonly #writer: AnswerWriter
  /** Aborted when the stream has ended: nobody would hear of what is still waiting then. */
  readonly #liveness = { aborted: false }
  readonly #wait: WaitOptions = { timeoutMs: DEFAULT_TIMEOUT_MS, signal: this.#liveness }
  readonly #queries: QueryRunner
  #phase: 'hello' | 'opening' | 'open' | 'finishing' | 'ended' = 'hello'
  /** The error that ends the stream when the node finishes it. */
  #endError: MemberError | undefined
  #session: SessionName = NO_SESSION
  /** Total size of the commands that the member holds. */
  #commandBytes = 0
  #isTurnScheduled = false
  readonly #onTurn = (): void => this.#turn()

  /** `onEnded` is called once, when nothing is in flight any more and the stream is ended or broken. */
  constructor(outlet: SessionOutlet, context: SessionContext, onEnded: () => void) {
    this.#outlet = outlet
    this.#context = context
    this.#onEnded = onEnded
    this.#writer = new AnswerWriter(outlet, context.untaken, () => this.#scheduleTurn())
    this.#queries = new QueryRunner(context, this.#writer, this.#wait, {
      onResult: (requestNumber, slot, result) => this.#answer({ requestNumber, query: true, slot, result }),
      onRefused: (requestNumber, error) => this.#refuse(requestNumber, true, error),
      onReady: () => this.#scheduleTurn(),
      onReadable: () => this.#turn(),
    })
  }

  /** Reads no more, answers what is in flight, then ends the stream: with `error`, or as if all had been said. */
  finish(error?: MemberError): void {
    if (this.#phase === 'ended') return
    this.#phase = 'finishing'
    this.#endError ??= error
    this.#outlet.pause()
    this.#scheduleTurn()
  }

  /** The transport takes frames again. */
  onDrain(): void {
    this.#writer.onDrain()
  }

  /** The client has gone, or the way to it. */
  onBroken(): void {
    this.#becomeEnded()
  }

  /** A frame of the client's, encoded. */
  onFrame(bytes: Uint8Array): void {
    if (this.#phase === 'finishing' || this.#phase === 'ended') return
    try {
      const { frame } = decodeStrictly(ConnectRequest, bytes)
      const unknown = objectionToUnknown('synod.session.v1.ConnectRequest', bytes, this.#context.member.level)
      switch (frame?.$case) {
        case 'hello':
          if (unknown !== undefined) throw objected(unknown)
          return this.#onHello(frame.value)
        case 'requests':
          return this.#onRequests(frame.value, unknown)
        case undefined:
          throw invalidArgument([{ field: 'frame', description: 'must be a hello or requests' }])
      }
    } catch (error) {
      this.#fail(error)
    }
  }

  #becomeEnded(): void {
    if (this.#phase === 'ended') return
    this.#phase = 'ended'
    this.#liveness.aborted = true
    this.#writer.close()
    this.#queries.clear()
    this.#onEnded()
  }

  /** Ends the stream of a client that breaks the protocol, or that cannot be given a session. */
  #fail(error: unknown): void {
    if (this.#phase === 'ended') return
    this.#endWith(error)
  }

  #endWith(error: unknown): void {
    this.#outlet.fail(error)
    this.#becomeEnded()
  }

  #onHello({ clientId, token, readsOnly }: ClientHello): void {
    if (this.#phase !== 'hello') throw invalidArgument([{ field: 'hello', description: 'must come first and only once' }])
    const violations = sessionViolations({ clientId, token }, { mayBeNew: true })
    if (violations.length > 0) throw invalidArgument(violations.map((v) => ({ ...v, field: `hello.${v.field}` })))
    if (readsOnly && clientId !== 0) {
      throw invalidArgument([{ field: 'hello.reads_only', description: 'must be false where a session is gone on with' }])
    }
    this.#phase = 'opening'
    if (readsOnly) return this.#becomeOpen(NO_SESSION)
    if (clientId !== 0) return this.#becomeOpen({ clientId, token })
    this.#outlet.pause()
    void this.#openSession()
  }

  async #openSession(): Promise<void> {
    try {
      this.#becomeOpen(await this.#context.member.openSession(this.#wait))
    } catch (error) {
      this.#fail(error)
    }
  }

  #becomeOpen(session: SessionName): void {
    if (this.#phase !== 'opening') return
    this.#phase = 'open'
    this.#session = session
    const { genesis, leaderId } = this.#context.member.status()
    const leader = genesis?.members.find((member) => member.nodeId === leaderId)
    const { clusterId, nodeId } = this.#context.operations.header(0)
    this.#writer.write({
      frame: { $case: 'welcome', value: { ...session, clusterId, nodeId, leaderAddress: leader?.clientAddress ?? '' } },
    })
    this.#balanceReading()
  }

  #onRequests({ firstUnacknowledged, requests }: RequestFrame, unknown: Objection | undefined): void {
    if (this.#phase !== 'open') throw invalidArgument([{ field: 'frame', description: 'the first must be a hello' }])
    if (requests.length > FRAME_REQUESTS_MAX) {
      throw invalidArgument([{ field: 'requests', description: `must be at most ${FRAME_REQUESTS_MAX} a frame` }])
    }
    const linearizable: NumberedQuery[] = []
    for (const request of requests) {
      this.#writer.owe()
      try {
        if (unknown !== undefined) throw objected(unknown)
        this.#onRequest(request, Math.max(firstUnacknowledged, 1), linearizable)
      } catch (error) {
        this.#refuse(request.requestNumber, request.body?.$case === 'query', error)
      }
    }
    if (linearizable.length > 0) void this.#queries.readLinearizably(linearizable)
    this.#balanceReading()
  }

  /** @throws CallError, MemberError for a request that is not even tried. */
  #onRequest(request: Request, firstUnacknowledged: number, linearizable: NumberedQuery[]): void {
    const { requestNumber, body } = request
    switch (body?.$case) {
      case 'command':
        return this.#onCommand(requestNumber, firstUnacknowledged, body.value)
      case 'query':
        return this.#queries.add({ requestNumber, query: body.value }, linearizable)
      case undefined:
        throw invalidArgument([{ field: 'body', description: 'must be a command or a query' }])
    }
  }

  #onCommand(requestNumber: number, firstUnacknowledged: number, command: Uint8Array): void {
    if (this.#session === NO_SESSION) {
      throw invalidArgument([{ field: 'hello.reads_only', description: 'must be false for a client that has commands' }])
    }
    if (requestNumber === 0) throw invalidArgument([{ field: 'request_number', description: 'must be at least 1' }])
    if (requestNumber < firstUnacknowledged) {
      throw new MemberError('ALREADY_ACKNOWLEDGED', `the answer to ${requestNumber} was acknowledged, and is forgotten`)
    }
    checkCommand(command, this.#context.member.level)
    this.#commandBytes += command.length
    const { clientId, token } = this.#session
    const request = { clientId, token, requestNumber, firstUnacknowledged, command }
    this.#context.member.submit(request, this.#wait, (answer) => {
      this.#commandBytes -= command.length
      if (answer instanceof MemberError) this.#refuse(requestNumber, false, answer)
      else this.#answer({ requestNumber, query: false, slot: answer.slot, result: answer.result })
    })
  }

  #refuse(requestNumber: number, query: boolean, error: unknown): void {
    if (!isForeseen(error)) this.#context.logger.error({ err: error }, 'a request failed unexpectedly')
    const result = encode(Result, { slot: 0, outcome: { $case: 'refusal', value: toRefusal(error) } })
    this.#answer({ requestNumber, query, slot: 0, result })
  }

  #answer(answer: Answer): void {
    if (this.#phase === 'ended') return
    this.#writer.add(answer)
    this.#scheduleTurn()
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return
    this.#isTurnScheduled = true
    this.#context.runtime.defer(this.#onTurn)
  }

  /** Once per turn of the event loop at most: runs queries, writes what has been answered, goes on reading or ends. */
  #turn(): void {
    this.#isTurnScheduled = false
    if (this.#phase === 'ended') return
    this.#queries.run()
    this.#writer.flush()
    if (this.#queries.hasReady && this.#writer.isWritable) this.#scheduleTurn()
    if (this.#phase === 'finishing' && this.#writer.owedCount === 0) this.#endFinished()
    else this.#balanceReading()
  }

  #endFinished(): void {
    if (this.#endError !== undefined) return this.#endWith(this.#endError)
    this.#outlet.end()
    this.#becomeEnded()
  }

  #balanceReading(): void {
    if (this.#phase !== 'open') return
    const { owedCount, waitingBytes } = this.#writer
    if (owedCount >= IN_FLIGHT_MAX || this.#commandBytes + waitingBytes >= HELD_BYTES_MAX) this.#outlet.pause()
    else this.#outlet.resume()
  }
}
