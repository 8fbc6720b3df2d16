import type { NodeId } from '../../paxos/types.js'
import { HaltError } from '../halt-error.js'
import type { Assembly } from './assemble.js'

/** The time that a stopping leader waits for another to take over. */
const HAND_OVER_TIMEOUT_MS = 1_000

const STOPPED = 'this member has stopped'

/** Ends a member: on request, after it has handed leadership over; or by itself, when it has failed. */
export class Shutdown {
  /** Settles when the member has stopped by itself: a failed disk, a broken invariant, a data directory that must not vote. */
  readonly failed: Promise<Error>
  readonly #a: Assembly
  #settleFailed: (error: Error) => void = throwError
  #isStopped = false
  #stopping: Promise<void> | undefined
  #onLedByAnother: (() => void) | undefined

  constructor(assembly: Assembly) {
    this.#a = assembly
    this.failed = new Promise((resolve) => {
      this.#settleFailed = resolve
    })
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  /** If this member leads: asks another to, and waits until it does, for a second at most. */
  async handOver(): Promise<void> {
    const { node, host, runtime } = this.#a
    if (!node.handOver()) return
    host.schedule()
    await new Promise<void>((resolve) => {
      const callOff = runtime.after(HAND_OVER_TIMEOUT_MS, resolve)
      this.#onLedByAnother = () => {
        callOff()
        resolve()
      }
    })
  }

  onLeaderChanged(leaderId: NodeId): void {
    if (leaderId !== this.#a.options.nodeId && leaderId !== 0) this.#onLedByAnother?.()
  }

  /** Hands leadership over, writes the state machine's state and lets go of everything. What waits is told STOPPED. */
  stop(): Promise<void> {
    this.#stopping ??= this.handOver()
      .then(() => this.#a.host.stop())
      .then(() => this.#letGo())
    return this.#stopping
  }

  /** The host has stopped by itself. */
  onFailed(error: Error): void {
    const { logger, observer } = this.#a.options
    logger.fatal({ err: error }, 'the node stops')
    observer?.event('halted', { error })
    this.#stopping ??= this.#abandon(error)
    this.#settleFailed(error)
  }

  async #letGo(removed?: NodeId): Promise<void> {
    const { requester, desk, readIndexWaiters, membershipCalls, levels, receiver, feed, port, sender, storage } = this.#a
    this.#isStopped = true
    requester.stop(STOPPED)
    desk.stop(STOPPED)
    readIndexWaiters.stop(STOPPED)
    membershipCalls.stop(STOPPED, removed)
    levels.stop(STOPPED)
    receiver.stop()
    feed.close()
    await port.stop()
    await sender.stop()
    await storage.close()
  }

  /** Closes everything after a failure. Errors that follow, on a broken disk for example, must not become unhandled rejections. */
  async #abandon(failure: Error): Promise<void> {
    const { options } = this.#a
    const isRemoved = failure instanceof HaltError && failure.code === 'REMOVED'
    try {
      await this.#letGo(isRemoved ? options.nodeId : undefined)
    } catch (error) {
      options.logger.error({ err: error }, 'the node could not close everything')
    }
  }
}

function throwError(error: Error): never {
  throw error
}
