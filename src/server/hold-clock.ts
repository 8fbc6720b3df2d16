import type { Logger } from 'pino'
import { Command } from '../gen/synod/session/v1/session.js'
import type { MemberApi } from '../host/api.js'

const INTERVAL_MS = 100
const TIMEOUT_MS = 5_000

interface Settings {
  readonly member: MemberApi
  /** The hold that ends next, by log time. */
  readonly nextExpiry: () => { readonly atMs: number; readonly id: string } | undefined
  readonly logger: Logger
}

/**
 * Ends holds in time though nobody writes. Holds end in log time, which only the log carries on: on the node that leads, one that is
 * due is read through the log, and what is due ends before anything is read. The wall clock here says nothing of log time.
 */
export class HoldClock {
  readonly #settings: Settings
  readonly #timer: NodeJS.Timeout
  #isReading = false

  constructor(settings: Settings) {
    this.#settings = settings
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS)
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const { member, nextExpiry } = this.#settings
    const next = nextExpiry()
    if (this.#isReading || next === undefined || member.status().logTimeMs < next.atMs) return
    void this.#read(next.id)
  }

  async #read(transferId: string): Promise<void> {
    const { member, logger } = this.#settings
    const query = { query: { $case: 'getTransfer', value: { transferId } } } as const
    this.#isReading = true
    try {
      await member.invoke(Command.encode(Command.fromPartial({ operation: { $case: 'query', value: query } })).finish(), {
        timeoutMs: TIMEOUT_MS,
      })
    } catch (error) {
      // Whoever leads next looks, too.
      logger.warn({ err: error }, 'a hold that is due could not be ended')
    } finally {
      this.#isReading = false
    }
  }
}
