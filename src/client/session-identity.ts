import type { ResponseHeader } from '../gen/synod/common/v1/common.js'
import type { ServerWelcome } from '../gen/synod/session/v1/session.js'
import type { SessionName, StreamPurpose } from './session-port.js'

/** The name of a session, and the cluster and node that welcomed it last. */
export class SessionIdentity {
  readonly #isReadsOnly: boolean
  /** The name, once the cluster has given one; a session of reads only has none. */
  #name: SessionName | undefined
  #welcome: ServerWelcome | undefined
  /** Set when the cluster has forgotten the session: calls under way are answered or given up, then a new session begins. */
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

  /** Returns true if another cluster sent the welcome, such as one made anew at the same addresses. It does not know this session. */
  isOfAnotherCluster({ clusterId }: ServerWelcome): boolean {
    return this.#name !== undefined && this.#welcome !== undefined && this.#welcome.clusterId !== clusterId
  }

  /** Returns true if the welcome is to another session than the one asked for. */
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

  /** Drops the name; the next stream opens another session. */
  drop(): void {
    this.#name = undefined
    this.hasExpired = false
  }

  headerOf(slot: number): ResponseHeader {
    return { clusterId: this.#welcome?.clusterId ?? '', nodeId: this.#welcome?.nodeId ?? 0, slot }
  }
}
