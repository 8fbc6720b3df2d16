import type { Journal } from '../../tables/journal.js'
import { AUTHORITY_BYTES } from '../../tables/row-bytes.js'
import { Cell, Table } from '../../tables/table.js'
import { Refusal } from '../refusal.js'
import type { Crypto } from './signing.js'

/** Someone whose signature lets money in. Once revoked it stays in the books, so that its id is never used again. */
export interface Authority {
  readonly authorityId: string
  /** ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly isRevoked: boolean
}

/** The authorities that may sign deposits: replicated state, so that every node verifies with the same keys. */
export class Authorities {
  readonly table: Table<Authority>
  /** Number of authorities that are not revoked. */
  readonly #standing: Cell<number>
  readonly #crypto: Crypto

  constructor(journal: Journal, crypto: Crypto) {
    this.table = new Table(journal, () => AUTHORITY_BYTES)
    this.#standing = new Cell(journal, 0)
    this.#crypto = crypto
  }

  /** True when only one is left that is not revoked: nobody could sign deposits without it. */
  get isLast(): boolean {
    return this.#standing.value === 1
  }

  /** Registers one of an id that was never used. */
  add({ authorityId, publicKey }: Pick<Authority, 'authorityId' | 'publicKey'>): void {
    this.table.set(authorityId, { authorityId, publicKey, isRevoked: false })
    this.#standing.set(this.#standing.value + 1)
  }

  /** Revokes one that is not revoked. */
  revoke(authority: Authority): void {
    this.table.set(authority.authorityId, { ...authority, isRevoked: true })
    this.#standing.set(this.#standing.value - 1)
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

export function unknownAuthority(authorityId: string): Refusal {
  return Refusal.of('UNKNOWN_AUTHORITY', { authority_id: authorityId })
}
