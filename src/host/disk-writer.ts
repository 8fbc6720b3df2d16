import type { Observer } from '../observer/observer.js'
import type { Node } from '../paxos/node.js'
import type { Ready } from '../paxos/outbox.js'
import type { DurableRecord } from '../paxos/types.js'
import type { PreparedCheckpoint, Storage } from '../storage/storage.js'
import type { Checkpointer } from './checkpoint/checkpointer.js'
import type { Outlet } from './peers/peer-port.js'
import type { Runtime } from './runtime.js'
import { writeFailure } from './write-failure.js'

interface Settings {
  readonly node: Pick<Node, 'onDurable' | 'compactedUpTo'>
  readonly storage: Pick<Storage, 'append' | 'compactedUpTo' | 'checkpoint'>
  readonly outlet: Outlet
  readonly runtime: Pick<Runtime, 'nowMs'>
  readonly observer?: Observer | undefined
  readonly checkpointer: Pick<Checkpointer, 'onCommitted'>
  readonly isStopped: () => boolean
  /** Runs a step of the core; what it throws stops the node. */
  readonly guarded: (work: () => void) => void
  readonly schedule: () => void
  /** A write has ended, and the disk is free: what has gathered meanwhile forms the next one. */
  readonly onWritten: () => void
  readonly onFailed: (error: Error) => void
}

/** Writes the core's records to disk, one write at a time; messages that depend on them leave when the write has ended. */
export class DiskWriter {
  readonly #s: Settings
  #isWriting = false
  #waiting: (() => void)[] = []

  constructor(settings: Settings) {
    this.#s = settings
  }

  get isWriting(): boolean {
    return this.#isWriting
  }

  /** Begins a write: of the records, then of the checkpoint. */
  start(ready: Ready, prepared: PreparedCheckpoint | undefined): void {
    this.#isWriting = true
    this.#write(ready, prepared).catch((error: unknown) => this.#s.onFailed(writeFailure(error)))
  }

  /** The records are durable (or there were none): sends the messages that depend on them, and counts this node's own votes. */
  onDurable(ready: Ready): void {
    const { node, outlet } = this.#s
    for (const { to, message } of ready.onceDurable) outlet.send(to, message)
    node.onDurable(ready)
    outlet.flush()
  }

  /** Somebody else writes now. */
  take(): void {
    this.#isWriting = true
  }

  /** That write has ended. */
  free(): void {
    this.#isWriting = false
    this.wake()
  }

  /** Resolves when a write ends, or the host stops. */
  untilFree(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Lets all who wait look again. */
  wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  async #write(ready: Ready, prepared: PreparedCheckpoint | undefined): Promise<void> {
    const { node, storage, checkpointer, isStopped, guarded, observer } = this.#s
    if (ready.records.length > 0) await this.#append(ready.records)
    if (isStopped()) return
    guarded(() => this.onDurable(ready))
    if (isStopped()) return
    if (prepared !== undefined) {
      this.#s.schedule()
      await prepared.commit()
      checkpointer.onCommitted()
      observer?.event('checkpointCommitted', { slot: storage.checkpoint.appliedUpTo })
    }
    node.compactedUpTo = storage.compactedUpTo
    this.free()
    this.#s.onWritten()
  }

  async #append(records: readonly DurableRecord[]): Promise<void> {
    const { storage, runtime, observer } = this.#s
    const beganMs = observer === undefined ? 0 : runtime.nowMs()
    await storage.append(records)
    observer?.duration('write', runtime.nowMs() - beganMs)
  }
}
