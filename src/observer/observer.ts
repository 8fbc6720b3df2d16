import type { Counters, Durations, Events, Gauges } from './names.js'

/**
 * Told of what happens in a node while it happens, in the node's own turn of the event loop: it must be quick, must not throw, and must
 * change nothing that it is given. The parts of a node have none by default, and then they make nothing to report.
 */
export interface Observer {
  count(name: keyof Counters, by: number): void
  gauge(name: keyof Gauges, value: number): void
  duration(name: keyof Durations, ms: number): void
  event<Name extends keyof Events>(name: Name, fields: Events[Name]): void
}

/** Passes everything on to another observer. What that one throws is lost: it must not stop the node that it observes. */
export class SafeObserver implements Observer {
  readonly #observer: Observer

  constructor(observer: Observer) {
    this.#observer = observer
  }

  count(name: keyof Counters, by: number): void {
    try {
      forget(this.#observer.count(name, by))
    } catch {}
  }

  gauge(name: keyof Gauges, value: number): void {
    try {
      forget(this.#observer.gauge(name, value))
    } catch {}
  }

  duration(name: keyof Durations, ms: number): void {
    try {
      forget(this.#observer.duration(name, ms))
    } catch {}
  }

  event<Name extends keyof Events>(name: Name, fields: Events[Name]): void {
    try {
      forget(this.#observer.event(name, fields))
    } catch {}
  }
}

/** Handlers of events, by name. */
export type EventHandlers = { readonly [Name in keyof Events]?: (fields: Events[Name]) => void }

/** An observer of these events alone. */
export class EventObserver implements Observer {
  readonly #handlers: EventHandlers

  constructor(handlers: EventHandlers) {
    this.#handlers = handlers
  }

  count(): void {}

  gauge(): void {}

  duration(): void {}

  event<Name extends keyof Events>(name: Name, fields: Events[Name]): void {
    const handle: ((fields: Events[Name]) => void) | undefined = this.#handlers[name]
    handle?.(fields)
  }
}

/** An asynchronous observer's failures are lost like those of any other. */
function forget(returned: unknown): void {
  if (returned instanceof Promise) returned.catch(() => {})
}
