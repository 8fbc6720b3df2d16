import { helloOf, type SessionName, type SessionStream, type StreamOptions } from '../../client/session-port.js'
import { errorOfRefusal, SynodError } from '../../client/synod-error.js'
import {
  type Answer,
  ConnectRequest,
  ConnectResponse,
  type Request,
  type RequestFrame,
} from '../../gen/synod/session/v1/session.js'
import type { NodeId } from '../../paxos/types.js'
import { toRefusal } from '../../server/call-error.js'
import { check } from '../checkers/violation.js'
import type { ClientPort, NodeEnd, StreamOutlet } from '../cluster/client-port.js'
import type { Scheduler } from '../cluster/scheduler.js'
import type { Random } from '../random.js'
import { Pipe } from './pipe.js'

/** Hears everything that the client's end of a stream sends and is sent. */
export interface StreamWatcher {
  onWelcome(node: NodeId, session: SessionName): void
  onSent(node: NodeId, session: SessionName | undefined, request: Request): void
  /** `isLate`: the client has left the stream, and hears nothing of it. */
  onAnswer(node: NodeId, request: Request, answer: Answer, isLate: boolean): void
  /** The client leaves a stream that owed it something. */
  onStalled(): void
}

/** The quality of the network between a client and the nodes. */
export interface PathQuality {
  readonly delayMsMean: number
  /** Share of frames that are lost, and the stream with them. */
  readonly lossRate: number
}

export interface StreamSettings {
  /** The current quality. */
  readonly quality: () => PathQuality
  readonly random: Random
  readonly scheduler: Scheduler
  readonly watcher: StreamWatcher
  readonly onLoss: () => void
}

/** Share of broken streams whose ends are not told. */
const SILENT_SHARE = 0.4
/** Time after which a node's transport notices by itself that the client is gone. */
const KEEPALIVE_MS = 4_000

/** A session's stream to a simulated node, with the network between the two ends. */
export class SimulatedStream implements SessionStream {
  readonly endpoint: string
  readonly #node: ClientPort | undefined
  readonly #options: StreamOptions
  readonly #settings: StreamSettings
  readonly #toNode: Pipe
  readonly #toClient: Pipe
  /** Requests without an answer, by number. Commands and queries are numbered apart. */
  readonly #owed = { command: new Map<number, Request>(), query: new Map<number, Request>() }
  #nodeEnd: NodeEnd | undefined
  #session: SessionName | undefined
  /** True once the client has left, or was told that the stream is broken. */
  #isOver = false
  /** Frames that the node does not read for now; undefined while it reads. */
  #held: (() => void)[] | undefined

  constructor(node: ClientPort | undefined, options: StreamOptions, settings: StreamSettings) {
    this.endpoint = options.endpoint
    this.#node = node
    this.#options = options
    this.#settings = settings
    const { random, scheduler, quality } = settings
    const { delayMsMean } = quality()
    this.#toNode = new Pipe({ random, scheduler, delayMsMean })
    this.#toClient = new Pipe({ random, scheduler, delayMsMean })
    if (options.purpose !== 'reads') this.#session = options.purpose.session
    this.#toNode.send(() => this.#connect())
    this.#sendFrame({ frame: { $case: 'hello', value: helloOf(options.purpose) } })
  }

  /** The client has left it, or has been told that it is broken. */
  get isOver(): boolean {
    return this.#isOver
  }

  get canSend(): boolean {
    return !this.#isOver && this.#toNode.hasRoom
  }

  send(frame: RequestFrame): void {
    const id = this.#node?.id ?? 0
    for (const request of frame.requests) {
      this.#owed[kindOf(request)].set(request.requestNumber, request)
      this.#settings.watcher.onSent(id, this.#session, request)
    }
    this.#sendFrame({ frame: { $case: 'requests', value: frame } })
  }

  finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#toNode.send(() => this.#nodeEnd?.input((dialogue) => dialogue.finish()))
  }

  destroy(): void {
    if (this.#isOver) return
    this.#isOver = true
    if (this.#owed.command.size + this.#owed.query.size > 0) this.#settings.watcher.onStalled()
    this.#leaveNode()
  }

  /** The client's process is gone. */
  onClientDied(): void {
    this.#isOver = true
    this.#leaveNode()
  }

  /** Breaks the stream; both ends hear of it. */
  break(): void {
    const { random, scheduler, quality } = this.#settings
    this.#toNode.isSilent = this.#toClient.isSilent = true
    scheduler.after(random.exponential(quality().delayMsMean), () => this.#endClient(unreachable(this.endpoint)))
    scheduler.after(random.exponential(quality().delayMsMean), () => this.#breakNode())
  }

  /** Breaks the stream if it has fallen silent: nothing is lost any more. */
  heal(): void {
    if (this.#toNode.isSilent || this.#toClient.isSilent) this.break()
  }

  #connect(): void {
    this.#nodeEnd = this.#node?.acceptStream(this.#outlet())
    if (this.#nodeEnd === undefined) this.#loseNode()
  }

  /** The process is gone: its machine closes the connection, or is gone, too. */
  #loseNode(): void {
    this.#nodeEnd = undefined
    const { random, scheduler, quality } = this.#settings
    const isSilent = random.chance(SILENT_SHARE) && quality().lossRate > 0
    this.#toNode.isSilent = true
    if (isSilent) this.#toClient.isSilent = true
    else scheduler.after(random.exponential(quality().delayMsMean), () => this.#endClient(unreachable(this.endpoint)))
  }

  #outlet(): StreamOutlet {
    const toClient = this.#toClient
    return {
      client: 'a simulated client',
      write: (response, onTaken) => {
        const bytes = ConnectResponse.encode(response).finish()
        this.#maybeLose(toClient)
        toClient.send((madeRoom) => {
          this.#nodeEnd?.input((dialogue) => {
            onTaken()
            if (madeRoom) dialogue.onDrain()
          })
          this.#onFrame(ConnectResponse.decode(bytes))
        })
        return toClient.hasRoom
      },
      pause: () => {
        this.#held ??= []
      },
      resume: () => {
        const held = this.#held ?? []
        this.#held = undefined
        for (const receive of held) receive()
      },
      end: () => toClient.send(() => this.#endClient(unreachable(this.endpoint))),
      fail: (error) => {
        const refusal = errorOfRefusal(toRefusal(error))
        toClient.send(() => this.#endClient(refusal))
      },
      onDied: () => this.#loseNode(),
    }
  }

  #sendFrame(request: ConnectRequest): void {
    const bytes = ConnectRequest.encode(request).finish()
    this.#maybeLose(this.#toNode)
    this.#toNode.send((madeRoom) => {
      if (madeRoom && !this.#isOver) this.#options.events.onDrain()
      const receive = (): void => this.#nodeEnd?.input((dialogue) => dialogue.onFrame(bytes))
      if (this.#held === undefined) receive()
      else this.#held.push(receive)
    })
  }

  #onFrame({ frame }: ConnectResponse): void {
    const { watcher } = this.#settings
    const { events } = this.#options
    const id = this.#node?.id ?? 0
    if (frame?.$case === 'welcome') {
      if (this.#isOver) return
      this.#session = this.#options.purpose === 'reads' ? undefined : frame.value
      if (this.#session !== undefined) watcher.onWelcome(id, this.#session)
      events.onWelcome(frame.value)
    } else if (frame?.$case === 'answers') {
      for (const answer of frame.value.answers) watcher.onAnswer(id, this.#takeOwed(answer), answer, this.#isOver)
      if (!this.#isOver) events.onAnswers(frame.value)
    }
  }

  /** The request that is answered. */
  #takeOwed({ requestNumber, query }: Answer): Request {
    const owed = this.#owed[query ? 'query' : 'command']
    const request = owed.get(requestNumber)
    check(
      request !== undefined,
      () => `a stream answers ${query ? 'query' : 'command'} ${requestNumber}, which it owes no answer`,
    )
    owed.delete(requestNumber)
    return request
  }

  #maybeLose(pipe: Pipe): void {
    const { random, quality, onLoss } = this.#settings
    if (!random.chance(quality().lossRate)) return
    onLoss()
    if (random.chance(SILENT_SHARE)) pipe.isSilent = true
    else this.break()
  }

  #endClient(error: SynodError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.events.onEnd(error)
  }

  /** Tells the node that the client has left, after everything sent before. */
  #leaveNode(): void {
    if (this.#toNode.isSilent) this.#settings.scheduler.after(KEEPALIVE_MS, () => this.#breakNode())
    else this.#toNode.send(() => this.#breakNode())
  }

  #breakNode(): void {
    this.#nodeEnd?.input((dialogue) => dialogue.onBroken())
  }
}

function kindOf({ body }: Request): 'command' | 'query' {
  return body?.$case === 'query' ? 'query' : 'command'
}

function unreachable(endpoint: string): SynodError {
  return new SynodError('UNAVAILABLE', 'UNREACHABLE', `the connection to ${endpoint} has broken`)
}
