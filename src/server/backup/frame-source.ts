import { createHash } from 'node:crypto'
import { Frame } from '../../gen/synod/backup/v1/backup.js'
import {
  BackupError,
  CHECKSUM_BYTES,
  checkPreamble,
  checksumOfFrame,
  FRAME_BYTES_MAX,
  LENGTH_BYTES,
  PREAMBLE_BYTES,
} from './backup-file.js'

/** Cuts the bytes of a backup into frames, and checks each. */
export class FrameSource {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #hash = createHash('sha256')
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #position = 0

  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** The number of bytes that have been taken. */
  get position(): number {
    return this.#position
  }

  /** @throws BackupError when these are not the bytes of a backup that this version can read */
  async begin(): Promise<void> {
    const bytes = await this.#take(PREAMBLE_BYTES, 'its first bytes')
    checkPreamble(bytes)
    this.#hash.update(bytes)
  }

  /** The next frame. @throws BackupError when it is cut or damaged */
  async next(): Promise<NonNullable<Frame['part']>> {
    const where = `the frame at byte ${this.#position}`
    const length = (await this.#peek(LENGTH_BYTES, where)).readUInt32BE(0)
    if (length > FRAME_BYTES_MAX) throw new BackupError(`${where} is damaged: it says that it is ${length} bytes long`)
    const bytes = await this.#take(LENGTH_BYTES + length + CHECKSUM_BYTES, where)
    if (bytes.readUInt32BE(LENGTH_BYTES + length) !== checksumOfFrame(bytes)) {
      throw new BackupError(`${where} is damaged: it does not match its checksum`)
    }
    const part = decode(bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length), where)
    if (part.$case === 'trailer') this.#checkTrailer(part.value.sha256)
    else this.#hash.update(bytes)
    return part
  }

  /** @throws BackupError when something follows */
  async end(): Promise<void> {
    if (await this.#fill(1)) throw new BackupError(`something follows its end, from byte ${this.#position} on`)
  }

  /** Closes the source of the bytes: nothing more will be asked for. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #checkTrailer(sha256: Uint8Array): void {
    if (!this.#hash.digest().equals(sha256)) throw new BackupError('its bytes do not match the SHA-256 in its trailer')
  }

  async #peek(count: number, what: string): Promise<Buffer> {
    if (!(await this.#fill(count))) throw new BackupError(`it was cut: ${what} is not whole, it ends at byte ${this.#end}`)
    if ((this.#waiting[0]?.length ?? 0) < count) this.#waiting = [Buffer.concat(this.#waiting)]
    const [first] = this.#waiting
    return Buffer.from(first?.buffer ?? new ArrayBuffer(0), first?.byteOffset, count)
  }

  async #take(count: number, what: string): Promise<Buffer> {
    const bytes = await this.#peek(count, what)
    const [first, ...others] = this.#waiting
    this.#waiting = first === undefined || first.length === count ? others : [first.subarray(count), ...others]
    this.#waitingBytes -= count
    this.#position += count
    return bytes
  }

  get #end(): number {
    return this.#position + this.#waitingBytes
  }

  /** False when there are not so many bytes any more. */
  async #fill(count: number): Promise<boolean> {
    while (this.#waitingBytes < count) {
      const { done, value } = await this.#chunks.next()
      if (done === true) return false
      this.#waiting.push(value)
      this.#waitingBytes += value.length
    }
    return true
  }
}

function decode(body: Uint8Array, where: string): NonNullable<Frame['part']> {
  let part: Frame['part']
  try {
    part = Frame.decode(body).part
  } catch (cause) {
    throw new BackupError(`${where} cannot be decoded`, { cause })
  }
  if (part === undefined) throw new BackupError(`${where} is of a kind that only a newer version knows`)
  return part
}
