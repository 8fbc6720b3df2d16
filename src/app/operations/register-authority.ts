import { registerAuthorityMessage } from '../bank/signing.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Makes another key able to sign deposits; signed by an authority that is there already. */
export interface Request {
  readonly authorityId: string
  /** ed25519, 32 bytes. Kept as it is: must not be a view of a bigger buffer. */
  readonly publicKey: Uint8Array
  /** Empty only in a new cluster's initial commands. */
  readonly signerId: string
  readonly signature: Uint8Array
}

export type Outcome = Readonly<Record<string, never>>

const PUBLIC_KEY_BYTES = 32
const DONE: Outcome = Object.freeze({})

/** Refused, in this order: ID_REUSED, UNKNOWN_AUTHORITY (the signer), INVALID_SIGNATURE. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: false,
  access: () => [{ right: 'ADMIN' }],
  check(request, bounds) {
    checkId(bounds, 'authorityId', request.authorityId)
    if (request.publicKey.length !== PUBLIC_KEY_BYTES) bounds.broken('publicKey', 'PUBLIC_KEY', request.publicKey.length)
    if (!bounds.isInitial || request.signerId !== '') checkId(bounds, 'signerId', request.signerId)
  },
  carryOut({ bank: { authorities } }, request, at) {
    const { authorityId, publicKey, signerId, signature } = request
    const known = authorities.table.get(authorityId)
    if (known !== undefined) {
      if (!known.isRevoked && isSameKey(known.publicKey, publicKey)) return DONE
      return Refusal.of('ID_REUSED', { authority_id: authorityId, is: known.isRevoked ? 'revoked' : 'another_key' })
    }
    const isInitial = at.slot === 0 && signerId === ''
    const refusal = isInitial
      ? undefined
      : authorities.verify({ signerId, signature, message: registerAuthorityMessage(request) })
    if (refusal !== undefined) return refusal
    authorities.add({ authorityId, publicKey })
    return DONE
  },
}

function isSameKey(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
