import type { Logger } from 'pino'
import type { Observer } from '../observer/observer.js'
import { NO_REMEDIES, type QuotaRemedy } from '../remedy.js'
import type { Runtime } from './runtime.js'

/** A problem that does not stop the node, and that an operator should look at. */
export interface Alarm {
  /** In capitals, such as DATA_DAMAGED: stable, for programs. */
  readonly code: string
  /** For people: what is wrong, and what to do. */
  readonly message: string
  /** For programs: what can be done, as far as there is a code for it. */
  readonly remedies: readonly QuotaRemedy[]
  /** The wall clock when it was raised first, in ms since 1970. */
  readonly sinceMs: number
}

export interface AlarmsSettings {
  readonly runtime: Pick<Runtime, 'wallMs'>
  readonly logger: Logger
  readonly observer?: Observer | undefined
}

/** The alarms of one node, at most one of each code. They are told in Status, and logged when they begin and end. */
export class Alarms {
  readonly #settings: AlarmsSettings
  readonly #raised = new Map<string, Alarm>()

  constructor(settings: AlarmsSettings) {
    this.#settings = settings
  }

  /** Raised again, an alarm keeps its time and takes the new message. Cheap to call often. */
  raise(code: string, message: string, remedies: readonly QuotaRemedy[] = NO_REMEDIES): void {
    const raised = this.#raised.get(code)
    if (raised?.message === message) return
    const alarm = { code, message, remedies, sinceMs: raised?.sinceMs ?? this.#settings.runtime.wallMs() }
    this.#raised.set(code, alarm)
    // A message may hold a figure that grows: only the beginning is worth a line.
    if (raised !== undefined) return
    this.#settings.logger.error({ alarm: code, ...(remedies.length > 0 && { remedies }) }, message)
    this.#settings.observer?.event('alarmRaised', { code })
  }

  /** Does nothing when it is not raised. */
  clear(code: string): void {
    if (!this.#raised.delete(code)) return
    this.#settings.logger.info({ alarm: code }, 'the alarm is over')
    this.#settings.observer?.event('alarmCleared', { code })
  }

  /** In the order in which they began. */
  get list(): readonly Alarm[] {
    return [...this.#raised.values()]
  }
}
