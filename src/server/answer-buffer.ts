import type { Answer } from '../gen/synod/session/v1/session.js'

/** Answers leave in frames of about this size, well below what a client takes; an answer that is larger has one to itself. */
export const ANSWER_FRAME_BYTES = 512 * 1_024
/** Roughly what an answer takes beside its result. */
const ANSWER_OVERHEAD_BYTES = 32

/** Answers that wait to be written. What it holds is bounded by who fills it. */
export class AnswerBuffer {
  #answers: Answer[] = []
  /** The index of the next answer to take. */
  #next = 0
  #bytes = 0

  get bytes(): number {
    return this.#bytes
  }

  push(answer: Answer): void {
    this.#answers.push(answer)
    this.#bytes += bytesOf(answer)
  }

  /** The answers of the next frame, in the order they came; none when there are none. */
  takeFrame(): Answer[] {
    const first = this.#next
    let frameBytes = 0
    for (let next = this.#answers[first]; next !== undefined; next = this.#answers[this.#next]) {
      const bytes = bytesOf(next)
      if (this.#next > first && frameBytes + bytes > ANSWER_FRAME_BYTES) break
      frameBytes += bytes
      this.#next++
    }
    this.#bytes -= frameBytes
    const isLast = this.#next === this.#answers.length
    const frame = first === 0 && isLast ? this.#answers : this.#answers.slice(first, this.#next)
    if (isLast) this.clear()
    return frame
  }

  clear(): void {
    this.#answers = []
    this.#next = 0
    this.#bytes = 0
  }
}

function bytesOf(answer: Answer): number {
  return answer.result.length + ANSWER_OVERHEAD_BYTES
}
