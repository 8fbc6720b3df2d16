import type { Message } from '../paxos/messages.js'
import type { Node } from '../paxos/node.js'
import type { LogRequest, Outgoing, Ready } from '../paxos/outbox.js'
import type { NodeId } from '../paxos/types.js'
import type { PreparedCheckpoint, Storage } from '../storage/storage.js'
import type { Applier } from './applier.js'
import type { Barriers } from './barriers.js'
import { Checkpointer } from './checkpointer.js'
import type { Requester } from './requester.js'
import type { CallOff, Runtime } from './runtime.js'
import type { SessionDesk } from './session-desk.js'

/** The part of the transport that the host needs. */
interface Outlet {
  send(to: NodeId, message: Message): void
  flush(): void
}

export interface HostSettings {
  readonly node: Node
  readonly storage: Storage
  readonly runtime: Runtime
  readonly outlet: Outlet
  readonly applier: Applier
  readonly requester: Requester
  readonly desk: SessionDesk
  readonly barriers: Barriers
  /** The core looks at the clock at least so often, in ms. */
  readonly tickIntervalMs: number
  /** One page of the log is read for a peer at a time, of about so many bytes. */
  readonly pageBytesMax: number
  /** Called once, when the cluster is formed or has been joined. */
  readonly onFormed: () => void
  /** 0 when none is heard any more. */
  readonly onLeaderChanged: (leaderId: NodeId) => void
  /** Called once: the node has stopped and must not be used. */
  readonly onFailed: (error: Error) => void
}

export const DEFAULT_TICK_INTERVAL_MS = 10
/** Applying gives way to the network after this long. */
const APPLY_BUDGET_MS = 10
/** The watermark of an idle node goes to disk by itself after this long. */
const WATERMARK_DELAY_MS = 1_000

/** A node stopped because the core said so. */
export class HaltError extends Error {
  override readonly name = 'HaltError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/**
 * Carries out what the core wants done, in the real world (the duties are listed at the head of paxos/node.ts). Inputs only mark that
 * there is something to do; a drain at the end of the event loop's turn takes them all. One write is in flight at a time, and what
 * arrives meanwhile forms the next: group commit.
 */
export class Host {
  readonly #s: HostSettings
  readonly #checkpointer: Checkpointer
  readonly #stopTicking: CallOff
  #isScheduled = false
  #isWriting = false
  /** No more writes are begun. */
  #isStopping = false
  #isStopped = false
  #isFormed = false
  #leaderId: NodeId = 0
  #nextWatermarkMs = 0
  /** Peers for whom the log is being read. */
  readonly #reading = new Set<NodeId>()
  #onWritten: (() => void)[] = []

