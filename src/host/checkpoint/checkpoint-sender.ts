import type { Observer } from '../../observer/observer.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import { type CheckpointPart, type CheckpointRequest, TransferError } from '../../protocol/checkpoint-transfer.js'
import type { CheckpointHeader, CheckpointPage, CheckpointView, Storage } from '../../storage/storage.js'
import type { CallerIdentity } from '../admission.js'
import type { CallOff, Runtime } from '../runtime.js'
import type { LaggardHolds } from '../watches/laggard-holds.js'
import { RateMeter, type TransferProgress } from './transfer-progress.js'

interface Settings {
  readonly storage: Pick<Storage, 'viewCheckpoint'>
  readonly runtime: Pick<Runtime, 'after' | 'nowMs'>
  readonly holds: Pick<LaggardHolds, 'onProgress'>
  /** A page has about so many bytes at most; never more than 256 KiB. */
  readonly pageBytesMax?: number | undefined
  /** The slot that a checkpoint made now would have. */
  readonly appliedUpTo: () => Slot
  /** The last checkpoint is too old for somebody: a newer one is wanted soon. */
  readonly askForCheckpoint: () => void
  readonly observer?: Observer | undefined
}

const TRANSFERS_MAX = 4
const PAGE_BYTES = 256 * 1024
/** The time for which an interrupted transfer can be resumed: the receiver may have to restart and read what it has. */
const KEEP_MS = 300_000
/** After a transfer that came to its end: others may have begun with the same checkpoint elsewhere. */
const KEEP_DONE_MS = 5_000

/** One transfer to a peer. */
interface Sending {
  isReplaced: boolean
  /** Undefined before the view is open. */
  header: CheckpointHeader | undefined
  bytesDone: number
  readonly meter: RateMeter
}

/** A view of the database that is open, and who reads from it. */
interface OpenView {
  readonly view: CheckpointView
  readerCount: number
  /** Set while nobody reads from it: closes it later. */
  callOff: CallOff | undefined
}

/**
 * Gives other members this node's last checkpoint. A view of the database costs disk for as long as it is open: there is one for each
 * transfer at most, and the last one is kept for a while, so that a transfer which breaks off goes on where it was.
 */
export class CheckpointSender {
  readonly #s: Settings
  readonly #open = new Set<OpenView>()
  /** By who fetches: a newer transfer of the same node takes the place of the one before. */
  readonly #transfers = new Map<NodeId, Sending>()
  #isStopped = false

  constructor(settings: Settings) {
    this.#s = settings
  }

  /** For tests: how many views are open. */
  get openCount(): number {
    return this.#open.size
  }

  /** Reports the transfers under way. */
  progress(): TransferProgress[] {
    const nowMs = this.#s.runtime.nowMs()
    return [...this.#transfers].flatMap(([peerId, { header, bytesDone, meter }]) =>
      header === undefined
        ? []
        : {
            peerId,
            isSending: true,
            slot: header.slot,
            bytesDone,
            bytesTotal: header.bytes,
            bytesPerSecond: meter.bytesPerSecond(nowMs),
          },
    )
  }

