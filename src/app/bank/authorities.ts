import type { Moment } from '../../replication/state-machine.js'
import type { Journal } from '../../tables/journal.js'
import { AUTHORITY_BYTES } from '../../tables/row-bytes.js'
import { Cell, Table } from '../../tables/table.js'
import { Refusal } from '../refusal.js'
import { type Crypto, registerAuthorityMessage, revokeAuthorityMessage } from './signing.js'

/** Someone whose signature lets money in. Once revoked it stays in the books, so that its id is never used again. */
export interface Authority {
  readonly authorityId: string
  /** ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly isRevoked: boolean
}

export interface RegisterAuthorityRequest {
  readonly authorityId: string
  /** Kept as it is: must not be a view of a bigger buffer. */
  readonly publicKey: Uint8Array
  /** Empty only in the initial commands. */
  readonly signerId: string
  readonly signature: Uint8Array
}

export interface RevokeAuthorityRequest {
  readonly authorityId: string
  readonly signerId: string
  readonly signature: Uint8Array
}

/** Who may sign deposits: replicated state, so that every node verifies with the same keys. */
export class Authorities {
  readonly table: Table<Authority>
  /** How many are not revoked. */
  readonly #standing: Cell<number>
  readonly #crypto: Crypto

  constructor(journal: Journal, crypto: Crypto) {
    this.table = new Table(journal, () => AUTHORITY_BYTES)
    this.#standing = new Cell(journal, 0)
    this.#crypto = crypto
  }

  /** Refused, in this order: ID_REUSED, UNKNOWN_AUTHORITY (the signer), INVALID_SIGNATURE. */
  register(request: RegisterAuthorityRequest, at: Moment): Refusal | undefined {
    const { authorityId, publicKey, signerId, signature } = request
    const known = this.table.get(authorityId)
    if (known !== undefined) {
      if (!known.isRevoked && isSameKey(known.publicKey, publicKey)) return undefined
      return Refusal.of('ID_REUSED', { authority_id: authorityId, is: known.isRevoked ? 'revoked' : 'another_key' })
    }
    const isInitial = at.slot === 0 && signerId === ''
    if (!isInitial) {
      const refusal = this.verify({ signerId, signature, message: registerAuthorityMessage(request) })
      if (refusal !== undefined) return refusal
    }
    this.table.set(authorityId, { authorityId, publicKey, isRevoked: false })
    this.#standing.set(this.#standing.value + 1)
    return undefined
  }

  /** Refused, in this order: UNKNOWN_AUTHORITY (the one to revoke, then the signer), INVALID_SIGNATURE, LAST_AUTHORITY. */
  revoke(request: RevokeAuthorityRequest): Refusal | undefined {
    const { authorityId, signerId, signature } = request
    const known = this.table.get(authorityId)
    if (known === undefined) return unknownAuthority(authorityId)
    if (known.isRevoked) return undefined
    const refusal = this.verify({ signerId, signature, message: revokeAuthorityMessage(request) })
    if (refusal !== undefined) return refusal
    if (this.#standing.value === 1) {
      return Refusal.of('LAST_AUTHORITY', { authority_id: authorityId })
    }
    this.table.set(authorityId, { ...known, isRevoked: true })
    this.#standing.set(this.#standing.value - 1)
    return undefined
  }

  /** Refused, in this order: UNKNOWN_AUTHORITY, INVALID_SIGNATURE. */
  verify(signed: { signerId: string; signature: Uint8Array; message: Uint8Array }): Refusal | undefined {
    const signer = this.table.get(signed.signerId)
    if (signer === undefined || signer.isRevoked) return unknownAuthority(signed.signerId)
    if (this.#crypto.verify(signer.publicKey, signed.message, signed.signature)) return undefined
    return Refusal.of('INVALID_SIGNATURE', { authority_id: signed.signerId })
  }

  /** Puts back one of a checkpoint. */
  load(authority: Authority): void {
    this.table.load(authority.authorityId, authority)
    if (!authority.isRevoked) this.#standing.set(this.#standing.value + 1)
  }
}

function unknownAuthority(authorityId: string): Refusal {
  return Refusal.of('UNKNOWN_AUTHORITY', { authority_id: authorityId })
}

function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
