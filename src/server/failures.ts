import type { ServiceError } from '@grpc/grpc-js'
import type { Logger } from 'pino'
import { MemberError } from '../host/api.js'
import type { NodeId } from '../paxos/types.js'
import { isForeseen, toServiceError } from './call-error.js'

/** Turns what a call failed with into its status, and logs what nobody foresaw. */
export class Failures {
  readonly #nodeId: NodeId
  readonly #logger: Logger
  /** Some errors are thrown again and again, when the node has the least time for them. */
  readonly #known = new WeakMap<MemberError, ServiceError>()

  constructor(nodeId: NodeId, logger: Logger) {
    this.#nodeId = nodeId
    this.#logger = logger
  }

  statusOf(error: unknown, method: string): ServiceError {
    if (!(error instanceof MemberError)) {
      if (!isForeseen(error)) this.#logger.error({ err: error, method }, 'a call failed unexpectedly')
      return toServiceError(error, this.#nodeId)
    }
    const known = this.#known.get(error)
    if (known !== undefined) return known
    const status = toServiceError(error, this.#nodeId)
    this.#known.set(error, status)
    return status
  }
}
