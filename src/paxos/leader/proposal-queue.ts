import type { CoreOptions } from '../core-options.js'
import type { LogClock } from '../log-clock.js'
import type { NodeId } from '../types.js'
import type { Pipeline } from './pipeline.js'

/** The minimum batch size when a long queue is spread over slots: each slot has its own cost. */
const BATCH_COMMANDS_LEAST = 64
/** The shortest time between two slots without commands. If many deadlines are due, they end in several such slots. */
const PULSE_INTERVAL_MS = 5
const NO_COMMANDS: readonly Uint8Array[] = Object.freeze([])

interface Settings {
  readonly self: NodeId
  readonly options: CoreOptions
  readonly clock: LogClock
  readonly pipeline: Pipeline
}

/** Queues the leader's commands until they have a slot, and cuts them into batches. */
export class ProposalQueue {
  readonly #self: NodeId
  readonly #options: CoreOptions
  readonly #clock: LogClock
  readonly #pipeline: Pipeline
  #commands: Uint8Array[] = []
  #bytes = 0
  #nextPulseMs = 0

  constructor(settings: Settings) {
    this.#self = settings.self
    this.#options = settings.options
    this.#clock = settings.clock
    this.#pipeline = settings.pipeline
  }

  /** Takes all of the commands, or none (false) when the queue is full. A proposal of any size fits in an empty queue. */
  add(commands: readonly Uint8Array[]): boolean {
    if (this.#commands.length + commands.length > this.#options.queueCommandsMax) return false
    let bytes = 0
    for (const command of commands) bytes += command.length
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.queueBytesMax) return false
    for (const command of commands) this.#commands.push(command)
    this.#bytes += bytes
    return true
  }

  /** See Leader.proposeQueued. */
  propose(wallMs: number, nowMs: number, nextDeadlineMs?: number): void {
    this.#clock.onHeard(this.#self, wallMs)
    if (!this.#clock.isSet) return
    while (this.#commands.length > 0 && this.#pipeline.mayProposeOwn()) {
      this.#pipeline.propose(Object.freeze({ kind: 'batch', timeMs: this.#clock.take(), commands: this.#nextBatch() }), nowMs)
    }
    if (nextDeadlineMs !== undefined) this.#maybePulse(nextDeadlineMs, nowMs)
  }

  /** Proposes a slot without commands, unless a slot is in flight: that one advances log time, too. */
  #maybePulse(nextDeadlineMs: number, nowMs: number): void {
    if (this.#pipeline.inFlightCount > 0 || nowMs < this.#nextPulseMs) return
    if (this.#clock.timeMs < nextDeadlineMs || !this.#pipeline.mayProposeOwn()) return
    this.#nextPulseMs = nowMs + PULSE_INTERVAL_MS
    this.#pipeline.propose(Object.freeze({ kind: 'batch', timeMs: this.#clock.take(), commands: NO_COMMANDS }), nowMs)
  }

  #nextBatch(): readonly Uint8Array[] {
    let bytes = 0
    let count = 0
    // A long queue is cut into some slots, so that the first is answered while the last is still being applied: many clients that ask
    // again as soon as they are answered would move in step otherwise, and all nodes would wait for each other in turn.
    const spreadCount = Math.max(BATCH_COMMANDS_LEAST, Math.ceil(this.#commands.length / 4))
    const countMax = Math.min(this.#options.batchCommandsMax, spreadCount)
    while (count < this.#commands.length && count < countMax) {
      bytes += (this.#commands[count] as Uint8Array).length
      if (count > 0 && bytes > this.#options.batchBytesMax) break
      count++
    }
    const batch = this.#commands.slice(0, count)
    this.#commands = this.#commands.slice(count)
    for (const command of batch) this.#bytes -= command.length
    return batch
  }
}
