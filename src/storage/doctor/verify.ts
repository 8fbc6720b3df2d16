import { ChainLink, type Owner } from '../../gen/synod/storage/v1/storage.js'
import type { Genesis, LogEntry } from '../../paxos/types.js'
import type { RaisedLevel } from '../../replication/levels.js'
import {
  type CheckpointState,
  type IncomingState,
  noCheckpointState,
  unsealCheckpointState,
  unsealIncomingState,
} from '../checkpoint/checkpoint-records.js'
import { StatePages } from '../checkpoint/state-pages.js'
import { UndoneEntries } from '../checkpoint/undone-entries.js'
import { LogIndex } from '../log/log-index.js'
import {
  APPLY_FAILURE_KEY,
  CHAIN_TAG,
  CHECKPOINT_KEY,
  GENESIS_KEY,
  generationOf,
  INCOMING_KEY,
  keyspaceOf,
  LOG_TAG,
  META_TAG,
  OWNER_KEY,
  UNDO_TAG,
  UNSUPPORTED_LEVEL_KEY,
} from '../record-keys.js'
import { RecordTally } from '../record-tally.js'
import {
  checksumOf,
  numberIn,
  RecordError,
  unknownKey,
  unseal,
  unsealApplyFailure,
  unsealGenesis,
  unsealLink,
  unsealLogEntry,
  unsealOwner,
  unsealUndoPage,
  unsealUnsupportedLevel,
} from '../records.js'
import type { ApplyFailure } from '../storage.js'

/** The contents of a database that a storage keeps in memory. */
export interface Contents {
  readonly owner: Owner
  /** The newest link of the chain. */
  readonly head: ChainLink
  /** The number of that link. */
  readonly lastNumber: number
  /** Bytes of each write whose link is kept, the oldest first. */
  readonly writeSizes: number[]
  readonly genesis: Genesis | undefined
  readonly checkpoint: CheckpointState
  /** A checkpoint from a peer: the part received so far. */
  readonly incoming: IncomingState | undefined
  /** The failure that is not resolved yet. */
  readonly applyFailure: ApplyFailure | undefined
  readonly unsupportedLevel: RaisedLevel | undefined
  /** Log entries above decidedUpTo, ascending. */
  readonly open: readonly LogEntry[]
  readonly log: LogIndex
  /** The checkpoint's state entries. */
  readonly statePages: StatePages
  /** Count of the undo pages of an unfinished checkpoint. */
  readonly undoPageCount: number
}

export interface VerifyOptions {
  /** True when the pages have no history entries: these are checked when they are read. */
  readonly skipsHistory: boolean
}

/**
 * Reads every record of the database in the order of the keys. Checks each record by itself, and all records against the head of the
 * chain: none is missing, changed, older than the last one written, or revived after its removal.
 *
 * @throws RecordError that names the problem; errors of reading
 */
export async function verify(pages: AsyncIterable<[Buffer, Buffer][]>, options: VerifyOptions): Promise<Contents> {
  const verifier = new Verifier(options)
  for await (const page of pages) for (const [key, record] of page) verifier.onRecord(key, record)
  return verifier.finish()
}

/** Receives records in the order of their tags: undo pages, chain, history, log, single records, state. */
class Verifier {
  readonly #options: VerifyOptions
  #lastNumber = 0
  #head: ChainLink | undefined
  readonly #writeSizes: number[] = []
  #owner: Owner | undefined
  #genesis: { readonly genesis: Genesis; readonly checksum: number } | undefined
  #checkpoint: { readonly checkpoint: CheckpointState; readonly checksum: number } | undefined
  #incoming: IncomingState | undefined
  #applyFailure: ApplyFailure | undefined
  #unsupportedLevel: RaisedLevel | undefined
  #log: LogIndex | undefined
  readonly #open: LogEntry[] = []
  /** Tallies of the entries found, by generation. */
  readonly #tallies = [0, 1].map(() => ({ state: new RecordTally(), history: new RecordTally() }))
  readonly #statePages = new StatePages()
  readonly #undone = new UndoneEntries()

  constructor(options: VerifyOptions) {
    this.#options = options
  }

