import type { DatabaseView } from '../leveldb/database-view.js'

/** A reference-counted view: it is closed when its last user closes it. */
export class SharedView {
  readonly view: DatabaseView
  readonly #users: { count: number }
  #isClosed = false

  constructor(view: DatabaseView, users: { count: number } = { count: 0 }) {
    this.view = view
    this.#users = users
    this.#users.count += 1
  }

  /** Returns the view for one more user; undefined when it is already closed. */
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
