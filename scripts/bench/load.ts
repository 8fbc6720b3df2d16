import { LatencyHistogram } from './histogram.js'
import type { Latencies, Operation } from './types.js'

/** The time, in ms, and timers. Tests have their own. */
export interface Clock {
  now(): number
  after(ms: number, callback: () => void): void
}

/** By way of setImmediate: timers that make timers would otherwise starve sockets, and each other, when the processor is short. */
const SYSTEM_CLOCK: Clock = {
  now: () => performance.now(),
  after: (ms, callback) => void setTimeout(setImmediate, ms, callback),
}

/** How long what is under way in the end may take before it is given up. */
const DRAIN_MS = 2_000
/** Before a place whose operation failed is used again: who refuses at once is not asked at once. */
const FAILED_PAUSE_MS = 1
/** Between two looks at what is due. */
const PACE_MS = 1

export interface LoadOptions {
  readonly seconds: number
  readonly warmupSeconds: number
  /** The warm-up is over. */
  readonly onBegin?: () => void
  /** The measured time is over; what is under way may still end. */
  readonly onEnd?: () => void
  /** Of every operation that ends in the measured time, or after it: when, by the clock; how long it took; whether it ended well. */
  readonly observe?: (endedMs: number, latencyMs: number, isFine: boolean) => void
  readonly clock?: Clock
}

export interface ClosedLoopOptions extends LoadOptions {
  readonly inFlight: number
}

export interface OpenLoopOptions extends LoadOptions {
  readonly ratePerSecond: number
  /** What is due when so many are under way is not begun, and has failed. */
  readonly outstandingMax?: number
}

export interface LoadResult {
  /** Operations that ended well in the measured time, per second of it. */
  readonly throughput: number
  readonly count: number
  readonly failed: number
  readonly firstFailure: string | undefined
  readonly latency: Latencies
}

/** How much is asked: so many operations under way, or so many begun a second. */
export type LoadShape = { readonly inFlight: number } | { readonly ratePerSecond: number }

/** Either loop. */
export function runLoad(operation: Operation, shape: LoadShape, options: LoadOptions): Promise<LoadResult> {
  return 'inFlight' in shape ? closedLoop(operation, { ...options, ...shape }) : openLoop(operation, { ...options, ...shape })
}

/** Keeps so many operations under way: each begins when the one before has ended. */
export function closedLoop(operation: Operation, options: ClosedLoopOptions): Promise<LoadResult> {
  return new ClosedLoop(operation, options).run()
}

/** Begins operations at a fixed rate, whether others have ended or not. A latency counts from when its operation was due. */
export function openLoop(operation: Operation, options: OpenLoopOptions): Promise<LoadResult> {
  return new OpenLoop(operation, options).run()
}

/** Where one operation at a time is under way. Its callbacks are made once, so that an operation costs one promise and no more. */
class Place {
  /** When its operation was begun, or due; undefined while it has none. */
  fromMs: number | undefined
  readonly done: () => void
  readonly failed: (error: unknown) => void

  constructor(settle: (place: Place, failure: Error | undefined) => void) {
    this.done = () => settle(this, undefined)
    this.failed = (error) => settle(this, error instanceof Error ? error : new Error('no reason given'))
  }
}

/** What both loops share: the warm-up, the measured time, and the end. */
abstract class Loop {
  protected readonly clock: Clock
  protected readonly beginMs: number
  protected readonly endMs: number
  protected readonly places: readonly Place[]
  protected failed = 0
  readonly #operation: Operation
  readonly #options: LoadOptions
  readonly #histogram = new LatencyHistogram()
  #begunCount = 0
  #underWay = 0
  /** onEnd has been called. */
  #isOver = false
  #count = 0
  #firstFailure: string | undefined
  #finish: (() => void) | undefined