  /** @throws RecordError */
  onRecord(key: Buffer, record: Buffer): void {
    const tag: number | undefined = key[0]
    switch (tag) {
      case UNDO_TAG:
        return this.#undone.addPage(unsealUndoPage(key, record))
      case CHAIN_TAG:
        return this.#onLink(key, record)
      case LOG_TAG:
        return this.#onLogEntry(key, record)
      case META_TAG:
        return this.#onSingle(key, record)
      case undefined:
      default:
        if (keyspaceOf(key) === undefined) throw unknownKey(key)
        if (this.#undone.isEmpty) this.#onEntry(key, record)
        else for (const [k, r] of this.#undone.inPlaceOf(key, record)) this.#onEntry(k, r)
    }
  }

  finish(): Contents {
    for (const [key, record] of this.#undone.rest()) this.#onEntry(key, record)
    const head = this.#needHead()
    const log = this.#needLog()
    const checkpoint = this.#checkpoint?.checkpoint ?? noCheckpointState()
    if (log.decidedUpTo < head.decidedUpTo) throw missing(`slot ${log.decidedUpTo + 1} of the log`)
    if (!new RecordTally(log).equals(head.log ?? NOTHING))
      throw new RecordError('the log has lost entries, or old ones have come back')
    if ((this.#genesis?.checksum ?? 0) !== head.genesisChecksum) throw new RecordError('the genesis is missing, or another one')
    if ((this.#checkpoint?.checksum ?? 0) !== head.checkpointChecksum) {
      throw new RecordError('the record of the checkpoint is missing, or an old one')
    }
    if (head.compactedUpTo > checkpoint.info.appliedUpTo) {
      throw new RecordError(
        `the log begins after slot ${head.compactedUpTo}, but the checkpoint holds slots up to ${checkpoint.info.appliedUpTo}`,
      )
    }
    this.#checkEntries(checkpoint)
    if (this.#owner === undefined) throw missing('the record of the owner')
    return {
      owner: this.#owner,
      head,
      lastNumber: this.#lastNumber,
      writeSizes: this.#writeSizes,
      genesis: this.#genesis?.genesis,
      checkpoint,
      incoming: this.#incoming,
      applyFailure: this.#applyFailure,
      unsupportedLevel: this.#unsupportedLevel,
      open: this.#open,
      log,
      statePages: this.#statePages,
      undoPageCount: this.#undone.pageCount,
    }
  }

  #checkEntries({ generation, tallies }: CheckpointState): void {
    const found = this.#tallies[generation]
    const isWhole = found?.state.equals(tallies.state) === true
    if (!isWhole || !(this.#options.skipsHistory || found.history.equals(tallies.history))) {
      throw new RecordError('the checkpoint has lost entries, or old ones have come back')
    }
    if (this.#incoming === undefined) return
    const staged = this.#tallies[1 - generation]
    const { state, history } = this.#incoming.tallies
    if (staged?.state.equals(state) !== true || !(this.#options.skipsHistory || staged.history.equals(history))) {
      throw new RecordError("a peer's checkpoint has lost entries, or old ones have come back")
    }
  }

  #onEntry(key: Buffer, record: Buffer): void {
    const generation = generationOf(key)
    const tallies = this.#tallies[generation]
    const keyspace = keyspaceOf(key)
    if (keyspace === 'history' && this.#options.skipsHistory) return
    const value = unseal(key, record)
    if (keyspace === 'history') tallies?.history.add(checksumOf(record))
    else tallies?.state.add(checksumOf(record))
    if (keyspace === 'state' && generation === (this.#checkpoint?.checkpoint.generation ?? 0)) this.#statePages.add(key, value)
  }

  #onLink(key: Buffer, record: Buffer): void {
    const number = numberIn(key)
    const link = unsealLink(key, record)
    if (this.#head !== undefined && number !== this.#lastNumber + 1) {
      throw missing(`write ${this.#lastNumber + 1} of the chain, with ${number - this.#lastNumber - 1} in a row,`)
    }
    this.#writeSizes.push(link.writeBytes)
    this.#lastNumber = number
    this.#head = link
  }

  /** Returns the newest link. Links come before all records that need it. @throws RecordError when links are missing */
  #needHead(): ChainLink {
    const head = this.#head
    if (head === undefined) throw missing('the chain of writes')
    const first = this.#lastNumber - this.#writeSizes.length + 1
    if (first > head.firstKept) throw missing(`write ${head.firstKept} of the chain`)
    if (first < head.firstKept) throw new RecordError(`write ${first} of the chain has come back`)
    return head
  }

  #needLog(): LogIndex {
    this.#log ??= new LogIndex(this.#head?.compactedUpTo ?? 0)
    return this.#log
  }

  #onLogEntry(key: Buffer, record: Buffer): void {
    const log = this.#needLog()
    const { decidedUpTo, compactedUpTo } = this.#head ?? ChainLink.create()
    const slot = numberIn(key)
    unseal(key, record)
    if (slot <= compactedUpTo) throw new RecordError(`slot ${slot} of the log has come back`)
    const lastSlot = this.#open.at(-1)?.slot ?? log.decidedUpTo
    if (slot <= decidedUpTo + 1 && slot !== lastSlot + 1) throw missing(`slot ${lastSlot + 1} of the log`)
    log.put(slot, checksumOf(record), key.length + record.length)
    if (slot <= decidedUpTo) log.decide(slot)
    else this.#open.push(unsealLogEntry(key, record))
  }

  #onSingle(key: Buffer, record: Buffer): void {
    if (key.equals(OWNER_KEY)) this.#owner = unsealOwner(record)
    else if (key.equals(GENESIS_KEY)) this.#genesis = { genesis: unsealGenesis(record), checksum: checksumOf(record) }
    else if (key.equals(CHECKPOINT_KEY)) {
      this.#checkpoint = { checkpoint: unsealCheckpointState(record), checksum: checksumOf(record) }
    } else if (key.equals(INCOMING_KEY)) this.#incoming = unsealIncomingState(record)
    else if (key.equals(APPLY_FAILURE_KEY)) this.#applyFailure = unsealApplyFailure(record)
    else if (key.equals(UNSUPPORTED_LEVEL_KEY)) this.#unsupportedLevel = unsealUnsupportedLevel(record)
    else throw unknownKey(key)
  }
}

const NOTHING = { count: 0, sum: 0 }

function missing(what: string): RecordError {
  return new RecordError(`${what} is missing`)
}
