import type { Node } from '../paxos/node.js'
import type { LogRequest } from '../paxos/outbox.js'
import { CATCH_UP_PAGES } from '../paxos/replica.js'
import type { NodeId } from '../paxos/types.js'
import type { Storage } from '../storage/storage.js'
import type { Outlet } from './peers/peer-port.js'
import type { Runtime } from './runtime.js'
import type { LaggardHolds } from './watches/laggard-holds.js'

interface Settings {
  readonly node: Pick<Node, 'decidedUpTo'>
  readonly storage: Pick<Storage, 'readLog' | 'compactedUpTo'>
  readonly outlet: Outlet
  readonly runtime: Pick<Runtime, 'nowMs'>
  readonly laggardHolds: Pick<LaggardHolds, 'onAsked'>
  /** One page is read at a time, of about so many bytes. */
  readonly pageBytesMax: number
  readonly isStopped: () => boolean
  readonly onFailed: (error: Error) => void
}

/** Answers peers that catch up from the log on disk, each with one request at a time. */
export class LogServer {
  readonly #s: Settings
  /** Peers for whom the log is being read. */
  readonly #reading = new Set<NodeId>()

  constructor(settings: Settings) {
    this.#s = settings
  }

  async serve({ to, fromSlot, toSlot }: LogRequest): Promise<void> {
    if (this.#reading.has(to)) return
    this.#reading.add(to)
    const { node, storage, outlet, laggardHolds, runtime, pageBytesMax, isStopped } = this.#s
    laggardHolds.onAsked(to, { upTo: fromSlot - 1, decidedUpTo: node.decidedUpTo }, runtime.nowMs())
    try {
      let nextSlot = fromSlot
      for (let pages = 1, hasMore = true; hasMore; pages++) {
        const entries = await storage.readLog(nextSlot, toSlot, pageBytesMax)
        if (isStopped()) return
        nextSlot += entries.length
        hasMore = entries.length > 0 && nextSlot <= toSlot && pages < CATCH_UP_PAGES
        const { decidedUpTo, compactedUpTo } = { decidedUpTo: node.decidedUpTo, compactedUpTo: storage.compactedUpTo }
        outlet.send(to, { kind: 'catchUpReply', entries, decidedUpTo, compactedUpTo, hasMore })
        outlet.flush()
      }
    } catch (error) {
      this.#s.onFailed(new Error('the log of the data directory cannot be read', { cause: error }))
    } finally {
      this.#reading.delete(to)
    }
  }
}
