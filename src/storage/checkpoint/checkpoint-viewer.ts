import { createHash } from 'node:crypto'
import type { DatabaseView } from '../leveldb/database-view.js'
import type { LinkedWriter } from '../log/linked-writer.js'
import { entryTag, inGeneration, KEYSPACES, type Keyspace, keyspaceOf, UNDO_TAG } from '../record-keys.js'
import { unseal, unsealUndoPage } from '../records.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointPage, CheckpointView } from '../storage.js'
import { notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { type CheckpointState, endOf } from './checkpoint-records.js'
import { SharedView } from './shared-view.js'
import { UndoneEntries } from './undone-entries.js'

/** A view of the database and the checkpoint that was committed in it. */
interface CheckpointSource {
  readonly shared: SharedView
  readonly state: CheckpointState
  readonly genesis: CheckpointHeader['genesis'] | undefined
}

/** Makes views of the durable checkpoint. All views of one checkpoint share one view of the database. */
export class CheckpointViewer {
  readonly #writer: LinkedWriter
  readonly #stateNow: () => CheckpointState
  readonly #failed: (error: unknown) => unknown
  /** The newest one; it may be closed. */
  #last: CheckpointSource | undefined

  /** `failed` turns an error of a read into the error that is thrown. */
  constructor(
    writer: LinkedWriter,
    settings: { readonly stateNow: () => CheckpointState; readonly failed: (error: unknown) => unknown },
  ) {
    this.#writer = writer
    this.#stateNow = settings.stateNow
    this.#failed = settings.failed
  }

  /** Returns a view; undefined when there is no checkpoint. */
  async view(): Promise<CheckpointView | undefined> {
    // Before the first checkpoint the state holds only marks and addresses of peers.
    if (this.#stateNow().info.appliedUpTo === 0) return undefined
    const source = await this.#openSource()
    const { genesis, state } = source
    if (genesis === undefined) {
      await source.shared.close()
      return undefined
    }
    const releaseLog = this.#writer.hold(state.info.appliedUpTo)
    return new SourceView({ source, header: headerOf(state, genesis), failed: this.#failed, releaseLog })
  }

  /** Returns the checkpoint's 'state' entries in pages. */
  async *state(): AsyncGenerator<[Buffer, Buffer][]> {
    const { shared, state } = await this.#openSource()
    try {
      yield* entriesIn(shared.view, { state, keyspaces: ['state'], after: undefined })
    } catch (error) {
      throw this.#failed(error)
    } finally {
      await shared.close()
    }
  }

  async #openSource(): Promise<CheckpointSource> {
    const last = this.#last
    if (last !== undefined && last.state.info === this.#stateNow().info) {
      const shared = last.shared.share()
      if (shared !== undefined) return { ...last, shared }
    }
    try {
      this.#last = await this.#writer.view((view) => {
        return { shared: new SharedView(view), state: this.#stateNow(), genesis: this.#writer.rules.genesis }
      })
      return this.#last
    } catch (error) {
      const isSystemError = systemCodeOf(error) !== '' && !(error instanceof StorageError)
      throw this.#failed(isSystemError ? notWritable(this.#writer.path, error) : error)
    }
  }
}

function headerOf({ info, tallies }: CheckpointState, genesis: CheckpointHeader['genesis']): CheckpointHeader {
  const { appliedUpTo: slot, ...rest } = info
  const header = { clusterId: genesis.clusterId, slot, ...rest, genesis, bytes: tallies.bytes }
  return { checkpointId: idOf(header, endOf(tallies)), ...header }
}

/**
 * Returns the id of a checkpoint. It is the same on every node with the same entries, so that a transfer can be resumed from another
 * node.
 */
function idOf(header: Omit<CheckpointHeader, 'checkpointId' | 'genesis'>, end: CheckpointEnd): string {
  const { clusterId, slot, timeMs, stateDigest, memberships, boundarySlots, boundaryCommands, bytes } = header
  const known = [clusterId, slot, timeMs, stateDigest, boundarySlots, boundaryCommands, bytes, memberships, Object.values(end)]
  return createHash('sha256').update(JSON.stringify(known)).digest('hex').slice(0, 32)
}

class SourceView implements CheckpointView {
  readonly header: CheckpointHeader
  readonly end: CheckpointEnd
  readonly #source: CheckpointSource
  readonly #failed: (error: unknown) => unknown
  readonly #releaseLog: () => void

  constructor(settings: {
    readonly source: CheckpointSource
    readonly header: CheckpointHeader
    readonly failed: (error: unknown) => unknown
    readonly releaseLog: () => void
  }) {
    this.header = settings.header
    this.end = endOf(settings.source.state.tallies)
    this.#source = settings.source
    this.#failed = settings.failed
    this.#releaseLog = settings.releaseLog
  }

  async *pages(afterKey: Uint8Array | undefined, pageBytes: number): AsyncGenerator<CheckpointPage> {
    let page: { keys: Buffer[]; records: Buffer[] } = { keys: [], records: [] }
    let bytes = 0
    for await (const entries of this.#entries(afterKey)) {
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
    this.#releaseLog()
    return this.#source.shared.close()
  }

  async *#entries(afterKey: Uint8Array | undefined): AsyncGenerator<[Buffer, Buffer][]> {
    const { shared, state } = this.#source
    const after = afterKey && inGeneration(afterKey, state.generation)
    const first = after && keyspaceOf(after)
    const keyspaces = first === undefined ? KEYSPACES : KEYSPACES.slice(KEYSPACES.indexOf(first))
    try {
      yield* entriesIn(shared.view, { state, keyspaces, after })
    } catch (error) {
      throw this.#failed(error)
    }
  }
}

/** Returns the entries of a committed checkpoint in pages; each record's checksum is checked. */
async function* entriesIn(
  view: DatabaseView,
  wanted: { readonly state: CheckpointState; readonly keyspaces: readonly Keyspace[]; readonly after: Buffer | undefined },
): AsyncGenerator<[Buffer, Buffer][]> {
  const { state, keyspaces, after } = wanted
  // A part of the next checkpoint may be on disk already. Its undo pages come first in key order.
  const undone = new UndoneEntries()
  const tags = keyspaces.map((keyspace) => entryTag(keyspace, state.generation))
  const isWanted = ([key]: [Buffer, Buffer]): boolean =>
    tags.includes(key[0] ?? 0) && (after === undefined || Buffer.compare(key, after) > 0)
  for await (const page of view.pages({ tags: [UNDO_TAG, ...tags], from: after })) {
    const entries: [Buffer, Buffer][] = []
    for (const entry of page) {
      const [key, record] = entry
      if (key[0] === UNDO_TAG) undone.addPage(unsealUndoPage(key, record))
      else if (undone.isEmpty) entries.push(entry)
      else entries.push(...undone.inPlaceOf(key, record))
    }
    yield entries.filter(isWanted).map(checked)
  }
  yield [...undone.rest()].filter(isWanted).map(checked)
}

function checked(entry: [Buffer, Buffer]): [Buffer, Buffer] {
  unseal(...entry)
  return entry
}
