/** How the core waits and how much it holds. Times in ms of the clock that `tick` brings. */
export interface CoreOptions {
  /** A leader is heard at least this often. */
  readonly heartbeatIntervalMs: number
  /** A follower that has heard no leader for a random time between these two asks around. */
  readonly electionTimeoutMsMin: number
  readonly electionTimeoutMsMax: number
  /** What was not answered is sent again after this long. */
  readonly retryDelayMs: number
  /** The pipeline window (the paper's WINDOW, α): so many slots may be undecided at once. */
  readonly windowSlots: number
  /** A leader proposes nothing more while its undecided values are this large together; one value is always under way. */
  readonly windowBytesMax: number
  /**
   * An acceptor accepts nothing more while what it has accepted above the decided slots is this large together, but for the next slot. More
   * than windowBytesMax.
   */
  readonly openBytesMax: number
  /** A batch ends at so many commands or bytes; one larger command makes a batch of its own. */
  readonly batchCommandsMax: number
  readonly batchBytesMax: number
  /** The leader's queue of commands without a slot; past it proposals are refused. */
  readonly queueCommandsMax: number
  readonly queueBytesMax: number
  /** A page of a Promise or a CatchUpReply ends at about so many bytes. */
  readonly pageBytesMax: number
  /** So many of the last decided slots are kept in memory for those who miss a few. */
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
