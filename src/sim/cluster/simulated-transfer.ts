import { encode } from '../../encoding/encode.js'
import { FetchCheckpointResponse } from '../../gen/synod/peer/v1/peer.js'
import type { CallerIdentity } from '../../host/admission.js'
import type { NodeId } from '../../paxos/types.js'
import { partFromWire, partToWire } from '../../protocol/checkpoint-parts.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
} from '../../protocol/checkpoint-transfer.js'
import type { FaultTotals } from '../plan/faults.js'
import type { EventTrace } from '../trace/event-trace.js'
import type { Network } from './network.js'
import type { Scheduler } from './scheduler.js'
import type { SimulatedRuntime } from './simulated-runtime.js'

/** The node that has the checkpoint, as long as its process lives. */
export interface TransferSource {
  readonly runtime: SimulatedRuntime
  serveCheckpoint(caller: CallerIdentity, request: CheckpointRequest): AsyncIterable<CheckpointPart>
}

interface Settings {
  readonly to: NodeId
  readonly from: NodeId
  /** Undefined while the process is not there. */
  readonly source: () => TransferSource | undefined
  /** The runtime of the process that fetches. */
  readonly runtime: SimulatedRuntime
  readonly caller: CallerIdentity
  readonly request: CheckpointRequest
  readonly sink: CheckpointSink
  readonly network: Network
  readonly scheduler: Scheduler
  readonly totals: FaultTotals
  readonly trace: EventTrace
  readonly onBug: (error: Error) => void
}

/** Maximum time without a part, in ms. */
const IDLE_MS = 1_500

/**
 * A checkpoint on its way from one simulated node to another, part by part; each part travels like a message on the same link. It
 * breaks off when a part is lost, the link is cut, or one of the two nodes dies.
 */
export class SimulatedTransfer {
  readonly #settings: Settings
  #isOver = false
  /** Counts events: a timeout that was set before one is void. */
  #progress = 0

  constructor(settings: Settings) {
    this.#settings = settings
    const { trace, to, from, request, runtime } = settings
    trace.tell({ kind: 'fetchBegun', node: to, peer: from, minSlot: request.minSlot, resumes: request.checkpointId !== '' })
    runtime.whenOver(() => this.cancel())
    this.#watch()
    void this.#run().catch(settings.onBug)
  }

  /** Cancels the transfer: the sink hears nothing any more. */
  cancel(): void {
    if (!this.#isOver) this.#end('called off')
  }

  async #run(): Promise<void> {
    const { source, from, to, caller, request } = this.#settings
    if (!(await this.#travel(to, from))) return
    const server = source()
    if (server === undefined) return this.#fail(new TransferError('UNREACHABLE', `node ${from} is down`))
    server.runtime.whenOver(() => this.#fail(new TransferError('UNREACHABLE', `node ${from} is gone`)))
    await awake(server.runtime)
    let parts: AsyncIterator<CheckpointPart> | undefined
    try {
      parts = server.serveCheckpoint(caller, request)[Symbol.asyncIterator]()
      while (!this.#isOver) {
        const { value: part, done } = await parts.next()
        if (done === true) return this.#fail(new TransferError('UNREACHABLE', `node ${from} ended the transfer too early`))
        if (!(await this.#deliver(part))) return
      }
    } catch (error) {
      if (!(error instanceof TransferError)) throw error
      if (await this.#travel(from, to)) this.#fail(error)
    } finally {
      await parts?.return?.()
    }
  }

  /** Delivers a part. Returns false if nothing more is to come. */
  async #deliver(part: CheckpointPart): Promise<boolean> {
    const { from, to, trace, runtime, sink, totals } = this.#settings
    const sent = partFromWire(FetchCheckpointResponse.decode(encode(FetchCheckpointResponse, partToWire(part))))
    if (!(await this.#travel(from, to))) return false
    await awake(runtime)
    if (this.#isOver) return false
    const kind = 'page' in part ? 'page' : 'header' in part ? 'header' : 'end'
    trace.tell({ kind: 'fetchPart', node: to, peer: from, part: kind, count: 'page' in part ? part.page.keys.length : 1 })
    await sink.onPart(sent)
    this.#onProgress()
    if (kind !== 'end') return !this.#isOver
    if (!this.#isOver) this.#end('done')
    totals.count('fetchedCheckpoint')
    return false
  }

  /** Sends a part. Returns false if it did not arrive, and the transfer has failed. */
  #travel(from: NodeId, to: NodeId): Promise<boolean> {
    const { network, from: server } = this.#settings
    return new Promise((resolve) => {
      const onLost = (): void => {
        this.#fail(new TransferError('UNREACHABLE', `the connection to node ${server} broke`))
        resolve(false)
      }
      network.travel(from, to, {
        onArrival: () => {
          this.#onProgress()
          resolve(!this.#isOver)
        },
        onLost,
      })
    })
  }

  #onProgress(): void {
    this.#progress++
    if (!this.#isOver) this.#watch()
  }

  #watch(): void {
    const progress = this.#progress
    this.#settings.scheduler.after(IDLE_MS, () => {
      if (this.#progress === progress) this.#fail(new TransferError('TIMED_OUT', `nothing came within ${IDLE_MS} ms`))
    })
  }

  #fail(error: TransferError): void {
    if (this.#isOver) return
    const { runtime, sink, totals } = this.#settings
    if (error.code === 'UNREACHABLE' || error.code === 'TIMED_OUT') totals.count('brokenFetch')
    this.#end(error.code)
    runtime.whenAwake(() => sink.onFailed(error))
  }

  #end(outcome: string): void {
    this.#isOver = true
    this.#progress++
    const { trace, to, from } = this.#settings
    trace.tell({ kind: 'fetchEnded', node: to, peer: from, outcome })
  }
}

/** Resolves when the process is not paused; never, if it is over. */
function awake(runtime: SimulatedRuntime): Promise<void> {
  return new Promise((resolve) => runtime.whenAwake(resolve))
}
