import type { SessionName } from '../../replication/session-table.js'

/** The name of a command: only its repetitions have the same. */
export interface RequestName extends SessionName {
  /** 0 for the opening of a session, which has no client id yet, and for its closing. */
  readonly requestNumber: number
}

/** The pending commands of one session. */
interface OfSession<T> {
  readonly token: Uint8Array
  readonly byNumber: Map<number, T>
  /** A session with another token under the same client id: somebody's guess. */
  readonly next: OfSession<T> | undefined
}

/**
 * By client id, token and number. A node looks here for each command that it applies: of most, no client of its own has anything here, and
 * that is found out by the client id alone.
 */
export class PendingTable<T> {
  /** Openings, which have no client id, by their token. */
  readonly #sessions = new Map<number | string, OfSession<T>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  *values(): Generator<T> {
    for (const first of this.#sessions.values()) {
      for (let of: OfSession<T> | undefined = first; of !== undefined; of = of.next) yield* of.byNumber.values()
    }
  }

  get(name: RequestName): T | undefined {
    const first = this.#sessions.get(keyOf(name))
    return first === undefined ? undefined : find(first, name.token)?.byNumber.get(name.requestNumber)
  }

  /** Adds a name that is not there. */
  add(name: RequestName, item: T): void {
    const key = keyOf(name)
    const first = this.#sessions.get(key)
    let ofSession = first && find(first, name.token)
    if (ofSession === undefined) {
      ofSession = { token: name.token, byNumber: new Map(), next: first }
      this.#sessions.set(key, ofSession)
    }
    ofSession.byNumber.set(name.requestNumber, item)
    this.#size++
  }

  /** Deletes a name that is there. */
  delete(name: RequestName): void {
    const key = keyOf(name)
    const first = this.#sessions.get(key)
    const ofSession = first && find(first, name.token)
    if (ofSession?.byNumber.delete(name.requestNumber) !== true) return
    this.#size--
    if (ofSession.byNumber.size > 0) return
    const rest = without(first, ofSession)
    if (rest === undefined) this.#sessions.delete(key)
    else this.#sessions.set(key, rest)
  }
}

/** The content of a command, apart from its name. */
export interface Content {
  readonly command: Uint8Array
  /** See SessionCommand. */
  readonly quotaBytes?: number
}

export function sameContent(a: Content, b: Content): boolean {
  return sameBytes(a.command, b.command) && (a.quotaBytes ?? 0) === (b.quotaBytes ?? 0)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && (a === b || Buffer.compare(a, b) === 0)
}

function keyOf({ clientId, token }: RequestName): number | string {
  return clientId === 0 ? Buffer.from(token).toString('latin1') : clientId
}

function find<T>(first: OfSession<T>, token: Uint8Array): OfSession<T> | undefined {
  let of: OfSession<T> | undefined = first
  while (of !== undefined && !sameBytes(of.token, token)) of = of.next
  return of
}

function without<T>(list: OfSession<T> | undefined, gone: OfSession<T>): OfSession<T> | undefined {
  if (list === undefined || list === gone) return list?.next
  return { ...list, next: without(list.next, gone) }
}
