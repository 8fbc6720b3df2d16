import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import type { Crypto } from '../app/bank/signing.js'

/** The bytes before the 32 bytes of an ed25519 public key in its DER form (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const PUBLIC_KEY_BYTES = 32
const SIGNATURE_BYTES = 64
const PARSED_KEYS_MAX = 1_024

/** Parsed keys by their bytes in hex: parsing costs as much as a tenth of a verification. */
const parsedKeys = new Map<string, KeyObject>()

/** The machine's cryptography over node:crypto. Keys and signatures that are none do not verify; nothing throws. */
export const nodeCrypto: Crypto = {
  verify(publicKey, message, signature) {
    if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
    try {
      return verify(null, message, parseKey(publicKey), signature)
    } catch {
      return false // 32 bytes that are no point of the curve
    }
  },
  digest(bytes) {
    return createHash('sha256').update(bytes).digest('base64url')
  },
}

function parseKey(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey).toString('hex')
  const known = parsedKeys.get(name)
  if (known !== undefined) return known
  const key = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' })
  if (parsedKeys.size >= PARSED_KEYS_MAX) parsedKeys.clear()
  parsedKeys.set(name, key)
  return key
}