  constructor(settings: HostSettings) {
    this.#s = settings
    this.#checkpointer = new Checkpointer({
      storage: settings.storage,
      applier: settings.applier,
      onPrepared: () => this.schedule(),
      onFailed: (error) => this.#fail(error),
    })
    this.#stopTicking = settings.runtime.every(settings.tickIntervalMs, () => this.#drain())
    this.schedule()
  }

  receive(from: NodeId, messages: readonly Message[]): void {
    if (this.#isStopped) return
    this.#guarded(() => {
      this.#s.node.tick(this.#s.runtime.nowMs())
      for (const message of messages) {
        // Decisions that come faster than they are applied must not fill the memory: dropped as if lost, and asked for again.
        if (message.kind === 'catchUpReply' && this.#s.applier.isFull) continue
        this.#s.node.receive(from, message)
      }
    })
    this.schedule()
  }

  /** There is something to do: once more this turn's inputs are in. */
  schedule(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    this.#s.runtime.defer(() => {
      this.#isScheduled = false
      this.#drain()
    })
  }

  /** Writes what is to be kept, the state of the machine included, and does nothing more. */
  async stop(): Promise<void> {
    this.#isStopping = true
    while ((this.#isWriting || this.#checkpointer.isBusy) && !this.#isStopped) await this.#untilIdle()
    if (this.#isStopped) return
    this.#halt()
    const { node, storage, runtime } = this.#s
    try {
      node.persistDecidedUpTo()
      const { records } = node.ready({ diskIdle: true, wallMs: runtime.wallMs() })
      if (records.length > 0) await storage.append(records)
      await this.#checkpointer.finish()
    } catch (error) {
      this.#s.onFailed(writeFailed(error))
    }
  }

  /** Resolves when a write ends, one that waits for a checkpoint's preparation included. */
  #untilIdle(): Promise<void> {
    return new Promise((resolve) => this.#onWritten.push(resolve))
  }

  #halt(): void {
    this.#isStopped = true
    this.#stopTicking()
  }

  #fail(error: Error): void {
    if (this.#isStopped) return
    this.#halt()
    for (const resolve of this.#onWritten.splice(0)) resolve()
    this.#s.onFailed(error)
  }

  /** A broken invariant, or a bug, stops the node: it must not go on with a state that nobody foresaw. */
  #guarded(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #drain(): void {
    if (!this.#isStopped) this.#guarded(() => this.#step())
  }

  #step(): void {
    const { node, outlet, applier, requester, desk, barriers, runtime } = this.#s
    const nowMs = runtime.nowMs()
    node.tick(nowMs)
    requester.tick(nowMs)
    desk.tick(nowMs)
    barriers.tick(nowMs)
    if (node.leaderId !== this.#leaderId) {
      this.#leaderId = node.leaderId
      requester.onLeaderChanged()
      this.#s.onLeaderChanged(this.#leaderId)
    }
    requester.flush((commands, options) => node.propose(commands, options), nowMs)
    barriers.flush((token) => node.read(token))

    const diskIdle = !this.#isWriting && !this.#isStopping
    const checkpointDue = diskIdle && this.#checkpointer.isDue
    if (diskIdle && (checkpointDue || this.#isWatermarkDue(nowMs))) node.persistDecidedUpTo()
    // Now: the decided slots that it reflects are in this step's write or an earlier one.
    if (checkpointDue) this.#checkpointer.begin()
    const prepared = this.#isWriting ? undefined : this.#checkpointer.take()
    const ready = node.ready({ diskIdle, wallMs: runtime.wallMs() })
    if (ready.halt !== undefined) return this.#fail(new HaltError(ready.halt.code, ready.halt.message))

    this.#send(ready.messages)
    for (const request of ready.logRequests) void this.#serveFromLog(request)
    if (ready.records.length > 0 || prepared !== undefined) this.#startWrite(ready, prepared)
    else if (ready.onceDurable.length > 0) this.#onDurable(ready)
    outlet.flush()

    if (!this.#isFormed && node.genesis !== undefined) {
      this.#isFormed = true
      this.#s.onFormed()
    }
    applier.enqueue(ready.decided)
    barriers.onGranted(ready.reads)
    applier.run(() => runtime.nowMs() - nowMs >= APPLY_BUDGET_MS)
    barriers.onApplied(applier.appliedUpTo)
    if (applier.hasQueued || requester.hasNew || barriers.hasGathered) this.schedule()
  }

  #isWatermarkDue(nowMs: number): boolean {
    if (nowMs < this.#nextWatermarkMs) return false
    this.#nextWatermarkMs = nowMs + WATERMARK_DELAY_MS
    return true
  }

  #send(messages: readonly Outgoing[]): void {
    for (const { to, message } of messages) this.#s.outlet.send(to, message)
  }

  /** The records are on disk (or there were none): what was said of them may leave, and counts here. */
  #onDurable(ready: Ready): void {
    for (const { to, message } of ready.onceDurable) this.#s.outlet.send(to, message)
    this.#s.node.onDurable(ready)
    this.schedule()
  }

  #startWrite(ready: Ready, prepared: PreparedCheckpoint | undefined): void {
    this.#isWriting = true
    this.#write(ready, prepared).catch((error: unknown) => this.#fail(writeFailed(error)))
  }

  async #write(ready: Ready, prepared: PreparedCheckpoint | undefined): Promise<void> {
    if (ready.records.length > 0) await this.#s.storage.append(ready.records)
    if (this.#isStopped) return
    this.#guarded(() => {
      this.#onDurable(ready)
      this.#s.outlet.flush()
    })
    if (this.#isStopped) return
    if (prepared !== undefined) {
      await prepared.commit()
      this.#checkpointer.onCommitted()
    }
    this.#isWriting = false
    for (const resolve of this.#onWritten.splice(0)) resolve()
    this.#drain()
  }

  async #serveFromLog({ to, fromSlot, toSlot }: LogRequest): Promise<void> {
    if (this.#reading.has(to)) return
    this.#reading.add(to)
    try {
      const entries = await this.#s.storage.readLog(fromSlot, toSlot, this.#s.pageBytesMax)
      if (this.#isStopped) return
      this.#s.outlet.send(to, { kind: 'catchUpReply', entries, decidedUpTo: this.#s.node.decidedUpTo })
      this.#s.outlet.flush()
    } catch (error) {
      this.#fail(new Error('the log of the data directory cannot be read', { cause: error }))
    } finally {
      this.#reading.delete(to)
    }
  }
}

/** Never tried again (DESIGN.md, rule 6): what is on disk now, nobody knows. */
function writeFailed(cause: unknown): Error {
  return new Error('a write to the data directory failed; the node stops', { cause })
}