  constructor(operation: Operation, options: LoadOptions, placeCount: number) {
    this.#operation = operation
    this.#options = options
    this.clock = options.clock ?? SYSTEM_CLOCK
    this.beginMs = this.clock.now() + options.warmupSeconds * 1_000
    this.endMs = this.beginMs + options.seconds * 1_000
    this.places = Array.from({ length: placeCount }, () => new Place((place, failure) => this.#settle(place, failure)))
  }

  async run(): Promise<LoadResult> {
    const { seconds, warmupSeconds, onBegin, onEnd } = this.#options
    const isOver = new Promise<void>((resolve) => {
      this.#finish = resolve
    })
    this.clock.after(warmupSeconds * 1_000, () => onBegin?.())
    this.clock.after((warmupSeconds + seconds) * 1_000, () => {
      this.#isOver = true
      onEnd?.()
      if (this.#underWay === 0) this.#finish?.()
    })
    this.clock.after((warmupSeconds + seconds) * 1_000 + DRAIN_MS, () => this.#finish?.())
    this.start()
    await isOver
    this.#giveUp()
    return {
      throughput: this.#count / seconds,
      count: this.#count,
      failed: this.failed,
      firstFailure: this.#firstFailure,
      latency: this.#histogram.latencies(),
    }
  }

  protected abstract start(): void
  /** The place is free again. */
  protected abstract onFree(place: Place, wasFine: boolean): void

  protected begin(place: Place, fromMs: number): void {
    place.fromMs = fromMs
    this.#underWay++
    this.#operation(this.#begunCount++).then(place.done, place.failed)
  }

  /** `failure`: undefined when it ended well. */
  #settle(place: Place, failure: Error | undefined): void {
    const { fromMs } = place
    // It was given up.
    if (fromMs === undefined) return
    const nowMs = this.clock.now()
    const isFine = failure === undefined
    place.fromMs = undefined
    this.#underWay--
    if (failure !== undefined) this.#firstFailure ??= failure.message
    if (nowMs >= this.beginMs) this.#record(nowMs, nowMs - fromMs, isFine)
    if (nowMs < this.endMs) this.onFree(place, isFine)
    else if (this.#isOver && this.#underWay === 0) this.#finish?.()
  }

  #record(nowMs: number, latencyMs: number, isFine: boolean): void {
    if (isFine) this.#histogram.record(latencyMs)
    else this.failed++
    if (isFine && nowMs < this.endMs) this.#count++
    this.#options.observe?.(nowMs, latencyMs, isFine)
  }

  /** What has not ended has taken at least as long as it is under way: left out, it would make the rest look better. */
  #giveUp(): void {
    const nowMs = this.clock.now()
    for (const place of this.places) {
      if (place.fromMs !== undefined) this.#histogram.record(nowMs - place.fromMs)
      place.fromMs = undefined
    }
  }
}

class ClosedLoop extends Loop {
  constructor(operation: Operation, options: ClosedLoopOptions) {
    super(operation, options, options.inFlight)
  }

  protected start(): void {
    for (const place of this.places) this.begin(place, this.clock.now())
  }

  protected onFree(place: Place, wasFine: boolean): void {
    if (wasFine) this.begin(place, this.clock.now())
    else this.clock.after(FAILED_PAUSE_MS, () => this.#beginAgain(place))
  }

  #beginAgain(place: Place): void {
    const nowMs = this.clock.now()
    if (nowMs < this.endMs) this.begin(place, nowMs)
  }
}

const OUTSTANDING_MAX = 4_096

class OpenLoop extends Loop {
  readonly #free: Place[]
  readonly #intervalMs: number
  readonly #startMs: number
  #dueCount = 0

  constructor(operation: Operation, options: OpenLoopOptions) {
    super(operation, options, options.outstandingMax ?? OUTSTANDING_MAX)
    this.#free = [...this.places]
    this.#intervalMs = 1_000 / options.ratePerSecond
    this.#startMs = this.clock.now()
  }

  protected start(): void {
    const nowMs = this.clock.now()
    for (;;) {
      const dueMs = this.#startMs + this.#dueCount * this.#intervalMs
      if (dueMs >= this.endMs) return
      if (dueMs > nowMs) break
      this.#dueCount++
      this.#beginDue(dueMs)
    }
    this.clock.after(PACE_MS, () => this.start())
  }

  #beginDue(dueMs: number): void {
    const place = this.#free.pop()
    if (place !== undefined) this.begin(place, dueMs)
    else if (dueMs >= this.beginMs) this.failed++
  }

  protected onFree(place: Place): void {
    this.#free.push(place)
  }
}
