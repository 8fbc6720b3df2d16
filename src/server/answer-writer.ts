import type { Answer, ConnectResponse } from '../gen/synod/session/v1/session.js'
import { AnswerBuffer } from './answer-buffer.js'
import type { UntakenAnswers } from './untaken-answers.js'

/** No more than this is written and not taken by the client. */
const UNTAKEN_BYTES_MAX = 4 * 1_024 * 1_024

/** The writing half of a stream's transport. */
export interface FrameOutlet {
  /** The connection, which several streams may share. */
  readonly client: string
  /** False while the transport has no room for more, until it has drained. `onTaken` is called when the frame has left. */
  write(response: ConnectResponse, onTaken: () => void): boolean
}

/** Counts the answers that one stream owes, and writes them in frames as the client takes them. */
export class AnswerWriter {
  readonly #outlet: FrameOutlet
  readonly #untaken: UntakenAnswers
  readonly #onRoom: () => void
  readonly #answers = new AnswerBuffer()
  #owedCount = 0
  /** False from the write that fills the transport's buffer, which counts frames, until it has drained. */
  #isDrained = true
  /** Total size of the answers in the transport's buffer. */
  #untakenBytes = 0
  #isClosed = false

  /** @param onRoom called when the client has made room for more */
  constructor(outlet: FrameOutlet, untaken: UntakenAnswers, onRoom: () => void) {
    this.#outlet = outlet
    this.#untaken = untaken
    this.#onRoom = onRoom
  }

  /** Requests whose answer has not been handed to the transport. */
  get owedCount(): number {
    return this.#owedCount
  }

  /** Total size of the answers that wait to be written. */
  get waitingBytes(): number {
    return this.#answers.bytes
  }

  /** A frame would be taken at once. What the stream waits for is its own client: only then is it told when it may go on. */
  get isWritable(): boolean {
    if (!this.#isDrained || this.#untakenBytes >= UNTAKEN_BYTES_MAX) return false
    return this.#untakenBytes === 0 || this.hasSharedRoom
  }

  /** The answers that the connection has not taken leave room for more, over all its streams. */
  get hasSharedRoom(): boolean {
    return this.#untaken.hasRoom(this.#outlet.client)
  }

  /** A request has come in. */
  owe(): void {
    this.#owedCount++
  }

  /** An answer to a request that is owed one. */
  add(answer: Answer): void {
    if (!this.#isClosed) this.#answers.push(answer)
  }

  /** Writes as much as the client takes. */
  flush(): void {
    while (this.isWritable && this.#answers.bytes > 0) {
      const bytesBefore = this.#answers.bytes
      const answers = this.#answers.takeFrame()
      this.#owedCount -= answers.length
      this.write({ frame: { $case: 'answers', value: { answers } } }, bytesBefore - this.#answers.bytes)
    }
  }

  /** Writes one frame at once. `bytes`: of the answers in it. */
  write(response: ConnectResponse, bytes = 0): void {
    this.#untakenBytes += bytes
    this.#untaken.add(this.#outlet.client, bytes)
    this.#isDrained = this.#outlet.write(response, () => this.#onTaken(bytes))
  }

  onDrain(): void {
    this.#isDrained = true
    this.#onRoom()
  }

  /** The stream is over: nobody takes anything any more. */
  close(): void {
    this.#onTaken(this.#untakenBytes)
    this.#isClosed = true
    this.#answers.clear()
  }

  #onTaken(bytes: number): void {
    if (this.#isClosed) return
    const wasWritable = this.isWritable
    this.#untakenBytes -= bytes
    this.#untaken.remove(this.#outlet.client, bytes)
    if (!wasWritable && this.isWritable) this.#onRoom()
  }
}
