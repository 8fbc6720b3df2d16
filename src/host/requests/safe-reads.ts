import type { Logger } from 'pino'
import { StorageError } from '../../storage/storage-error.js'
import type { Alarms } from '../alarms.js'
import { MemberError } from '../api.js'

/**
 * No read stops a node: one that meets damaged state, or cannot read the disk, ends with DATA_DAMAGED for whoever
 * asked, and with an alarm for whoever looks after the node.
 */
export class SafeReads {
  readonly #alarms: Alarms
  readonly #logger: Logger

  constructor(alarms: Alarms, logger: Logger) {
    this.#alarms = alarms
    this.#logger = logger
  }

  /** @throws MemberError DATA_DAMAGED when `read` throws anything but a MemberError */
  run<T>(read: () => T): T {
    try {
      return read()
    } catch (error) {
      throw error instanceof MemberError ? error : this.damaged(error)
    }
  }

  /**
   * Passes on a read of the disk that comes in parts.
   *
   * @throws MemberError in the place of a StorageError: OVERLOADED where a view of the disk cannot be made (there is no room for it, for
   *   example), DATA_DAMAGED otherwise
   */
  async *through<T>(parts: AsyncIterable<T>): AsyncGenerator<T> {
    try {
      yield* parts
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      if (error.code !== 'NOT_WRITABLE') throw this.damaged(error)
      this.#logger.warn({ err: error }, 'the disk could not be read')
      throw new MemberError('OVERLOADED', `this node cannot read its disk now: ${error.what}`, { cause: error })
    }
  }

  /** Raises the alarm, and gives what whoever asked is told. */
  damaged(cause: unknown): MemberError {
    const what = cause instanceof Error ? cause.message : String(cause)
    this.#logger.error({ err: cause }, 'a read failed: the state of this node is damaged')
    this.#alarms.raise(
      'DATA_DAMAGED',
      `a read failed: ${what}. The state of this node is damaged. The node and its other reads go on; replace its data directory, and compare other nodes`,
    )
    return new MemberError('DATA_DAMAGED', 'this node cannot read that, as its state is damaged; ask another node', {
      cause,
    })
  }
}
