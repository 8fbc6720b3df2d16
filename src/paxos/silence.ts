import type { CoreOptions } from './core-options.js'
import type { NodeId } from './types.js'

/** The decay of the longest silence per ms of a later one: a node that was slow once is expected to become faster again. */
const FADE_PER_MS = 0.1
/** The most extra patience, in longest election timeouts. */
const EXTRA_MAX = 4

/** The longest recent silence of another node that was up. A busy node is slow, and replacing it gains nothing. */
export class Silence {
  readonly #options: Pick<CoreOptions, 'heartbeatIntervalMs' | 'electionTimeoutMsMax'>
  #longestMs = 0

  constructor(options: Pick<CoreOptions, 'heartbeatIntervalMs' | 'electionTimeoutMsMax'>) {
    this.#options = options
  }

  /** The node was heard after this silence. */
  note(silenceMs: number): void {
    this.#longestMs = Math.max(silenceMs, this.#longestMs - FADE_PER_MS * silenceMs)
  }

  forget(): void {
    this.#longestMs = 0
  }

  /** The extra time that this node may be silent, in ms. */
  get extraMs(): number {
    const { heartbeatIntervalMs, electionTimeoutMsMax } = this.#options
    return this.#longestMs <= 2 * heartbeatIntervalMs ? 0 : Math.min(2 * this.#longestMs, EXTRA_MAX * electionTimeoutMsMax)
  }
}

/** The silences of every node that this one has led. */
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
