/**
 * A node stopped by itself because it must not go on.
 * - DATA_DIR_MISMATCH: it votes from another directory, says the membership.
 * - NOT_A_MEMBER: the cluster does not know it.
 * - REMOVED: it was removed from the cluster.
 * - WRONG_CLUSTER: its directory is of another cluster than its peers.
 * - OLDER_COPY: its directory had got further than it is now.
 * - STATE_DIVERGED: its state machine has come to another state than the majority's.
 */
export class HaltError extends Error {
  override readonly name = 'HaltError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}
