import { StorageError } from '../storage-error.js'

/** What waits for the disk is let through in this order. */
export type WritePriority = 'append' | 'commit' | 'background'

interface QueuedWrite {
  readonly begin: () => void
  readonly refuse: (error: StorageError) => void
}

/**
 * Lets one write through at a time, and none after a failed one: what a failed sync left on disk is unknown until a restart
 * (DESIGN.md, rule 6). Of one priority the first comes first.
 */
export class SingleWriter {
  #state: 'open' | 'failed' | 'closed' = 'open'
  #failure: unknown
  #writing: Promise<unknown> | undefined
  readonly #queues: Readonly<Record<WritePriority, QueuedWrite[]>> = { append: [], commit: [], background: [] }

  /** Carries a write out when its turn has come. @throws StorageError WRITE_FAILED or CLOSED, and whatever the write throws */
  async write<T>(priority: WritePriority, write: () => Promise<T>): Promise<T> {
    this.assertUsable()
    if (this.#writing !== undefined) {
      await new Promise<void>((begin, refuse) => this.#queues[priority].push({ begin, refuse }))
    }
    try {
      // It may have been closed since its turn came.
      this.assertUsable()
      const writing = write()
      this.#writing = writing
      return await writing
    } catch (cause) {
      this.fail(cause)
      throw cause
    } finally {
      this.#onEnded()
    }
  }

  /** Lets nothing be written while somebody looks. What that throws fails nothing. @throws as write */
  async pause<T>(look: () => Promise<T>): Promise<T> {
    const found = await this.write('background', async () => {
      const [outcome] = await Promise.allSettled([look()])
      return outcome
    })
    if (found.status === 'rejected') throw found.reason
    return found.value
  }

  get isUsable(): boolean {
    return this.#state === 'open'
  }

  /** @throws StorageError after a failed write or after close */
  assertUsable(): void {
    if (this.#state !== 'open') throw this.#refusal()
  }

  /** No write is let through from now on. */
  fail(cause: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#failure = cause
    this.#refuseWaiting()
  }

  /** Lets nothing more through and waits for the write in flight. False when it was closed before. */
  async close(): Promise<boolean> {
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    this.#refuseWaiting()
    await this.#writing?.catch(() => undefined)
    return true
  }

  /** The next one begins before anybody else can ask to. */
  #onEnded(): void {
    const { append, commit, background } = this.#queues
    const next = append.shift() ?? commit.shift() ?? background.shift()
    if (next !== undefined) next.begin()
    else this.#writing = undefined
  }

  #refuseWaiting(): void {
    for (const queue of Object.values(this.#queues)) for (const waiting of queue.splice(0)) waiting.refuse(this.#refusal())
  }

  #refusal(): StorageError {
    if (this.#state === 'closed') return new StorageError('CLOSED', 'the storage is closed')
    return new StorageError('WRITE_FAILED', 'an earlier write failed: the node must stop, and recover when it starts again', {
      cause: this.#failure,
    })
  }
}
