import type { DatabaseSnapshot } from './database.js'

/** A snapshot that is closed when the last of its users lets go of it. */
export class SharedSnapshot {
  readonly snapshot: DatabaseSnapshot
  readonly #users: { count: number }
  #isClosed = false

  constructor(snapshot: DatabaseSnapshot, users: { count: number } = { count: 0 }) {
    this.snapshot = snapshot
    this.#users = users
    this.#users.count += 1
  }

  /** For another user. */
  share(): SharedSnapshot {
    return new SharedSnapshot(this.snapshot, this.#users)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#users.count -= 1
    if (this.#users.count === 0) await this.snapshot.close()
  }
}
