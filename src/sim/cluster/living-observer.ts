import type { Events } from '../../observer/names.js'
import { type EventHandlers, EventObserver } from '../../observer/observer.js'
import type { SimulatedRuntime } from './simulated-runtime.js'

/** The observer of a process, silent once that is dead. */
export class LivingObserver extends EventObserver {
  readonly #runtime: Pick<SimulatedRuntime, 'isOver'>

  constructor(handlers: EventHandlers, runtime: Pick<SimulatedRuntime, 'isOver'>) {
    super(handlers)
    this.#runtime = runtime
  }

  override event<Name extends keyof Events>(name: Name, fields: Events[Name]): void {
    if (!this.#runtime.isOver) super.event(name, fields)
  }
}
