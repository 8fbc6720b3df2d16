import type { Value } from '../../paxos/types.js'
import { sizeOf } from '../../paxos/value.js'
import type { Sessions } from '../../replication/sessions.js'
import type { CheckpointInfo } from '../../storage/storage.js'

/**
 * The distance between checkpoint boundaries. The next boundary is the slot at which one of these counts is reached since the last one. The
 * same on every member, as members compare their states there.
 */
export interface CheckpointOptions {
  /** At least 1. */
  readonly slotsMax: number
  /** At least 1. */
  readonly commandsMax: number
  /** About so many bytes of values, or so much written in memory that it comes to the same (see writtenBytesMax); absent: however many. */
  readonly bytesMax?: number
}

const DEFAULT_CHECKPOINT_OPTIONS: CheckpointOptions = Object.freeze({
  slotsMax: 4_096,
  commandsMax: 65_536,
  bytesMax: 16 << 20,
})

/** The bounds of the bytes that may be written in memory between two boundaries, where the quota allows it. */
const WRITTEN_BYTES_MIN = 1 << 20
const WRITTEN_BYTES_MAX = 64 << 20
const WRITTEN_QUOTA_SHARE = 1 / 8
/** The largest unsaved size, in such bounds, before nothing more is applied. */
const UNSAVED_SPANS_MAX = 3

/** Returns the bytes of memory that the machine may write between two boundaries: unsaved changes are kept beside the state. */
function writtenBytesMax(quotaBytes: number): number {
  if (quotaBytes === 0) return WRITTEN_BYTES_MAX
  return Math.min(WRITTEN_BYTES_MAX, Math.max(WRITTEN_BYTES_MIN, Math.floor(quotaBytes * WRITTEN_QUOTA_SHARE)))
}

/** Counts what is applied since the last checkpoint boundary, and what has been written in memory since the last durable checkpoint. */
export class Boundaries {
  readonly #sessions: Pick<Sessions, 'writtenBytes' | 'quotaBytes'>
  readonly #options: CheckpointOptions
  /** Since the last boundary. */
  #slots = 0
  #commands = 0
  #bytes = 0
  #passedCount = 0
  /** Sessions.writtenBytes after the last slot, at the last onTaken(), and at the last that is durable. */
  #written = 0
  #writtenAtTake = 0
  #writtenSaved = 0

  constructor(sessions: Pick<Sessions, 'writtenBytes' | 'quotaBytes'>, options: CheckpointOptions | undefined) {
    this.#sessions = sessions
    this.#options = options ?? DEFAULT_CHECKPOINT_OPTIONS
  }

  /** Boundaries that were passed in this process. */
  get passedCount(): number {
    return this.#passedCount
  }

  /** True when so much has been written since the last durable checkpoint that memory may run out before the next one: nothing is applied until then. */
  get isFarAhead(): boolean {
    return this.#written - this.#writtenSaved > UNSAVED_SPANS_MAX * writtenBytesMax(this.#sessions.quotaBytes)
  }

  /** Since the last boundary, as a checkpoint keeps it. */
  get info(): Pick<CheckpointInfo, 'boundarySlots' | 'boundaryCommands' | 'boundaryBytes'> {
    return { boundarySlots: this.#slots, boundaryCommands: this.#commands, boundaryBytes: this.#bytes }
  }

  /** The state is that of this checkpoint. */
  reset(checkpoint: CheckpointInfo): void {
    this.#slots = checkpoint.boundarySlots
    this.#commands = checkpoint.boundaryCommands
    this.#bytes = checkpoint.boundaryBytes
    this.#written = this.#sessions.writtenBytes
    this.#writtenAtTake = this.#written
    this.#writtenSaved = this.#written
  }

  /** A slot has been applied. True when it is a boundary; then the next one is counted from here. */
  onApplied(value: Value): boolean {
    this.#slots++
    if (value.kind === 'batch') this.#commands += value.commands.length
    this.#countBytes(value)
    const { slotsMax, commandsMax, bytesMax = Number.POSITIVE_INFINITY } = this.#options
    if (this.#slots < slotsMax && this.#commands < commandsMax && this.#bytes < bytesMax) return false
    this.#slots = 0
    this.#commands = 0
    this.#bytes = 0
    this.#passedCount++
    return true
  }

  /** A checkpoint of the state is taken. */
  onTaken(): void {
    this.#writtenAtTake = this.#written
  }

  /** That checkpoint is durable. */
  onSaved(): void {
    this.#writtenSaved = this.#writtenAtTake
  }

  /** Counts the larger of two sizes in one measure: the values, or the bytes that the machine has written. */
  #countBytes(value: Value): void {
    const before = this.#written
    this.#written = this.#sessions.writtenBytes
    const { bytesMax } = this.#options
    const share = (this.#written - before) / writtenBytesMax(this.#sessions.quotaBytes)
    this.#bytes += Math.max(sizeOf(value), bytesMax === undefined ? 0 : Math.ceil(share * bytesMax))
  }
}
