import { unknownAuthority } from '../bank/authorities.js'
import { revokeAuthorityMessage } from '../bank/signing.js'
import { checkId } from '../bounds.js'
import type { Definition } from '../definition.js'
import { Refusal } from '../refusal.js'

/** Ends an authority; signed by an authority, itself included. */
export interface Request {
  readonly authorityId: string
  readonly signerId: string
  readonly signature: Uint8Array
}

export type Outcome = Readonly<Record<string, never>>

const DONE: Outcome = Object.freeze({})

/** Refused, in this order: UNKNOWN_AUTHORITY (the one to revoke, then the signer), INVALID_SIGNATURE, LAST_AUTHORITY. */
export const definition: Definition<Request, Outcome> = {
  since: 1,
  mode: 'write',
  isStep: false,
  access: () => [{ right: 'ADMIN' }],
  check(request, bounds) {
    checkId(bounds, 'authorityId', request.authorityId)
    checkId(bounds, 'signerId', request.signerId)
  },
  carryOut({ bank: { authorities } }, request) {
    const { authorityId, signerId, signature } = request
    const known = authorities.table.get(authorityId)
    if (known === undefined) return unknownAuthority(authorityId)
    if (known.isRevoked) return DONE
    const refusal = authorities.verify({ signerId, signature, message: revokeAuthorityMessage(request) })
    if (refusal !== undefined) return refusal
    if (authorities.isLast) return Refusal.of('LAST_AUTHORITY', { authority_id: authorityId })
    authorities.revoke(known)
    return DONE
  },
}
