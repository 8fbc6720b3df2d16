import { StorageError } from '../storage-error.js'

/** Priority of a write, highest first: 'append', 'commit', 'background'. */
export type WritePriority = 'append' | 'commit' | 'background'

interface QueuedWrite {
  readonly begin: () => void
  readonly refuse: (error: StorageError) => void
}

/**
 * Runs one write at a time, by priority and then in the order of the calls. After a failed write it runs none: the contents of the
 * disk after a failed sync are unknown until a restart (docs/protocol.md, rule 6).
 */
export class SingleWriter {
  #state: 'open' | 'failed' | 'closed' = 'open'
  #failure: unknown
  #writing: Promise<unknown> | undefined
  readonly #queues: Readonly<Record<WritePriority, QueuedWrite[]>> = { append: [], commit: [], background: [] }

  /** Runs a write when its turn comes. @throws StorageError WRITE_FAILED or CLOSED, and any error of the write itself */
  async write<T>(priority: WritePriority, write: () => Promise<T>): Promise<T> {
    this.assertUsable()
    if (this.#writing !== undefined) {
      await new Promise<void>((begin, refuse) => this.#queues[priority].push({ begin, refuse }))
    }
    try {
      // The writer may have been closed between the turn and now.
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

  /** Runs a read during which nothing is written. An error of the read does not fail the writer. @throws as write */
  async pause<T>(read: () => Promise<T>): Promise<T> {
    const found = await this.write('background', async () => {
      const [outcome] = await Promise.allSettled([read()])
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

  /** Refuses every write from now on. */
  fail(cause: unknown): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#failure = cause
    this.#refuseWaiting()
  }

  /** Refuses every write from now on and waits for the write in flight. Returns false when the writer was closed before. */
  async close(): Promise<boolean> {
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    this.#refuseWaiting()
    await this.#writing?.catch(() => undefined)
    return true
  }

  /** Begins the next write before a new caller can. */
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
