import type { CoreOptions } from './options.js'
import type { NodeId } from './types.js'

/** How much less is expected of a node's silences with each ms: one that was slow once is trusted to be faster again. */
const FADE_PER_MS = 0.1
/** In the longest election timeouts: what is borne beyond one of them. */
const EXTRA_MAX = 4

/** How long another node was silent lately, and yet there. One that is busy is slow, and nothing is won by giving it up. */
export class Silence {
  readonly #options: Pick<CoreOptions, 'heartbeatIntervalMs' | 'electionTimeoutMsMax'>
  #longestMs = 0

  constructor(options: Pick<CoreOptions, 'heartbeatIntervalMs' | 'electionTimeoutMsMax'>) {
    this.#options = options
  }

  /** It was heard after so long. */
  note(silenceMs: number): void {
    this.#longestMs = Math.max(silenceMs, this.#longestMs - FADE_PER_MS * silenceMs)
  }

  forget(): void {
    this.#longestMs = 0
  }

  /** How much longer than others' its silence is borne, in ms. */
  get extraMs(): number {
    const { heartbeatIntervalMs, electionTimeoutMsMax } = this.#options
    return this.#longestMs <= 2 * heartbeatIntervalMs ? 0 : Math.min(2 * this.#longestMs, EXTRA_MAX * electionTimeoutMsMax)
  }
}

/** Those of every node that this one has led. */
export class Silences {
  readonly #options: CoreOptions
  readonly #silences = new Map<NodeId, Silence>()

  constructor(options: CoreOptions) {
    this.#options = options
  }

  of(nodeId: NodeId): Silence {
    let silence = this.#silences.get(nodeId)
    if (silence === undefined) {
      silence = new Silence(this.#options)
      this.#silences.set(nodeId, silence)
    }
    return silence
  }
}
