import type { DatabaseView } from '../leveldb/database.js'

/** A view that is closed when the last of its users lets go of it. */
export class SharedView {
  readonly view: DatabaseView
  readonly #users: { count: number }
  #isClosed = false

  constructor(view: DatabaseView, users: { count: number } = { count: 0 }) {
    this.view = view
    this.#users = users
    this.#users.count += 1
  }

  /** For another user; undefined when the last one has let go of it. */
  share(): SharedView | undefined {
    return this.#users.count === 0 ? undefined : new SharedView(this.view, this.#users)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#users.count -= 1
    if (this.#users.count === 0) await this.view.close()
  }
}
