import { assert } from '../paxos/assert.js'
import { StorageError } from './storage-error.js'

/**
 * Lets one write through at a time, and none after a failed one: what a failed sync left on disk is unknown until a restart
 * (DESIGN.md, rule 6).
 */
export class SingleWriter {
  #state: 'idle' | 'writing' | 'failed' | 'closed' = 'idle'
  #failure: unknown
  #writing: Promise<unknown> = Promise.resolve()

  /** Carries a write out. @throws StorageError WRITE_FAILED or CLOSED; InvariantError when a write is still in flight */
  async write<T>(write: () => Promise<T>): Promise<T> {
    this.assertUsable()
    assert(this.#state !== 'writing', 'one write is in flight at a time')
    this.#state = 'writing'
    const writing = write()
    this.#writing = writing
    try {
      const result = await writing
      if (this.#state === 'writing') this.#state = 'idle'
      return result
    } catch (cause) {
      this.fail(cause)
      throw cause
    }
  }

  /** @throws StorageError after a failed write or after close */
  assertUsable(): void {
    if (this.#state === 'closed') throw new StorageError('CLOSED', 'the storage is closed')
    if (this.#state === 'failed') {
      throw new StorageError('WRITE_FAILED', 'an earlier write failed: the node must stop, and recover when it starts again', {
        cause: this.#failure,
      })
    }
  }

  /** No write is let through from now on. */
  fail(cause: unknown): void {
    if (this.#state === 'failed' || this.#state === 'closed') return
    this.#state = 'failed'
    this.#failure = cause
  }

  /** Lets nothing more through and waits for the write in flight. False when it was closed before. */
  async close(): Promise<boolean> {
    if (this.#state === 'closed') return false
    this.#state = 'closed'
    await this.#writing.catch(() => undefined)
    return true
  }
}
