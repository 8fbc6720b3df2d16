import { type ServiceError, status } from '@grpc/grpc-js'
import { SYNOD_KEY_PATHS } from '../clients/synod-unary.js'
import { encodeKey, UnaryChannels } from '../clients/unary.js'
import { LatencyHistogram } from '../histogram.js'

const INTERVAL_MS = 50
const KEY = 'probe'

/** What somebody sees who puts a key now and then, with an ordinary client, while others ask too much. */
export class Probe {
  readonly #channels: UnaryChannels
  readonly #timer: NodeJS.Timeout
  #underWay = 0
  /** By status. */
  readonly #seen = new Map<string, LatencyHistogram>()

  constructor(addresses: readonly string[]) {
    this.#channels = new UnaryChannels(addresses)
    this.#timer = setInterval(() => this.#put(), INTERVAL_MS)
  }

  /** '12 OK (p50 3 ms, longest 9 ms), 4 RESOURCE_EXHAUSTED (…), 2 unanswered': of its own calls. */
  stop(): string {
    clearInterval(this.#timer)
    const unanswered = this.#underWay
    this.#channels.close()
    const parts = [...this.#seen].map(([name, histogram]) => {
      const { p50, max } = histogram.latencies()
      return `${histogram.count} ${name} (p50 ${p50.toFixed(0)} ms, longest ${max.toFixed(0)} ms)`
    })
    return `somebody else's calls: ${[...parts, `${unanswered} unanswered`].join(', ')}`
  }

  #put(): void {
    const beganMs = performance.now()
    const note = (name: string): void => {
      const histogram = this.#seen.get(name) ?? new LatencyHistogram()
      this.#seen.set(name, histogram)
      histogram.record(performance.now() - beganMs)
      this.#underWay--
    }
    this.#underWay++
    this.#channels.call(SYNOD_KEY_PATHS.put, encodeKey(KEY)).then(
      () => note('OK'),
      (error: ServiceError) => note(status[error.code] ?? 'UNKNOWN'),
    )
  }
}
