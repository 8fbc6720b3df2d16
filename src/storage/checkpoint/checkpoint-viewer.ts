import { createHash } from 'node:crypto'
import type { DatabaseView } from '../leveldb/database.js'
import type { LinkedWriter } from '../log/linked-writer.js'
import { entryTag, inGeneration, KEYSPACES, type Keyspace, keyspaceOf, UNDO_TAG } from '../record-keys.js'
import { unseal, unsealUndoPage } from '../records.js'
import type { CheckpointEnd, CheckpointHeader, CheckpointPage, CheckpointView } from '../storage.js'
import { notWritable, StorageError, systemCodeOf } from '../storage-error.js'
import { type CheckpointState, endOf } from './checkpoint-records.js'
import { SharedView } from './shared-view.js'
import { UndoneEntries } from './undone-entries.js'

/** A view of the database, and the checkpoint that was committed there. */
interface Viewed {
  readonly shared: SharedView
  readonly state: CheckpointState
  readonly genesis: CheckpointHeader['genesis'] | undefined
}

/** Gives views of the durable checkpoint. Of one checkpoint there is one view of the database, however many read it. */
export class CheckpointViewer {
  readonly #writer: LinkedWriter
  readonly #stateNow: () => CheckpointState
  readonly #failed: (error: unknown) => unknown
  /** Perhaps closed. */
  #last: Viewed | undefined

  /** `failed` makes of what goes wrong what is thrown. */
  constructor(
    writer: LinkedWriter,
    settings: { readonly stateNow: () => CheckpointState; readonly failed: (error: unknown) => unknown },
  ) {
    this.#writer = writer
    this.#stateNow = settings.stateNow
    this.#failed = settings.failed
  }

  /** Undefined when there is no checkpoint. */
  async view(): Promise<CheckpointView | undefined> {
    // Before the first one, the state holds only what peers have told.
    if (this.#stateNow().info.appliedUpTo === 0) return undefined
    const viewed = await this.#look()
    const { genesis, state } = viewed
    if (genesis === undefined) {
      await viewed.shared.close()
      return undefined
    }
    const letGo = this.#writer.hold(state.info.appliedUpTo)
    return new View({ viewed, header: headerOf(state, genesis), failed: this.#failed, letGo })
  }

  /** The checkpoint's 'state' entries, in pages. */
  async *state(): AsyncGenerator<[Buffer, Buffer][]> {
    const { shared, state } = await this.#look()
    try {
      yield* entriesIn(shared.view, { state, keyspaces: ['state'], after: undefined })
    } catch (error) {
      throw this.#failed(error)
    } finally {
      await shared.close()
    }
  }

  async #look(): Promise<Viewed> {
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
      const isOfFiles = systemCodeOf(error) !== '' && !(error instanceof StorageError)
      throw this.#failed(isOfFiles ? notWritable(this.#writer.path, error) : error)
    }
  }
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
  readonly #viewed: Viewed
  readonly #failed: (error: unknown) => unknown
  readonly #letGo: () => void

  constructor(settings: {
    readonly viewed: Viewed
    readonly header: CheckpointHeader
    readonly failed: (error: unknown) => unknown
    readonly letGo: () => void
  }) {
    this.header = settings.header
    this.end = endOf(settings.viewed.state.tallies)
    this.#viewed = settings.viewed
    this.#failed = settings.failed
    this.#letGo = settings.letGo
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
    this.#letGo()
    return this.#viewed.shared.close()
  }

  async *#entries(afterKey: Uint8Array | undefined): AsyncGenerator<[Buffer, Buffer][]> {
    const { shared, state } = this.#viewed
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

/** The entries of a committed checkpoint, in pages; each record's checksum is checked. */
async function* entriesIn(
  view: DatabaseView,
  wanted: { readonly state: CheckpointState; readonly keyspaces: readonly Keyspace[]; readonly after: Buffer | undefined },
): AsyncGenerator<[Buffer, Buffer][]> {
  const { state, keyspaces, after } = wanted
  // A part of the next checkpoint may stand there already, with the undo pages before it.
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
