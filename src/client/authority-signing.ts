import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { depositMessage, registerAuthorityMessage, revokeAuthorityMessage } from '../app/bank/signing.js'
import type { DepositRequest, RegisterAuthorityRequest, RevokeAuthorityRequest } from '../gen/synod/bank/v1/bank.js'
import { checkArguments } from './arguments.js'
import { invalidArgument } from './synod-error.js'

const KEY_BYTES = 32

/** An authority that may sign deposits. */
export interface Authority {
  readonly authorityId: string
  /** ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The ed25519 signature (RFC 8032) of the bytes, 64 bytes. */
  sign(bytes: Uint8Array): Uint8Array
}

/** An ed25519 key pair, each as its 32 raw bytes. */
export interface KeyPair {
  readonly publicKey: Uint8Array
  /** RFC 8032's private key, the seed. Keep it secret. */
  readonly privateKey: Uint8Array
}

/** A new random key pair. */
export function generateKeyPair(): KeyPair {
  const { x, d } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
  return { publicKey: Buffer.from(x ?? '', 'base64url'), privateKey: Buffer.from(d ?? '', 'base64url') }
}

/** An authority that signs with a key held in memory. @throws SynodError INVALID_ARGUMENT unless the keys have 32 bytes each. */
export function makeAuthority(authorityId: string, keys: KeyPair): Authority {
  checkArguments('authorityKeys', { authorityId, ...keys })
  const key = importKey(keys)
  return { authorityId, publicKey: keys.publicKey, sign: (bytes) => sign(null, bytes, key) }
}

/** The deposit with its authority and signature. */
export function signDeposit(
  authority: Authority,
  deposit: Pick<DepositRequest, 'depositId' | 'accountId' | 'asset' | 'amount'>,
): DepositRequest {
  checkArguments('unsignedDeposit', deposit)
  const signature = signatureOf(authority, depositMessage(deposit))
  return { ...deposit, authorityId: authority.authorityId, signature }
}

/** Lets another authority in, signed by one that is registered. */
export function signRegisterAuthority(
  signer: Authority,
  request: Pick<RegisterAuthorityRequest, 'authorityId' | 'publicKey'>,
): RegisterAuthorityRequest {
  checkArguments('unsignedRegisterAuthority', request)
  const signature = signatureOf(signer, registerAuthorityMessage(request))
  return { ...request, signerId: signer.authorityId, signature }
}

/** Ends an authority, signed by one that is registered. */
export function signRevokeAuthority(
  signer: Authority,
  request: Pick<RevokeAuthorityRequest, 'authorityId'>,
): RevokeAuthorityRequest {
  checkArguments('unsignedRevokeAuthority', request)
  const signature = signatureOf(signer, revokeAuthorityMessage(request))
  return { ...request, signerId: signer.authorityId, signature }
}

/** @throws SynodError INVALID_ARGUMENT for an authority that is none, cannot sign, or (with keys elsewhere, say) signs only later */
function signatureOf(authority: Authority, message: Uint8Array): Uint8Array {
  checkArguments('signer', { authority })
  let signature: unknown
  try {
    signature = authority.sign(message)
  } catch (error) {
    throw invalidArgument('authority', `its sign failed: ${error instanceof Error ? error.message : String(error)}`, error)
  }
  if (signature instanceof Uint8Array) return signature
  throw invalidArgument(
    'authority',
    'its sign must return a Uint8Array; with one that is signed later, give authorityId and signature',
  )
}

function importKey({ publicKey, privateKey }: KeyPair): KeyObject {
  for (const [field, bytes] of Object.entries({ publicKey, privateKey })) {
    if (bytes.length !== KEY_BYTES) throw invalidArgument(field, `must be ${KEY_BYTES} bytes, not ${bytes.length}`)
  }
  const x = Buffer.from(publicKey).toString('base64url')
  const d = Buffer.from(privateKey).toString('base64url')
  const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' })
  // Node takes the private key, whatever the public one is; nothing that is signed with it would ever verify.
  if (createPublicKey(key).export({ format: 'jwk' }).x === x) return key
  throw invalidArgument('publicKey', 'is not the public key of this private key')
}
