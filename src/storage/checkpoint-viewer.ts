import { createHash } from 'node:crypto'
import type { Slot } from '../paxos/types.js'
import { type CheckpointState, endOf, unsealCheckpointState } from './checkpoint-records.js'
import type { Database } from './database.js'
import { CHECKPOINT_KEY, entryTag, GENESIS_KEY, inGeneration, KEYSPACES, keyspaceOf, rangeOfTag } from './keys.js'
import { unseal, unsealGenesis } from './records.js'
import type { SharedSnapshot } from './shared-snapshot.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointPage, CheckpointView } from './storage.js'

const ENTRIES_MAX = 1_000

/**
 * A view of the checkpoint that a snapshot holds; undefined, and the snapshot closed, when it holds none. `failed` makes of what goes
 * wrong what is thrown.
 */
export async function viewCheckpoint(settings: {
  readonly db: Database
  readonly shared: SharedSnapshot
  readonly failed: (error: unknown) => unknown
  /** Whoever reads a checkpoint needs the log after it. Gives how to let go of it. */
  readonly holdLog: (slot: Slot) => () => void
}): Promise<CheckpointView | undefined> {
  const { db, shared, failed } = settings
  try {
    const { snapshot } = shared
    const record = db.getSync(CHECKPOINT_KEY, { snapshot })
    const genesis = db.getSync(GENESIS_KEY, { snapshot })
    if (record !== undefined && genesis !== undefined) {
      const state = unsealCheckpointState(record)
      // Before the first one, the record holds only what peers have told.
      if (state.info.appliedUpTo > 0) return new View({ ...settings, state, header: headerOf(state, unsealGenesis(genesis)) })
    }
  } catch (error) {
    await shared.close()
    throw failed(error)
  }
  await shared.close()
  return undefined
}

function headerOf({ info, tallies }: CheckpointState, genesis: CheckpointHeader['genesis']): CheckpointHeader {
  const { appliedUpTo: slot, ...rest } = info
  const header = { clusterId: genesis.clusterId, slot, ...rest, genesis, bytes: tallies.bytes }
  return { checkpointId: idOf(header, endOf(tallies)), ...header }
}

/** The same on every node whose checkpoint has the same entries: a transfer may go on with another node. */
function idOf(header: Omit<CheckpointHeader, 'checkpointId' | 'genesis'>, end: CheckpointEnd): string {
  const { clusterId, slot, timeMs, stateDigest, memberships, boundarySlots, boundaryCommands, bytes } = header
  const known = [clusterId, slot, timeMs, stateDigest, boundarySlots, boundaryCommands, bytes, memberships, Object.values(end)]
  return createHash('sha256').update(JSON.stringify(known)).digest('hex').slice(0, 32)
}

class View implements CheckpointView {
  readonly header: CheckpointHeader
  readonly end: CheckpointEnd
  readonly #db: Database
  readonly #shared: SharedSnapshot
  readonly #state: CheckpointState
  readonly #failed: (error: unknown) => unknown
  readonly #letGo: () => void

  constructor(settings: {
    readonly db: Database
    readonly shared: SharedSnapshot
    readonly failed: (error: unknown) => unknown
    readonly holdLog: (slot: Slot) => () => void
    readonly state: CheckpointState
    readonly header: CheckpointHeader
  }) {
    this.header = settings.header
    this.end = endOf(settings.state.tallies)
    this.#db = settings.db
    this.#shared = settings.shared
    this.#state = settings.state
    this.#failed = settings.failed
    this.#letGo = settings.holdLog(settings.header.slot)
  }

  async *pages(afterKey: Uint8Array | undefined, pageBytes: number): AsyncGenerator<CheckpointPage> {
    let page: { keys: Buffer[]; records: Buffer[] } = { keys: [], records: [] }
    let bytes = 0
    for await (const entries of this.#entries(afterKey, pageBytes)) {
      for (const [key, record] of entries) {
        page.keys.push(inGeneration(key, 0))
        page.records.push(record)
        bytes += key.length + record.length
        if (bytes < pageBytes) continue
        yield page
        page = { keys: [], records: [] }
        bytes = 0
      }
    }
    if (page.keys.length > 0) yield page
  }

  close(): Promise<void> {
    this.#letGo()
    return this.#shared.close()
  }

  async *#entries(afterKey: Uint8Array | undefined, readAheadBytes: number): AsyncGenerator<[Buffer, Buffer][]> {
    const { generation } = this.#state
    const after = afterKey && inGeneration(afterKey, generation)
    for (const keyspace of KEYSPACES) {
      const { gte, lt } = rangeOfTag(entryTag(keyspace, generation))
      if (after !== undefined && Buffer.compare(after, lt) >= 0) continue
      const isWithin = after !== undefined && keyspaceOf(after) === keyspace
      const options = { lt, highWaterMarkBytes: readAheadBytes, fillCache: false, snapshot: this.#shared.snapshot }
      const iterator = this.#db.iterator(isWithin ? { gt: after, ...options } : { gte, ...options })
      try {
        for (;;) {
          const found = await iterator.nextv(ENTRIES_MAX)
          if (found.length === 0) break
          for (const [key, record] of found) unseal(key, record)
          yield found
        }
      } catch (error) {
        throw this.#failed(error)
      } finally {
        await iterator.close()
      }
    }
  }
}