  /** The parts of a checkpoint. @throws TransferError NOT_FOUND or BUSY; StorageError */
  async *serve(caller: Pick<CallerIdentity, 'nodeId'>, request: CheckpointRequest): AsyncGenerator<CheckpointPart> {
    const transfer = this.#begin(caller.nodeId)
    try {
      const open = await this.#view(request)
      let keepMs = KEEP_MS
      try {
        transfer.header = open.view.header
        const afterKey = open.view.header.checkpointId === request.checkpointId ? request.afterKey : undefined
        yield { header: open.view.header }
        for await (const page of open.view.pages(afterKey, Math.min(PAGE_BYTES, this.#s.pageBytesMax ?? PAGE_BYTES))) {
          if (this.#isStopped) throw new TransferError('UNREACHABLE', 'the node is stopping')
          if (transfer.isReplaced) throw new TransferError('BUSY', `node ${caller.nodeId} has begun another transfer`)
          // The log after it is kept as long as pages are sent.
          this.#note(caller.nodeId, transfer, sizeOf(page))
          yield { page }
        }
        keepMs = KEEP_DONE_MS
        yield { end: open.view.end }
      } finally {
        await this.#leave(open, keepMs)
      }
    } finally {
      if (this.#transfers.get(caller.nodeId) === transfer) this.#transfers.delete(caller.nodeId)
    }
  }

  /** Closes what nobody reads from; the transfers under way end at their next page. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#open].filter((open) => open.readerCount === 0).map((open) => this.#close(open)))
  }

  #note(nodeId: NodeId, transfer: Sending, bytes: number): void {
    const { runtime, holds } = this.#s
    const nowMs = runtime.nowMs()
    transfer.bytesDone += bytes
    this.#s.observer?.count('checkpointBytesSent', bytes)
    transfer.meter.add(bytes, nowMs)
    if (transfer.header !== undefined) holds.onProgress(nodeId, transfer.header.slot, nowMs)
  }

  #begin(nodeId: NodeId): Sending {
    if (this.#isStopped) throw new TransferError('UNREACHABLE', 'the node is stopping')
    const before = this.#transfers.get(nodeId)
    if (before === undefined && this.#transfers.size >= TRANSFERS_MAX) {
      throw new TransferError('BUSY', `${TRANSFERS_MAX} nodes fetch a checkpoint from here already`)
    }
    if (before !== undefined) before.isReplaced = true
    const meter = new RateMeter(this.#s.runtime.nowMs())
    const transfer: Sending = { isReplaced: false, header: undefined, bytesDone: 0, meter }
    this.#transfers.set(nodeId, transfer)
    return transfer
  }

  async #view({ minSlot, checkpointId }: CheckpointRequest): Promise<OpenView> {
    const kept = this.#find(checkpointId)
    if (kept !== undefined && kept.view.header.slot >= minSlot) return enter(kept)
    const view = await this.#s.storage.viewCheckpoint()
    if (view === undefined || view.header.slot < minSlot || this.#isStopped) {
      await view?.close()
      const appliedUpTo = this.#s.appliedUpTo()
      if (appliedUpTo >= minSlot) this.#s.askForCheckpoint()
      const has = view === undefined ? 'none' : `one at slot ${view.header.slot}`
      throw new TransferError('NOT_FOUND', `no checkpoint at slot ${minSlot} or above, but ${has}; applied up to ${appliedUpTo}`)
    }
    const same = this.#find(view.header.checkpointId)
    if (same !== undefined) {
      enter(same)
      await view.close()
      return same
    }
    const open: OpenView = { view, readerCount: 1, callOff: undefined }
    this.#open.add(open)
    return open
  }

  #find(checkpointId: string): OpenView | undefined {
    for (const open of this.#open) if (open.view.header.checkpointId === checkpointId) return open
    return undefined
  }

  async #leave(open: OpenView, keepMs: number): Promise<void> {
    if (--open.readerCount > 0) return
    if (this.#isStopped) return this.#close(open)
    // A view that cannot be closed belongs to a failed database, which is reported elsewhere.
    open.callOff = this.#s.runtime.after(keepMs, () => void this.#close(open).catch(() => {}))
    const older = [...this.#open].filter((other) => other !== open && other.readerCount === 0)
    await Promise.all(older.map((other) => this.#close(other)))
  }

  async #close(open: OpenView): Promise<void> {
    if (!this.#open.delete(open)) return
    open.callOff?.()
    await open.view.close()
  }
}

function sizeOf({ keys, records }: CheckpointPage): number {
  let bytes = 0
  for (const key of keys) bytes += key.length
  for (const record of records) bytes += record.length
  return bytes
}

function enter(open: OpenView): OpenView {
  open.callOff?.()
  open.callOff = undefined
  open.readerCount++
  return open
}
