import { EventHash } from './event-hash.js'
import type { TracedEvent, TraceEvent, TraceStep } from './trace-events.js'
import { tellEvent } from './trace-words.js'

export interface TraceSettings {
  /** Virtual time. */
  readonly clock: { readonly nowUs: number }
  /** Called with a line for each event. */
  readonly print?: ((line: string) => void) | undefined
  /** True if every event is kept in memory, for a trace page. Default: false. */
  readonly records?: boolean | undefined
}

/**
 * Collects everything that happens in a world, in order: as a hash, so that two runs can be compared to the byte; as lines for
 * people if `print` is given; and in memory for a trace page if asked. Without the last two an event costs a few multiplications.
 */
export class EventTrace {
  readonly #clock: TraceSettings['clock']
  readonly #hash = new EventHash()
  readonly #print: ((line: string) => void) | undefined
  readonly #recorded: TracedEvent[] | undefined
  #count = 0

  constructor({ clock, print, records = false }: TraceSettings) {
    this.#clock = clock
    this.#print = print
    this.#recorded = records ? [] : undefined
  }

  /** Number of events so far: the step of the last one. */
  get count(): number {
    return this.#count
  }

  /** 16 hexadecimal digits. */
  get hash(): string {
    return this.#hash.toString()
  }

  /** Every event so far, if the trace records. */
  get recorded(): readonly TracedEvent[] {
    return this.#recorded ?? []
  }

  /** Adds an event. Returns its step, by which a later event may refer to it. */
  tell(event: TraceEvent): TraceStep {
    const step = ++this.#count
    const atUs = this.#clock.nowUs
    this.#hash.add(atUs, event)
    if (this.#recorded !== undefined) this.#recorded.push({ step, atUs, event })
    if (this.#print !== undefined) this.#print(`${String(step).padStart(6)} ${formatTime(atUs)} ${tellEvent(event)}`)
    return step
  }
}

export function formatTime(us: number): string {
  return `${(us / 1_000_000).toFixed(6).padStart(10)}s`
}
