import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { validateCommand, validateQuery } from '../api/validate.js'
import { sessionViolations } from '../api/validate-session.js'
import { encode } from '../encoding/encode.js'
import { Consistency } from '../gen/synod/common/v1/common.js'
import {
  type Answer,
  type ClientHello,
  Command,
  ConnectRequest,
  type ConnectResponse,
  type Query,
  type Request,
  type RequestFrame,
  Result,
} from '../gen/synod/session/v1/session.js'
import { type MemberApi, MemberError } from '../host/api.js'
import type { Slot } from '../paxos/types.js'
import type { SessionName } from '../replication/session-table.js'
import { ANSWER_FRAME_BYTES, AnswerBuffer } from './answer-buffer.js'
import { invalidArgument, isForeseen, toRefusal, toServiceError } from './errors.js'
import { requireJoined } from './joined.js'
import type { LocalReads, Operations } from './operations.js'
import { decodeCommandStrictly, decodeStrictly } from './strict-decode.js'
import { DEFAULT_TIMEOUT_MS } from './unary.js'
import type { UntakenAnswers } from './untaken-answers.js'

/** A client sends no more in one frame. */
const FRAME_REQUESTS_MAX = 8_192
/**
 * Past either, the stream is not read until enough has been answered. The frame that crosses the line is still taken whole, and
 * grpc-js reads up to 16 frames ahead before the client feels it.
 */
const IN_FLIGHT_MAX = 2_048
const HELD_BYTES_MAX = 16 * 1_024 * 1_024
/** Nor is more than this written and not taken by the client. */
const UNTAKEN_BYTES_MAX = 4 * 1_024 * 1_024
/** Queries run for about this long in one turn of the event loop: heartbeats must not wait for a frame full of listings. */
const QUERY_SLICE_MS = 10

const NO_SESSION: SessionName = Object.freeze({ clientId: 0, token: new Uint8Array(0) })

export type ConnectStream = ServerDuplexStream<Uint8Array, ConnectResponse>

export interface SessionContext {
  readonly member: MemberApi
  readonly machine: LocalReads
  readonly operations: Operations
  readonly logger: Logger
  readonly untaken: UntakenAnswers
}

/** A query that may be answered from the state as it stands. */
interface ReadyQuery {
  readonly requestNumber: number
  readonly query: Query
}

/**
 * One client's stream. A request is in flight from the frame that brought it until its answer is handed to the transport; what is
 * answered within one turn of the event loop leaves together. No promise is made per command.
 */
export class SessionStream {
  readonly #stream: ConnectStream
  /** The connection, which several streams may share. */
  readonly #client: string
  readonly #context: SessionContext
  readonly #onEnded: () => void
  #phase: 'hello' | 'opening' | 'open' | 'finishing' | 'ended' = 'hello'
  /** What the stream ends with when it is finished by us and not by the client. */
  #endError: MemberError | undefined
  #session: SessionName = NO_SESSION
  #inFlightCount = 0
  /** Of the commands that the member holds. */
  #commandBytes = 0
  readonly #answers = new AnswerBuffer()
  /** First in, first out; those before nextQuery have run. */
  #readyQueries: ReadyQuery[] = []
  #nextQuery = 0
  /** False from the write that fills the transport's buffer, which counts frames, until it has drained. */
  #isDrained = true
  /** Of answers in the transport's buffer. */
  #untakenBytes = 0
  #isTurnScheduled = false
  /** For the end of the slot that is being applied: queries wait. */
  #isWaitingToRead = false
  readonly #onTurn = (): void => this.#turn()

