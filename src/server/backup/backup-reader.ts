import type { Frame, Head, LogEntries, Trailer } from '../../gen/synod/backup/v1/backup.js'
import type { BackupPart } from '../../host/api.js'
import type { LogEntry, Slot } from '../../paxos/types.js'
import {
  type CheckpointEnd,
  type CheckpointHeader,
  type CheckpointPage,
  checkpointHeaderFromWire,
} from '../../protocol/checkpoint.js'
import { entriesFromWire } from '../../protocol/peer-entries.js'
import { keyspaceOf } from '../../storage/record-keys.js'
import { RecordTally } from '../../storage/record-tally.js'
import { checksumOf, unseal } from '../../storage/records.js'
import { BackupError } from './backup-file.js'
import { FrameSource } from './frame-source.js'

/** The state that a backup holds, and where and when it was made. */
export type BackupHead = Omit<Head, 'checkpoint'> & { readonly header: CheckpointHeader }

/** A part after the head. */
export type BodyPart = Exclude<BackupPart, { readonly header: CheckpointHeader }>

type FramePart = NonNullable<Frame['part']>

/** Reads a backup from its first byte to its last, and checks all that can be checked: whoever has seen its end may trust it. */
export class BackupReader {
  readonly head: BackupHead
  readonly #frames: FrameSource
  readonly #state = new RecordTally()
  readonly #history = new RecordTally()
  /** The kind of part that may come next. */
  #phase: 'pages' | 'entries' = 'pages'
  #frameCount = 1
  #entryCount = 0
  #lastKey: Uint8Array = new Uint8Array()
  #lastSlot: Slot

  /** Reads the head. @throws BackupError */
  static async open(chunks: AsyncIterable<Uint8Array>): Promise<BackupReader> {
    const frames = new FrameSource(chunks)
    try {
      await frames.begin()
      return new BackupReader(headOf(await frames.next()), frames)
    } catch (error) {
      await frames.close()
      throw error
    }
  }

  private constructor(head: BackupHead, frames: FrameSource) {
    this.head = head
    this.#frames = frames
    this.#lastSlot = head.header.slot
  }

  /** The last slot that has been read; at the end, the last one in the file. */
  get lastSlot(): Slot {
    return this.#lastSlot
  }

  /** The number of bytes that have been read. */
  get position(): number {
    return this.#frames.position
  }

  /** Pages, the checkpoint's end, log entries. Ends when the file has proved to be whole. Once only. @throws BackupError */
  async *parts(): AsyncGenerator<BodyPart> {
    try {
      for (;;) {
        const part = await this.#frames.next()
        if (part.$case === 'trailer') {
          this.#checkTrailer(part.value)
          return await this.#frames.end()
        }
        this.#frameCount++
        yield this.#checked(part)
      }
    } finally {
      await this.#frames.close()
    }
  }

  #checked(part: FramePart): BodyPart {
    if (part.$case === 'page' && this.#phase === 'pages') return { page: this.#checkPage(part.value) }
    if (part.$case === 'end' && this.#phase === 'pages') return { end: this.#checkEnd(part.value) }
    if (part.$case === 'entries' && this.#phase === 'entries') return { entries: this.#checkEntries(part.value) }
    throw new BackupError(`its frame ${this.#frameCount} is ${part.$case}, which has no place there`)
  }

  #checkPage({ keys, records }: Extract<FramePart, { $case: 'page' }>['value']): CheckpointPage {
    if (keys.length !== records.length) throw new BackupError(`its frame ${this.#frameCount} has keys without records`)
    const page = { keys: keys.map(asBuffer), records: records.map(asBuffer) }
    for (const [i, key] of page.keys.entries()) {
      const record = page.records[i] as Buffer
      if (key.compare(this.#lastKey) <= 0) throw new BackupError(`the keys of its frame ${this.#frameCount} do not ascend`)
      this.#lastKey = key
      checked(`frame ${this.#frameCount}`, () => unseal(key, record))
      const tally = keyspaceOf(key) === 'state' ? this.#state : this.#history
      tally.add(checksumOf(record))
    }
    return page
  }

  #checkEnd(end: CheckpointEnd): CheckpointEnd {
    const { stateCount, stateSum, historyCount, historySum } = end
    const isWhole =
      this.#state.equals({ count: stateCount, sum: stateSum }) && this.#history.equals({ count: historyCount, sum: historySum })
    if (!isWhole) throw new BackupError('its records are not those that its checkpoint had')
    this.#phase = 'entries'
    return end
  }

  #checkEntries(wire: LogEntries): LogEntry[] {
    const entries = checked(`frame ${this.#frameCount}`, () => entriesFromWire(wire.entries, 'entries'))
    for (const { slot } of entries) {
      if (slot !== this.#lastSlot + 1) throw new BackupError(`slot ${slot} follows slot ${this.#lastSlot} in it`)
      this.#lastSlot = slot
    }
    this.#entryCount += entries.length
    return entries
  }

  #checkTrailer({ frameCount, recordCount, entryCount, lastSlot }: Trailer): void {
    const isRight =
      this.#phase === 'entries' &&
      frameCount === this.#frameCount &&
      recordCount === this.#state.count + this.#history.count &&
      entryCount === this.#entryCount &&
      lastSlot === this.#lastSlot
    if (!isRight) throw new BackupError('what its trailer counts is not what it holds')
  }
}

function headOf(part: FramePart): BackupHead {
  if (part.$case !== 'head') throw new BackupError('it does not begin with a head')
  const { checkpoint, ...head } = part.value
  return { ...head, header: checked('head', () => checkpointHeaderFromWire(checkpoint, 'checkpoint')) }
}

/** Decodes what has the right checksum. */
function checked<T>(what: string, decode: () => T): T {
  try {
    return decode()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new BackupError(`its ${what} is not what a node writes: ${reason}`, { cause })
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}
