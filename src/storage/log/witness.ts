import { closeSync, fdatasync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { crc32 } from 'node:zlib'

// When the end of LevelDB's log is cut, deleted or damaged, LevelDB drops it without an error. The chain of writes has no hole then:
// it only ends early. The witness is a file outside the database that holds the number of the last durable write.
//
// It is written after each write is durable and before that write is reported, but it is not synced each time. After a crash of the
// process it is exact. After a crash of the machine it may be older than the database. It is newer only when the database has lost
// writes. Two slots are written in turn, so that a torn write leaves the other one intact.
//
//   slot: "SYNW", format (1 byte), 3 zero bytes, number (8 bytes, big-endian), data-dir id (16 bytes), CRC-32 of all that (4 bytes)

const SLOT_BYTES = 36
/** Offsets of the two slots, each on a page of its own. */
const SLOT_OFFSETS = [0, 4_096] as const
const MAGIC = 0x53594e57
const WITNESS_FORMAT = 1
const NUMBER_AT = 8
const ID_AT = 16
const CHECKSUM_AT = SLOT_BYTES - 4
const SYNC_DELAY_MS = 1_000

/** Records the number of the last durable write. */
export interface WriteWitness {
  /** Records that the write of this number is durable. @throws when it cannot be recorded */
  record(number: number): void
  close(): Promise<void>
}

export class Witness implements WriteWitness {
  readonly #fd: number
  /** Reused for each write. */
  readonly #slot: Buffer
  readonly #onError: (error: Error) => void
  #nextOffset = 0
  #isDirty = false
  #timer: NodeJS.Timeout | undefined
  #syncing: Promise<void> = Promise.resolve()

  private constructor(fd: number, dataDirId: string, onError: (error: Error) => void) {
    this.#fd = fd
    this.#slot = emptySlot(dataDirId)
    this.#onError = onError
  }

  /** Opens the file. `onError` receives the error of a failed background sync. */
  static open(path: string, dataDirId: string, onError: (error: Error) => void): Witness {
    return new Witness(openSync(path, 'r+'), dataDirId, onError)
  }

  /** Records that the write of this number is durable. @throws when the file cannot be written */
  record(number: number): void {
    fillSlot(this.#slot, number)
    writeSync(this.#fd, this.#slot, 0, SLOT_BYTES, SLOT_OFFSETS[this.#nextOffset])
    this.#nextOffset = 1 - this.#nextOffset
    this.#isDirty = true
    this.#timer ??= setTimeout(() => this.#syncLater(), SYNC_DELAY_MS).unref()
  }

  /** Syncs the file if needed, and closes it. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#syncing
    try {
      if (this.#isDirty) fdatasyncSync(this.#fd)
    } finally {
      closeSync(this.#fd)
    }
  }

  #syncLater(): void {
    this.#timer = undefined
    this.#isDirty = false
    this.#syncing = new Promise((resolve) => {
      fdatasync(this.#fd, (error) => {
        if (error !== null) this.#onError(error)
        resolve()
      })
    })
  }
}

/** Returns the contents of a new witness file: both slots hold `number`. */
export function newWitness(dataDirId: string, number: number): Buffer {
  const slot = emptySlot(dataDirId)
  fillSlot(slot, number)
  const contents = Buffer.alloc(SLOT_OFFSETS[1] + SLOT_BYTES)
  for (const offset of SLOT_OFFSETS) slot.copy(contents, offset)
  return contents
}

/** Returns the highest number in a valid slot; undefined when no slot is valid for this directory. @throws when the file cannot be read */
export function readWitness(path: string, dataDirId: string): number | undefined {
  const fd = openSync(path, 'r')
  try {
    const numbers = SLOT_OFFSETS.map((offset) => {
      const slot = Buffer.alloc(SLOT_BYTES)
      readSync(fd, slot, 0, SLOT_BYTES, offset)
      return numberInSlot(slot, dataDirId)
    }).filter((number) => number !== undefined)
    return numbers.length === 0 ? undefined : Math.max(...numbers)
  } finally {
    closeSync(fd)
  }
}

function emptySlot(dataDirId: string): Buffer {
  const slot = Buffer.alloc(SLOT_BYTES)
  slot.writeUInt32BE(MAGIC, 0)
  slot[4] = WITNESS_FORMAT
  slot.write(dataDirId.replaceAll('-', ''), ID_AT, 'hex')
  return slot
}

function fillSlot(slot: Buffer, number: number): void {
  slot.writeUInt32BE(Math.floor(number / 2 ** 32), NUMBER_AT)
  slot.writeUInt32BE(number % 2 ** 32, NUMBER_AT + 4)
  slot.writeUInt32BE(crc32(slot.subarray(0, CHECKSUM_AT)), CHECKSUM_AT)
}

function numberInSlot(slot: Buffer, dataDirId: string): number | undefined {
  const expected = emptySlot(dataDirId)
  const number = slot.readUInt32BE(NUMBER_AT) * 2 ** 32 + slot.readUInt32BE(NUMBER_AT + 4)
  fillSlot(expected, number)
  return slot.equals(expected) ? number : undefined
}
