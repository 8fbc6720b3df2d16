import { encodeUtf8 } from '../../tables/utf8.js'

/** The cryptography of the bank, given to it from outside. Deterministic; never throws, whatever the bytes. */
export interface Crypto {
  /** Returns whether the ed25519 signature (RFC 8032) of the message verifies under the key. */
  verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** A collision-resistant digest, as text of at most 64 characters. */
  digest(bytes: Uint8Array): string
}

/** A field of signed bytes: text and bytes with their length before them, a bigint as an int64. */
type Field = string | Uint8Array | bigint

/** The message that an authority signs to let money in. */
export function depositMessage(deposit: { depositId: string; accountId: string; asset: string; amount: bigint }): Uint8Array {
  return signedBytes('synod.bank.v1.Deposit', [deposit.depositId, deposit.accountId, deposit.asset, deposit.amount])
}

/** The message that an authority signs to register another. */
export function registerAuthorityMessage(request: { authorityId: string; publicKey: Uint8Array }): Uint8Array {
  return signedBytes('synod.bank.v1.RegisterAuthority', [request.authorityId, request.publicKey])
}

/** The message that an authority signs to revoke one. */
export function revokeAuthorityMessage(request: { authorityId: string }): Uint8Array {
  return signedBytes('synod.bank.v1.RevokeAuthority', [request.authorityId])
}

/**
 * The domain in ASCII, one zero byte, then the fields: text and bytes as a 4-byte big-endian length and the (UTF-8) bytes, an int64
 * as 8 bytes big-endian two's complement. The lengths make it impossible to read one request's bytes as another's.
 */
export function signedBytes(domain: string, fields: readonly Field[]): Uint8Array {
  const parts = [encodeUtf8(domain), new Uint8Array(1)]
  for (const field of fields) {
    if (typeof field === 'bigint') {
      parts.push(int64(field))
    } else {
      const bytes = typeof field === 'string' ? encodeUtf8(field) : field
      parts.push(length(bytes), bytes)
    }
  }
  return concatenate(parts)
}

function int64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigInt64(0, value)
  return bytes
}

function length(of: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, of.length)
  return bytes
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
