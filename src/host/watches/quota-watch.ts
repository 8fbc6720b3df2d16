import type { Logger } from 'pino'
import type { Sessions } from '../../replication/sessions.js'
import type { Alarms } from '../alarms.js'
import { oldSpaceMibFor } from '../start/capacity.js'
import type { Watch } from './watches.js'

interface Settings {
  readonly sessions: Pick<Sessions, 'stateBytes' | 'quotaBytes'>
  /** The largest state that this member has memory for; 0: it does not say. */
  readonly capacityBytes: number
  readonly alarms: Pick<Alarms, 'raise' | 'clear'>
  readonly logger: Logger
}

/** The interval of the log line that the quota is near. */
const TOLD_INTERVAL_MS = 60_000
/** The share of the quota that raises an alarm. */
const NEAR_SHARE = 0.8

/** Tells when the state comes near its quota, and when the quota is more than this node has memory for. */
export class QuotaWatch implements Watch {
  readonly #s: Settings
  #nextToldMs = 0
  /** The last one that was compared with this node's memory. */
  #quotaBytes = 0

  constructor(settings: Settings) {
    this.#s = settings
  }

  tick(nowMs: number): void {
    const { stateBytes, quotaBytes } = this.#s.sessions
    this.#compareWithMemory(quotaBytes)
    const share = quotaBytes === 0 ? 0 : stateBytes / quotaBytes
    if (share < NEAR_SHARE) return this.#s.alarms.clear('QUOTA')
    this.#s.alarms.raise(
      'QUOTA',
      `the state takes ${mib(stateBytes)} MiB, ${Math.floor(share * 100)} % of its quota of ${mib(quotaBytes)} MiB; what would make it grow ` +
        'past that is refused with QUOTA_EXCEEDED. Delete something, or raise the quota, for which every node must have memory',
      [{ code: 'RAISE_QUOTA' }],
    )
    if (nowMs < this.#nextToldMs) return
    this.#nextToldMs = nowMs + TOLD_INTERVAL_MS
    this.#s.logger.warn({ stateBytes, quotaBytes }, share >= 1 ? 'the state is past its quota' : 'the state is near its quota')
  }

  #compareWithMemory(quotaBytes: number): void {
    if (quotaBytes === this.#quotaBytes) return
    this.#quotaBytes = quotaBytes
    const { capacityBytes, alarms } = this.#s
    if (capacityBytes === 0 || quotaBytes <= capacityBytes) return alarms.clear('HEAP_TOO_SMALL')
    alarms.raise(
      'HEAP_TOO_SMALL',
      `the state may grow to its quota of ${mib(quotaBytes)} MiB, but this node has memory for ${mib(capacityBytes)} MiB and would end before ` +
        `that: start it with NODE_OPTIONS=--max-old-space-size=${oldSpaceMibFor(quotaBytes)}, or lower the quota to ` +
        `${capacityBytes} bytes`,
      [{ code: 'LOWER_QUOTA', quotaBytes: capacityBytes }],
    )
  }
}

function mib(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(1)
}
