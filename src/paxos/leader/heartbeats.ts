import type { CoreOptions } from '../core-options.js'
import type { Replica } from '../replica.js'
import type { SettledEpoch } from '../settled-epoch.js'
import type { Ballot, Slot } from '../types.js'
import type { Listeners } from './listeners.js'
import type { Pipeline } from './pipeline.js'
import type { Progress } from './progress.js'
import type { ReadIndexRounds } from './read-index-rounds.js'

interface Settings {
  readonly ballot: Ballot
  readonly replica: Replica
  readonly options: CoreOptions
  readonly pipeline: Pipeline
  readonly progress: Progress
  readonly settled: SettledEpoch
  readonly listeners: Listeners
  readonly readIndexRounds: ReadIndexRounds
  readonly nowMs: number
}

/** Sends heartbeats and announces decisions. A heartbeat also starts a read-index round for the reads that wait. */
export class Heartbeats {
  readonly #ballot: Ballot
  readonly #replica: Replica
  readonly #options: CoreOptions
  readonly #pipeline: Pipeline
  readonly #progress: Progress
  readonly #settled: SettledEpoch
  readonly #listeners: Listeners
  readonly #readIndexRounds: ReadIndexRounds
  #nextMs: number
  /** The last watermark that was announced. */
  #announcedUpTo: Slot = 0

  constructor(settings: Settings) {
    this.#ballot = settings.ballot
    this.#replica = settings.replica
    this.#options = settings.options
    this.#pipeline = settings.pipeline
    this.#progress = settings.progress
    this.#settled = settings.settled
    this.#listeners = settings.listeners
    this.#readIndexRounds = settings.readIndexRounds
    this.#nextMs = settings.nowMs
  }

  /** Makes the next heartbeat due at this time. */
  hurry(nowMs: number): void {
    this.#nextMs = nowMs
  }

  tick(nowMs: number): void {
    if (nowMs >= this.#nextMs) this.send(nowMs)
  }

  /** Starts one round for all reads that wait, and sends one message for all decisions that were not announced yet. */
  flush(nowMs: number): void {
    if (this.#pipeline.isCaughtUp() && this.#readIndexRounds.shouldStartRound(nowMs, this.#options.heartbeatIntervalMs)) {
      this.send(nowMs)
    }
    if (this.#replica.decidedUpTo <= this.#announcedUpTo) return
    this.#announcedUpTo = this.#replica.decidedUpTo
    this.#listeners.tellOthers({ kind: 'decided', ballot: this.#ballot, decidedUpTo: this.#announcedUpTo })
  }

  send(nowMs: number): void {
    const { decidedUpTo } = this.#replica
    this.#nextMs = nowMs + this.#options.heartbeatIntervalMs
    this.#announcedUpTo = decidedUpTo
    const round = this.#readIndexRounds.startRound(this.#pipeline.isCaughtUp() ? decidedUpTo : undefined, nowMs)
    const heartbeat = {
      kind: 'heartbeat',
      ballot: this.#ballot,
      round,
      decidedUpTo,
      heard: this.#listeners.others.filter((nodeId) => this.#progress.isHeard(nodeId)),
      settledEpoch: this.#settled.epoch,
    } as const
    this.#listeners.tellOthers(heartbeat)
    this.#listeners.tellLeaving(heartbeat)
    if (this.#settled.isCurrent) this.#listeners.dropLeaving()
  }
}