  /** Takes the stream over. `onEnded` is called once, when nothing is in flight any more and the stream is ended or broken. */
  constructor(stream: ConnectStream, context: SessionContext, onEnded: () => void) {
    this.#stream = stream
    this.#client = stream.getPeer()
    this.#context = context
    this.#onEnded = onEnded
    stream.on('data', (bytes: Uint8Array) => this.#onFrame(bytes))
    stream.on('end', () => this.finish())
    stream.on('drain', () => {
      this.#isDrained = true
      this.#scheduleTurn()
    })
    stream.on('cancelled', () => this.#becomeEnded())
    stream.on('error', () => this.#becomeEnded())
  }

  /** Reads no more, answers what is in flight, then ends the stream: with `error`, or as if all had been said. */
  finish(error?: MemberError): void {
    if (this.#phase === 'ended') return
    this.#phase = 'finishing'
    this.#endError ??= error
    this.#stream.pause()
    this.#scheduleTurn()
  }

  #becomeEnded(): void {
    if (this.#phase === 'ended') return
    this.#onTaken(this.#untakenBytes)
    this.#phase = 'ended'
    this.#answers.clear()
    this.#readyQueries = []
    this.#onEnded()
  }

  /** For a client that breaks the protocol, or that cannot be given a session. */
  #fail(error: unknown): void {
    if (this.#phase === 'ended') return
    if (!isForeseen(error)) this.#context.logger.error({ err: error }, 'a session stream failed unexpectedly')
    this.#endWith(error)
  }

  #endWith(error: unknown): void {
    // grpc-js makes an emitted error the stream's status, after what has been written. Our own listener ends the rest.
    this.#stream.emit('error', toServiceError(error, this.#context.member.status().nodeId))
  }

  #onFrame(bytes: Uint8Array): void {
    if (this.#phase === 'finishing' || this.#phase === 'ended') return
    try {
      const { frame } = decodeStrictly(ConnectRequest, bytes)
      switch (frame?.$case) {
        case 'hello':
          return this.#onHello(frame.value)
        case 'requests':
          return this.#onRequests(frame.value)
        case undefined:
          throw invalidArgument([{ field: 'frame', description: 'must be a hello or requests' }])
      }
    } catch (error) {
      this.#fail(error)
    }
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
    this.#stream.pause()
    void this.#openSession()
  }

  async #openSession(): Promise<void> {
    try {
      this.#becomeOpen(await this.#context.member.openSession({ timeoutMs: DEFAULT_TIMEOUT_MS }))
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
    this.#write({
      frame: { $case: 'welcome', value: { ...session, clusterId, nodeId, leaderAddress: leader?.clientAddress ?? '' } },
    })
    this.#balanceReading()
  }

  #onRequests({ firstUnacknowledged, requests }: RequestFrame): void {
    if (this.#phase !== 'open') throw invalidArgument([{ field: 'frame', description: 'the first must be a hello' }])
    if (requests.length > FRAME_REQUESTS_MAX) {
      throw invalidArgument([{ field: 'requests', description: `must be at most ${FRAME_REQUESTS_MAX} a frame` }])
    }
    const linearizable: ReadyQuery[] = []
    for (const request of requests) {
      this.#inFlightCount++
      try {
        this.#onRequest(request, Math.max(firstUnacknowledged, 1), linearizable)
      } catch (error) {
        this.#refuse(request.requestNumber, request.body?.$case === 'query', error)
      }
    }
    if (linearizable.length > 0) void this.#runLinearizable(linearizable)
    this.#balanceReading()
  }

  /** @throws CallError, MemberError for a request that is not even tried. */
  #onRequest(request: Request, firstUnacknowledged: number, linearizable: ReadyQuery[]): void {
    const { requestNumber, body } = request
    switch (body?.$case) {
      case 'command':
        return this.#onCommand(requestNumber, firstUnacknowledged, body.value)
      case 'query':
        return this.#onQuery({ requestNumber, query: body.value }, linearizable)
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
    const violations = validateCommand(decodeCommandStrictly(command))
    if (violations.length > 0) throw invalidArgument(violations)
    this.#commandBytes += command.length
    const { clientId, token } = this.#session
    const request = { clientId, token, requestNumber, firstUnacknowledged, command }
    this.#context.member.submit(request, DEFAULT_TIMEOUT_MS, (answer) => {
      this.#commandBytes -= command.length
      if (answer instanceof MemberError) this.#refuse(requestNumber, false, answer)
      else this.#answer({ requestNumber, query: false, slot: answer.slot, result: answer.result })
    })
  }

  #onQuery(ready: ReadyQuery, linearizable: ReadyQuery[]): void {
    const violations = validateQuery(ready.query)
    if (violations.length > 0) throw invalidArgument(violations)
    const consistency = ready.query.query?.value.consistency
    if (consistency === Consistency.LOG) {
      void this.#runThroughLog(ready)
    } else if (consistency === Consistency.STALE) {
      requireJoined(this.#context.member)
      this.#readyQueries.push(ready)
      this.#scheduleTurn()
    } else {
      linearizable.push(ready)
    }
  }

  async #runThroughLog({ requestNumber, query }: ReadyQuery): Promise<void> {
    const command = encode(Command, { operation: { $case: 'query', value: query } })
    try {
      const { slot, result } = await this.#context.member.invoke(command, { timeoutMs: DEFAULT_TIMEOUT_MS })
      this.#answer({ requestNumber, query: true, slot, result })
    } catch (error) {
      this.#refuse(requestNumber, true, error)
    }
  }

  /** One read index serves all queries of a frame. */
  async #runLinearizable(queries: readonly ReadyQuery[]): Promise<void> {
    try {
      await this.#context.member.readIndex({ timeoutMs: DEFAULT_TIMEOUT_MS })
    } catch (error) {
      for (const { requestNumber } of queries) this.#refuse(requestNumber, true, error)
      return
    }
    for (const ready of queries) this.#readyQueries.push(ready)
    this.#scheduleTurn()
  }

  #refuse(requestNumber: number, query: boolean, error: unknown): void {
    if (!isForeseen(error)) this.#context.logger.error({ err: error }, 'a request failed unexpectedly')
    const result = encode(Result, { slot: 0, outcome: { $case: 'refusal', value: toRefusal(error) } })
    this.#answer({ requestNumber, query, slot: 0, result })
  }

  #answer(answer: Answer): void {
    if (this.#phase === 'ended') return
    this.#answers.push(answer)
    this.#scheduleTurn()
  }

  #scheduleTurn(): void {
    if (this.#isTurnScheduled) return
    this.#isTurnScheduled = true
    setImmediate(this.#onTurn)
  }

  /** Once per turn of the event loop at most: runs queries, writes what has been answered, goes on reading or ends. */
  #turn(): void {
    this.#isTurnScheduled = false
    if (this.#phase === 'ended') return
    this.#runQueries()
    this.#writeAnswers()
    if (this.#nextQuery < this.#readyQueries.length && this.#isWritable) this.#scheduleTurn()
    if (this.#phase === 'finishing' && this.#inFlightCount === 0) this.#endFinished()
    else this.#balanceReading()
  }

  #endFinished(): void {
    if (this.#endError !== undefined) return this.#endWith(this.#endError)
    this.#stream.end()
    this.#becomeEnded()
  }

  /** Each answer is written before the next few are made: results that nobody takes yet are not computed. */
  #runQueries(): void {
    if (this.#nextQuery === this.#readyQueries.length) return
    if (!this.#context.member.isReadable) {
      void this.#waitToRead()
      return
    }
    if (this.#isWritable && !this.#context.untaken.hasRoom(this.#client))
      return this.#refuseQueries(this.#context.untaken.refusal)
    const slot = this.#context.member.status().appliedUpTo
    const untilMs = performance.now() + QUERY_SLICE_MS
    let unwrittenBytes = 0
    while (this.#isWritable && performance.now() < untilMs) {
      const ready = this.#readyQueries[this.#nextQuery]
      if (ready === undefined) break
      this.#nextQuery++
      unwrittenBytes += this.#runQuery(ready, slot)
      if (unwrittenBytes < ANSWER_FRAME_BYTES) continue
      unwrittenBytes = 0
      this.#writeAnswers()
    }
    if (this.#nextQuery < this.#readyQueries.length) return
    this.#readyQueries = []
    this.#nextQuery = 0
  }

  /** In the turn in which the slot ends: in the next one another may have been begun. */
  async #waitToRead(): Promise<void> {
    if (this.#isWaitingToRead) return
    this.#isWaitingToRead = true
    try {
      await this.#context.member.untilReadable({ timeoutMs: DEFAULT_TIMEOUT_MS })
    } catch (error) {
      this.#refuseQueries(error)
    }
    this.#isWaitingToRead = false
    this.#turn()
  }

  #refuseQueries(error: unknown): void {
    for (const { requestNumber } of this.#readyQueries.slice(this.#nextQuery)) this.#refuse(requestNumber, true, error)
    this.#readyQueries = []
    this.#nextQuery = 0
  }

  /** Gives the size of the result. */
  #runQuery({ requestNumber, query }: ReadyQuery, slot: Slot): number {
    try {
      const result = this.#context.member.reading(() => encode(Result, this.#context.machine.read(query)))
      this.#answer({ requestNumber, query: true, slot, result })
      return result.length
    } catch (error) {
      this.#refuse(requestNumber, true, error)
      return 0
    }
  }

  #writeAnswers(): void {
    while (this.#isWritable && this.#answers.bytes > 0) {
      const bytesBefore = this.#answers.bytes
      const answers = this.#answers.takeFrame()
      this.#inFlightCount -= answers.length
      this.#write({ frame: { $case: 'answers', value: { answers } } }, bytesBefore - this.#answers.bytes)
    }
  }

  /** `bytes`: of the answers in it. */
  #write(response: ConnectResponse, bytes = 0): void {
    this.#untakenBytes += bytes
    this.#context.untaken.add(this.#client, bytes)
    this.#isDrained = this.#stream.write(response, () => this.#onTaken(bytes))
  }

  /** The client makes room for more. */
  #onTaken(bytes: number): void {
    if (this.#phase === 'ended') return
    const wasWritable = this.#isWritable
    this.#untakenBytes -= bytes
    this.#context.untaken.remove(this.#client, bytes)
    if (!wasWritable && this.#isWritable) this.#scheduleTurn()
  }

  /** What it waits for is its own client: only then is it told when it may go on. */
  get #isWritable(): boolean {
    if (!this.#isDrained || this.#untakenBytes >= UNTAKEN_BYTES_MAX) return false
    return this.#untakenBytes === 0 || this.#context.untaken.hasRoom(this.#client)
  }

  #balanceReading(): void {
    if (this.#phase !== 'open') return
    const isFull = this.#inFlightCount >= IN_FLIGHT_MAX || this.#commandBytes + this.#answers.bytes >= HELD_BYTES_MAX
    if (isFull) this.#stream.pause()
    else if (this.#stream.isPaused()) this.#stream.resume()
  }
}
