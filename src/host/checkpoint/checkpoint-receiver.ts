import type { Logger } from 'pino'
import type { Observer } from '../../observer/observer.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import {
  type CheckpointPart,
  type CheckpointRequest,
  type CheckpointSink,
  TransferError,
} from '../../protocol/checkpoint-transfer.js'
import type { RaisedLevel } from '../../replication/levels.js'
import { RecordError } from '../../storage/records.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointPage, IncomingCheckpoint, Storage } from '../../storage/storage.js'
import type { CallOff, Runtime } from '../runtime.js'
import { RateMeter, type TransferProgress } from './transfer-progress.js'

/** As in Ready.checkpointWanted. */
export interface CheckpointWanted {
  /** A peer that is known to have the missing slots. */
  readonly from: NodeId
  readonly minSlot: Slot
}

export interface CheckpointReceiverSettings {
  readonly storage: Pick<Storage, 'receiveCheckpoint' | 'unfinished'>
  readonly runtime: Pick<Runtime, 'nowMs' | 'random'>
  readonly logger: Logger
  readonly fetch: (from: NodeId, request: CheckpointRequest, sink: CheckpointSink) => CallOff
  /** The id of this node's cluster. */
  readonly clusterId: () => string
  /** @throws UnsupportedLevelError when this node cannot take a state of that level over */
  readonly checkLevel: (raised: RaisedLevel) => void
  readonly decidedUpTo: () => Slot
  /** The other voters, and whoever of them leads. */
  readonly voters: () => readonly NodeId[]
  readonly leaderId: () => NodeId
  /** Puts the checkpoint in the place of this node's state, on disk and in memory. @throws RecordError when it is not whole */
  readonly install: (incoming: IncomingCheckpoint, header: CheckpointHeader, end: CheckpointEnd) => Promise<void>
  /** The disk failed, or the new state could not be taken over: the node must stop. */
  readonly onFailed: (error: Error) => void
  readonly observer?: Observer | undefined
}

const BACK_OFF_MS_MIN = 200
const BACK_OFF_MS_MAX = 5_000
const PROGRESS_INTERVAL_MS = 1_000

/** One transfer, from the request to its end. */
interface Transfer {
  readonly from: NodeId
  readonly asked: CheckpointRequest
  callOff: CallOff
  header: CheckpointHeader | undefined
  incoming: IncomingCheckpoint | undefined
  readonly meter: RateMeter
}

/** Where a transfer that broke off goes on. */
interface Resume {
  readonly header: CheckpointHeader
  readonly lastKey: Uint8Array
  /** Bytes so far; unknown after a restart. */
  readonly bytes: number
}

/**
 * Fetches a checkpoint when this node is further behind than its peers' logs reach: one transfer at a time, from any up-to-date voter,
 * rather not from the leader, which has the most to do. What has come is kept on disk; whatever ends a transfer, the next one goes on.
 */
export class CheckpointReceiver {
  readonly #s: CheckpointReceiverSettings
  #transfer: Transfer | undefined
  #resume: Resume | undefined
  /** In this round. */
  readonly #tried = new Set<NodeId>()
  #failedRounds = 0
  #nextTryMs = 0
  #bytes = 0
  #nextProgressMs = 0
  #isStopped = false

  constructor(settings: CheckpointReceiverSettings) {
    this.#s = settings
    const { unfinished } = settings.storage
    if (unfinished !== undefined) this.#resume = { ...unfinished, bytes: 0 }
  }

  /** A transfer is under way, its installation included. */
  get isBusy(): boolean {
    return this.#transfer !== undefined
  }

