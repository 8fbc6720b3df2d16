import { NO_REMEDIES, type Remedy } from '../remedy.js'
import { knowsLevel, type LevelRange, type RaisedLevel } from '../replication/levels.js'
import type { ApplyFailure } from '../storage/storage.js'

/**
 * A node stopped by itself because it must not go on.
 * - DATA_DIR_MISMATCH: it votes from another directory, says the membership.
 * - NOT_A_MEMBER: the cluster does not know it.
 * - REMOVED: it was removed from the cluster.
 * - WRONG_CLUSTER: its directory is of another cluster than its peers.
 * - OLDER_COPY: its directory had got further than it is now.
 * - STATE_DIVERGED: its state machine has come to another state than the majority's.
 * - UNSUPPORTED_LEVEL: its binary does not know the level of the log; see UnsupportedLevelError.
 * - APPLY_FAILED: its state machine threw at a decided slot; see ApplyFailedError.
 */
export class HaltError extends Error {
  override readonly name = 'HaltError'
  readonly code: string
  readonly remedies: readonly Remedy[]

  constructor(code: string, message: string, options: ErrorOptions & { readonly remedies?: readonly Remedy[] } = {}) {
    super(message, options)
    this.code = code
    this.remedies = options.remedies ?? NO_REMEDIES
  }
}

/**
 * The state machine threw. What it left half done is gone with the memory of the process, and the slot is known on disk: the node says the
 * same at each start, before it applies anything, until an operator has resolved it (Storage.resolveApplyFailure).
 */
export class ApplyFailedError extends HaltError {
  readonly failure: ApplyFailure

  constructor(failure: ApplyFailure, options?: ErrorOptions) {
    super('APPLY_FAILED', messageOf(failure), { ...options, remedies: remediesOf(failure) })
    this.failure = failure
  }
}

/**
 * The log is at a level that this binary does not know: what its commands come to, it cannot tell. Nothing is applied at that level, and the
 * level is known on disk: the node says the same at each start, before it applies anything, until a binary is installed that knows it.
 */
export class UnsupportedLevelError extends HaltError {
  readonly raised: RaisedLevel

  constructor(raised: RaisedLevel, { levelMin, levelMax }: LevelRange) {
    const { level, levelVersion } = raised
    const by = levelVersion === '' ? '' : `, which version ${levelVersion} has raised`
    const known = levelMin === levelMax ? `level ${levelMin} alone` : `levels ${levelMin} to ${levelMax}`
    super(
      'UNSUPPORTED_LEVEL',
      `the log is at level ${level}${by}; this binary knows ${known}. The node stops, and at its next starts before it applies anything: ` +
        `install ${levelVersion === '' ? 'a version that knows the level' : `version ${levelVersion} or a newer one`} and start it again`,
    )
    this.raised = raised
  }
}

/** @throws UnsupportedLevelError when the level in force is not known; 0: there is none yet */
export function checkLevel(raised: RaisedLevel, known: LevelRange): void {
  if (raised.level !== 0 && !knowsLevel(known, raised.level)) throw new UnsupportedLevelError(raised, known)
}

function messageOf({ slot, what }: ApplyFailure): string {
  if (slot === 0) return `the initial commands cannot be carried out: ${what}. Start the cluster anew, in empty directories`
  return (
    `slot ${slot} cannot be carried out: ${what}. The node stops, and at its next starts before it applies anything: do not let it be ` +
    `started again and again. Where another version can carry the slot out, install that on every node and have the slot tried again in ` +
    'the directory of each that failed; so too where this node alone failed. Otherwise stop every node and have the slot skipped in the ' +
    'directories of a majority of the voters, and of every other that failed'
  )
}

function remediesOf({ slot }: ApplyFailure): readonly Remedy[] {
  if (slot === 0) return NO_REMEDIES
  return [
    { code: 'RETRY_SLOT', slot },
    { code: 'SKIP_SLOT', slot },
  ]
}
