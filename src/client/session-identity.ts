import type { ResponseHeader } from '../gen/synod/common/v1/common.js'
import type { ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { SessionName, StreamPurpose } from './session-port.js'

/** What a session is called, and by which cluster and node it was welcomed last. */
export class SessionIdentity {
  readonly #isReadsOnly: boolean
  /** Undefined until the cluster has given one, and always for a session of reads only. */
  #name: SessionName | undefined
  #welcome: ServerWelcome | undefined
  /** The cluster has forgotten the session: what is under way is answered or given up, then a new session begins. */
  hasExpired = false

  constructor({ isReadsOnly }: { readonly isReadsOnly: boolean }) {
    this.#isReadsOnly = isReadsOnly
  }

  get name(): SessionName | undefined {
    return this.#name
  }

  /** The purpose of the next stream. */
  get purpose(): StreamPurpose {
    return this.#isReadsOnly ? 'reads' : { session: this.#name }
  }

  /** True of the welcome of another cluster than the one before: made anew at the same addresses, say. There, nobody knows this session. */
  isOfAnotherCluster({ clusterId }: ServerWelcome): boolean {
    return this.#name !== undefined && this.#welcome !== undefined && this.#welcome.clusterId !== clusterId
  }

  /** True of a welcome to another session than the one asked for. */
  isOfAnotherSession({ clientId }: ServerWelcome): boolean {
    return this.#name !== undefined && this.#name.clientId !== clientId
  }

  meet(welcome: ServerWelcome): void {
    this.#welcome = welcome
  }

  /** Takes the name that the welcome gives. */
  adopt(welcome: ServerWelcome): void {
    this.#welcome = welcome
    if (!this.#isReadsOnly) this.#name = { clientId: welcome.clientId, token: welcome.token }
  }

  /** The session is of no use any more; the next stream opens another. */
  drop(): void {
    this.#name = undefined
    this.hasExpired = false
  }

  headerOf(slot: number): ResponseHeader {
    return { clusterId: this.#welcome?.clusterId ?? '', nodeId: this.#welcome?.nodeId ?? 0, slot }
  }
}