  /** Reports the transfers under way. */
  progress(): TransferProgress[] {
    if (this.#transfer?.header === undefined) return []
    const { from: peerId, header, meter } = this.#transfer
    const bytesPerSecond = meter.bytesPerSecond(this.#s.runtime.nowMs())
    return [{ peerId, isSending: false, slot: header.slot, bytesDone: this.#bytes, bytesTotal: header.bytes, bytesPerSecond }]
  }

  /** Repeated as long as it is wanted. */
  want(wanted: CheckpointWanted): void {
    if (this.#isStopped || this.#transfer !== undefined || this.#s.runtime.nowMs() < this.#nextTryMs) return
    const from = this.#choose(wanted.from)
    if (from !== undefined) this.#begin(from, wanted.minSlot)
  }

  stop(): void {
    this.#isStopped = true
    this.#transfer?.callOff()
    this.#transfer = undefined
  }

  /** Chooses a source: the peer that is known to have it first, others in any order, the leader last; none twice in a round. */
  #choose(known: NodeId): NodeId | undefined {
    const { voters, leaderId, runtime } = this.#s
    const leader = leaderId()
    const rank = (nodeId: NodeId): number => (nodeId === leader ? 2 : nodeId === known ? 0 : 1) + runtime.random()
    const ids = new Set([...voters(), known])
    const [best] = [...ids]
      .filter((nodeId) => !this.#tried.has(nodeId))
      .map((nodeId) => ({ nodeId, rank: rank(nodeId) }))
      .toSorted((a, b) => a.rank - b.rank)
    return best?.nodeId
  }

  #begin(from: NodeId, minSlot: Slot): void {
    this.#tried.add(from)
    if (this.#resume !== undefined && this.#resume.header.slot < minSlot) this.#resume = undefined
    const resume = this.#resume
    const asked = { minSlot, checkpointId: resume?.header.checkpointId ?? '', afterKey: resume?.lastKey }
    const meter = new RateMeter(this.#s.runtime.nowMs())
    const transfer: Transfer = { from, asked, callOff: () => {}, header: undefined, incoming: undefined, meter }
    this.#transfer = transfer
    this.#s.observer?.event('checkpointFetchBegun', { peerId: from, minSlot })
    transfer.callOff = this.#s.fetch(from, asked, {
      onPart: (part) => this.#onPart(transfer, part),
      onFailed: (error) => this.#onFailed(transfer, error),
    })
  }

  async #onPart(transfer: Transfer, part: CheckpointPart): Promise<void> {
    if (this.#transfer !== transfer) return
    try {
      if ('header' in part) await this.#onHeader(transfer, part.header)
      else if ('page' in part) await this.#onPage(transfer, part.page)
      else await this.#onEnd(transfer, part.end)
    } catch (error) {
      if (this.#transfer !== transfer) return
      transfer.callOff()
      if (error instanceof TransferError) return this.#onFailed(transfer, error)
      if (error instanceof RecordError) {
        // The parts from this peer must not be used.
        this.#resume = undefined
        return this.#onFailed(transfer, new TransferError('MALFORMED', error.message, { cause: error }))
      }
      this.stop()
      this.#s.onFailed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  async #onHeader(transfer: Transfer, header: CheckpointHeader): Promise<void> {
    const { clusterId, decidedUpTo, storage, runtime, logger } = this.#s
    if (header.clusterId !== clusterId() || header.genesis.clusterId !== clusterId()) {
      throw new TransferError('MALFORMED', `the checkpoint is of cluster ${header.clusterId}, this node of ${clusterId()}`)
    }
    if (header.slot < transfer.asked.minSlot || header.slot <= decidedUpTo()) {
      throw new TransferError(
        'NOT_FOUND',
        `the checkpoint at slot ${header.slot} is not newer than what this node has, or not new enough`,
      )
    }
    this.#s.checkLevel(header)
    const isResumed = header.checkpointId === transfer.asked.checkpointId
    this.#bytes = isResumed ? (this.#resume?.bytes ?? 0) : 0
    this.#nextProgressMs = runtime.nowMs() + PROGRESS_INTERVAL_MS
    logger.info({ from: transfer.from, slot: header.slot, bytes: header.bytes, isResumed }, 'fetching a checkpoint')
    transfer.header = header
    transfer.incoming = await storage.receiveCheckpoint(header)
  }

  async #onPage(transfer: Transfer, page: CheckpointPage): Promise<void> {
    const { header, incoming } = transfer
    if (header === undefined || incoming === undefined) throw new TransferError('MALFORMED', 'a page came before the header')
    await incoming.add(page)
    if (this.#transfer !== transfer) return
    let pageBytes = 0
    for (const bytes of page.keys) pageBytes += bytes.length
    for (const bytes of page.records) pageBytes += bytes.length
    this.#bytes += pageBytes
    this.#s.observer?.count('checkpointBytesReceived', pageBytes)
    transfer.meter.add(pageBytes, this.#s.runtime.nowMs())
    if (incoming.lastKey !== undefined) this.#resume = { header, lastKey: incoming.lastKey, bytes: this.#bytes }
    const nowMs = this.#s.runtime.nowMs()
    if (nowMs < this.#nextProgressMs) return
    this.#nextProgressMs = nowMs + PROGRESS_INTERVAL_MS
    this.#s.logger.info({ from: transfer.from, bytes: this.#bytes, ofBytes: header.bytes }, 'receiving a checkpoint')
  }

  async #onEnd(transfer: Transfer, end: CheckpointEnd): Promise<void> {
    const { header, incoming } = transfer
    if (header === undefined || incoming === undefined) throw new TransferError('MALFORMED', 'the end came before the header')
    if (header.slot <= this.#s.decidedUpTo()) throw new TransferError('NOT_FOUND', 'the node has caught up from its peers’ logs')
    await this.#s.install(incoming, header, end)
    if (this.#transfer !== transfer) return
    this.#s.logger.info({ from: transfer.from, slot: header.slot, bytes: this.#bytes }, 'a checkpoint is installed')
    this.#resume = undefined
    this.#transfer = undefined
    this.#tried.clear()
    this.#failedRounds = 0
  }

  #onFailed(transfer: Transfer, error: TransferError): void {
    if (this.#transfer !== transfer) return
    this.#transfer = undefined
    const { runtime, logger, observer } = this.#s
    observer?.event('checkpointFetchFailed', { peerId: transfer.from, code: error.code })
    logger.warn({ from: transfer.from, code: error.code, reason: error.message }, 'a peer gave no checkpoint')
    const isProgress = this.#resume !== undefined && transfer.incoming !== undefined
    // The same peer once more, if it gave something: it has what is needed.
    if (isProgress && (error.code === 'UNREACHABLE' || error.code === 'TIMED_OUT')) this.#tried.delete(transfer.from)
    if (this.#choose(transfer.from) === undefined) {
      this.#tried.clear()
      this.#failedRounds++
    }
    const capMs = Math.min(BACK_OFF_MS_MAX, BACK_OFF_MS_MIN * 2 ** this.#failedRounds)
    this.#nextTryMs = runtime.nowMs() + capMs * runtime.random()
  }
}
