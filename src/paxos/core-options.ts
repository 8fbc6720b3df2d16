/** Timeouts and bounds of the core. Times are in ms of the clock that `tick` passes. */
export interface CoreOptions {
  /** The time between two heartbeats of a leader. */
  readonly heartbeatIntervalMs: number
  /** A follower that has heard no leader for a random time between these two polls the others. */
  readonly electionTimeoutMsMin: number
  readonly electionTimeoutMsMax: number
  /** The time after which an unanswered message is sent again. */
  readonly retryDelayMs: number
  /** The pipeline window (the paper's WINDOW, α): the most slots that may be undecided at once. */
  readonly windowSlots: number
  /** The size of all undecided values at which a leader stops proposing. One value may always be undecided. */
  readonly windowBytesMax: number
  /**
   * The size of all votes for open slots at which an acceptor accepts only the next slot. Larger than windowBytesMax.
   */
  readonly openBytesMax: number
  /** The most commands and bytes of a batch. A single larger command is a batch of its own. */
  readonly batchCommandsMax: number
  readonly batchBytesMax: number
  /** The bounds of the leader's queue of commands without a slot: beyond them proposals are refused. */
  readonly queueCommandsMax: number
  readonly queueBytesMax: number
  /** The approximate size of a page of a Promise or a CatchUpReply. */
  readonly pageBytesMax: number
  /** The number of decided slots that are kept in memory for peers that miss a few. */
  readonly recentSlotsMax: number
  readonly recentBytesMax: number
}

export const DEFAULT_OPTIONS: CoreOptions = Object.freeze({
  heartbeatIntervalMs: 60,
  electionTimeoutMsMin: 300,
  electionTimeoutMsMax: 600,
  retryDelayMs: 200,
  windowSlots: 64,
  windowBytesMax: 32 << 20,
  openBytesMax: 64 << 20,
  batchCommandsMax: 8_192,
  batchBytesMax: 1 << 20,
  queueCommandsMax: 65_536,
  queueBytesMax: 64 << 20,
  pageBytesMax: 1 << 20,
  recentSlotsMax: 1_024,
  recentBytesMax: 16 << 20,
})
