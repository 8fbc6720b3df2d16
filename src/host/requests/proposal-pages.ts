import type { Observer } from '../../observer/observer.js'
import type { Pending } from './pending.js'

/** A refusal comes at once or never: what was proposed together is kept so long for it. */
const PAGE_KEPT_MS = 1_000
/** The size of one proposal: all pending commands together might not fit in a message between nodes. */
const PROPOSAL_BYTES_MAX = 1 << 20

/** The commands that were handed to a leader together of late, by the number of their page: a leader refuses a page as a whole. */
export class ProposalPages {
  /** The latest last. */
  readonly #pages = new Map<number, { readonly page: readonly Pending[]; readonly atMs: number }>()
  readonly #observer: Observer | undefined
  #lastId = 0

  constructor(observer?: Observer) {
    this.#observer = observer
  }

  /** The number of the page that is added next. */
  get nextId(): number {
    return this.#lastId + 1
  }

  /** A leader has been handed that page. */
  add(page: readonly Pending[], nowMs: number): void {
    if (this.#observer !== undefined) report(this.#observer, page)
    this.#pages.set(++this.#lastId, { page, atMs: nowMs })
  }

  /** Gives a page, and forgets it; nothing of one that is not known any more. */
  take(pageId: number): readonly Pending[] {
    const found = this.#pages.get(pageId)
    this.#pages.delete(pageId)
    return found?.page ?? []
  }

  tick(nowMs: number): void {
    for (const [pageId, { atMs }] of this.#pages) {
      if (nowMs - atMs < PAGE_KEPT_MS) break
      this.#pages.delete(pageId)
    }
  }
}

function report(observer: Observer, page: readonly Pending[]): void {
  const firstCount = page.filter(({ proposalCount }) => proposalCount === 1).length
  observer.count('commandsProposed', firstCount)
  if (firstCount < page.length) observer.count('commandsRepeated', page.length - firstCount)
}

/** Cuts the next page out of what is due: from that place on, but for what has been settled meanwhile. */
export function pageOf(due: readonly Pending[], from: number): { page: Pending[]; next: number } {
  const page: Pending[] = []
  let next = from
  for (let bytes = 0; next < due.length && bytes < PROPOSAL_BYTES_MAX; next++) {
    const pending = due[next] as Pending
    if (pending.isSettled) continue
    page.push(pending)
    bytes += pending.envelope.length
  }
  return { page, next }
}
