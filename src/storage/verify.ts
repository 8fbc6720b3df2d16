import { ChainLink, type Checkpoint, type Owner } from '../gen/synod/storage/v1/storage.js'
import type { Genesis, LogEntry, Slot } from '../paxos/types.js'
import { type Database, scan } from './database.js'
import {
  CHAIN_TAG,
  CHECKPOINT_KEY,
  checksumOf,
  GENESIS_KEY,
  LOG_TAG,
  META_TAG,
  numberOfKey,
  OWNER_KEY,
  RecordError,
  STATE_TAG,
  unseal,
  unsealCheckpoint,
  unsealGenesis,
  unsealLink,
  unsealLogEntry,
  unsealOwner,
} from './records.js'
import { Tally } from './tally.js'

/** All that a storage keeps in memory of its database. */
export interface Contents {
  readonly owner: Owner
  /** The newest link of the chain. */
  readonly head: ChainLink
  /** Its number. */
  readonly lastNumber: number
  /** The bytes of each write whose link is kept, the oldest first. */
  readonly writeSizes: number[]
  readonly genesis: Genesis | undefined
  readonly checkpoint: Checkpoint | undefined
  /** Above decidedUpTo, ascending. */
  readonly open: readonly LogEntry[]
  /** Their records' checksums. */
  readonly openChecksums: Map<Slot, number>
  readonly log: Tally
  readonly state: Tally
}

/**
 * Reads every record of the database once and checks each by itself and all against the head of the chain: nothing is missing,
 * changed, older than it was or back from the dead. Holds one page of records at a time.
 *
 * @throws RecordError that says what is wrong; and what LevelDB throws
 */
export async function verify(db: Database): Promise<Contents> {
  const verifier = new Verifier()
  for await (const page of scan(db, {})) {
    for (const [key, record] of page) verifier.onRecord(key, record)
  }
  return verifier.finish()
}

/** Sees the records in the order of their keys: the chain, the log, the single records, the checkpoint's entries. */
class Verifier {
  #lastNumber = 0
  #head: ChainLink | undefined
  readonly #writeSizes: number[] = []
  #owner: Owner | undefined
  #genesis: { readonly genesis: Genesis; readonly checksum: number } | undefined
  #checkpoint: { readonly checkpoint: Checkpoint; readonly checksum: number } | undefined
  #lastSlot: Slot = 0
  readonly #open: LogEntry[] = []
  readonly #openChecksums = new Map<Slot, number>()
  readonly #log = new Tally()
  readonly #state = new Tally()

  onRecord(key: Buffer, record: Buffer): void {
    const tag: number | undefined = key[0]
    switch (tag) {
      case CHAIN_TAG:
        return this.#onLink(key, record)
      case LOG_TAG:
        return this.#onLogEntry(key, record)
      case META_TAG:
        return this.#onSingle(key, record)
      case STATE_TAG:
        unseal(key, record)
        return this.#state.add(checksumOf(record))
      case undefined:
      default:
        throw new RecordError(`the key ${key.toString('hex')} is not one of ours`)
    }
  }

  finish(): Contents {
    const head = this.#needHead()
    if (this.#lastSlot < head.decidedUpTo) throw missing(`slot ${this.#lastSlot + 1} of the log`)
    if (!this.#log.equals(head.log ?? NOTHING)) throw new RecordError('the log has lost entries, or old ones have come back')
    if ((this.#genesis?.checksum ?? 0) !== head.genesisChecksum) throw new RecordError('the genesis is missing, or another one')
    if ((this.#checkpoint?.checksum ?? 0) !== head.checkpointChecksum) {
      throw new RecordError('the record of the checkpoint is missing, or an old one')
    }
    if (!this.#state.equals(this.#checkpoint?.checkpoint.state ?? NOTHING)) {
      throw new RecordError('the checkpoint has lost entries, or old ones have come back')
    }
    if (this.#owner === undefined) throw missing('the record of the owner')
    return {
      owner: this.#owner,
      head,
      lastNumber: this.#lastNumber,
      writeSizes: this.#writeSizes,
      genesis: this.#genesis?.genesis,
      checkpoint: this.#checkpoint?.checkpoint,
      open: this.#open,
      openChecksums: this.#openChecksums,
      log: this.#log,
      state: this.#state,
    }
  }

  #onLink(key: Buffer, record: Buffer): void {
    const number = numberOfKey(key)
    const link = unsealLink(key, record)
    if (this.#head !== undefined && number !== this.#lastNumber + 1) {
      throw missing(`write ${this.#lastNumber + 1} of the chain, with ${number - this.#lastNumber - 1} in a row,`)
    }
    this.#writeSizes.push(link.writeBytes)
    this.#lastNumber = number
    this.#head = link
  }

  /** Every link comes before anything that needs it. */
  #needHead(): ChainLink {
    const head = this.#head
    if (head === undefined) throw missing('the chain of writes')
    const first = this.#lastNumber - this.#writeSizes.length + 1
    if (first > head.firstKept) throw missing(`write ${head.firstKept} of the chain`)
    if (first < head.firstKept) throw new RecordError(`write ${first} of the chain has come back`)
    return head
  }

  #onLogEntry(key: Buffer, record: Buffer): void {
    const { decidedUpTo } = this.#head ?? ChainLink.create()
    const slot = numberOfKey(key)
    unseal(key, record)
    if (slot <= decidedUpTo + 1 && slot !== this.#lastSlot + 1) throw missing(`slot ${this.#lastSlot + 1} of the log`)
    this.#lastSlot = slot
    this.#log.add(checksumOf(record))
    if (slot <= decidedUpTo) return
    this.#open.push(unsealLogEntry(key, record))
    this.#openChecksums.set(slot, checksumOf(record))
  }

  #onSingle(key: Buffer, record: Buffer): void {
    if (key.equals(OWNER_KEY)) this.#owner = unsealOwner(record)
    else if (key.equals(GENESIS_KEY)) this.#genesis = { genesis: unsealGenesis(record), checksum: checksumOf(record) }
    else if (key.equals(CHECKPOINT_KEY)) {
      this.#checkpoint = { checkpoint: unsealCheckpoint(record), checksum: checksumOf(record) }
    } else throw new RecordError(`the key ${key.toString('hex')} is not one of ours`)
  }
}

const NOTHING = { count: 0, sum: 0 }

function missing(what: string): RecordError {
  return new RecordError(`${what} is missing`)
}
