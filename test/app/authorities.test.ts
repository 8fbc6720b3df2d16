import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { nodeCrypto } from '../../src/api/node-crypto.js'
import { depositMessage, registerAuthorityMessage, revokeAuthorityMessage, signedBytes } from '../../src/app/bank/signing.js'
import type { Requests } from '../../src/app/operations/index.js'
import { ActingBooks } from './acting-books.js'
import { bytes, reasonOf } from './fixture.js'

interface SigningVector {
  readonly privateKeySeedHex: string
  readonly publicKeyHex: string
  readonly deposit: { readonly depositId: string; readonly accountId: string; readonly asset: string; readonly amount: string }
  readonly signedBytesHex: string
  readonly signatureHex: string
}

const vector = JSON.parse(readFileSync('test/app/signing-vector.json', 'utf8')) as SigningVector

/** A key pair from a seed of 32 bytes. */
class Signer {
  readonly publicKey: Uint8Array
  readonly #privateKey

  constructor(seed: Buffer) {
    const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
    this.#privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
    this.publicKey = new Uint8Array(createPublicKey(this.#privateKey).export({ format: 'der', type: 'spki' }).subarray(12))
  }

  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#privateKey)
  }
}

const [first, second, third] = [1, 2, 3].map((byte) => new Signer(Buffer.alloc(32, byte))) as [Signer, Signer, Signer]
const NOW = { slot: 5, timeMs: 1_000, level: 1 }
const NOTHING = new Uint8Array(0)

function withFirst(): ActingBooks {
  const books = new ActingBooks(nodeCrypto)
  const initial = { authorityId: 'first', publicKey: first.publicKey, signerId: '', signature: NOTHING }
  assert.equal(reasonOf(books.apply({ $case: 'registerAuthority', value: initial }, { slot: 0, timeMs: 0, level: 1 })), 'OK')
  return books
}

function registerUnsigned(books: ActingBooks, request: Requests['registerAuthority'], slot: number): string {
  return reasonOf(books.apply({ $case: 'registerAuthority', value: request }, { slot, timeMs: 0, level: 1 }))
}

function register(books: ActingBooks, authorityId: string, key: Signer, signerId = 'first', signer = first): string {
  const request = { authorityId, publicKey: key.publicKey, signerId }
  const value = { ...request, signature: signer.sign(registerAuthorityMessage(request)) }
  return reasonOf(books.apply({ $case: 'registerAuthority', value }, NOW))
}

function revoke(books: ActingBooks, authorityId: string, signerId = 'first', signer = first): string {
  const value = { authorityId, signerId, signature: signer.sign(revokeAuthorityMessage({ authorityId })) }
  return reasonOf(books.apply({ $case: 'revokeAuthority', value }, NOW))
}

test('the test vector: the signed bytes of a deposit, and their signature', () => {
  const { depositId, accountId, asset, amount } = vector.deposit
  const message = depositMessage({ depositId, accountId, asset, amount: BigInt(amount) })
  assert.equal(Buffer.from(message).toString('hex'), vector.signedBytesHex)
  const signer = new Signer(Buffer.from(vector.privateKeySeedHex, 'hex'))
  assert.equal(Buffer.from(signer.publicKey).toString('hex'), vector.publicKeyHex)
  assert.equal(Buffer.from(signer.sign(message)).toString('hex'), vector.signatureHex)
  assert.ok(nodeCrypto.verify(signer.publicKey, message, Buffer.from(vector.signatureHex, 'hex')))
})

test('signed bytes are the domain, a zero byte, and each field with its length or as an int64', () => {
  const expected = ['d', '\0', '\0\0\0\u0001a', '\0\0\0\u0002é', '\0\0\0\0'].join('')
  const minusTwo = Buffer.from('fffffffffffffffe', 'hex')
  assert.deepEqual(Buffer.from(signedBytes('d', ['a', 'é', NOTHING, -2n])), Buffer.concat([Buffer.from(expected), minusTwo]))
})

test('no two deposits have the same signed bytes, wherever their fields are cut', () => {
  const one = depositMessage({ depositId: 'ab', accountId: 'c', asset: 'EUR', amount: 1n })
  const other = depositMessage({ depositId: 'a', accountId: 'bc', asset: 'EUR', amount: 1n })
  assert.notDeepEqual(one, other)
})

test('a signature verifies only whole, under its key, over its message; garbage does not throw', () => {
  const message = bytes('message')
  const signature = first.sign(message)
  assert.ok(nodeCrypto.verify(first.publicKey, message, signature))
  const flipped = signature.map((byte, i) => (i === 40 ? byte ^ 1 : byte))
  const cases: [Uint8Array, Uint8Array, Uint8Array][] = [
    [second.publicKey, message, signature],
    [first.publicKey, bytes('massage'), signature],
    [first.publicKey, message, flipped],
    [first.publicKey, message, signature.slice(0, 63)],
    [first.publicKey, message, NOTHING],
    [first.publicKey.slice(1), message, signature],
    [NOTHING, message, signature],
    [new Uint8Array(32).fill(255), message, signature],
    [new Uint8Array(32), message, new Uint8Array(64).fill(255)],
  ]
  for (const [key, text, proof] of cases) assert.equal(nodeCrypto.verify(key, text, proof), false)
})

test('only slot 0 takes an authority in that nobody signed for', () => {
  const authorities = withFirst()
  const unsigned = { authorityId: 'second', publicKey: second.publicKey, signerId: '', signature: NOTHING }
  assert.equal(registerUnsigned(authorities, unsigned, 1), 'UNKNOWN_AUTHORITY')
  assert.equal(registerUnsigned(authorities, { ...unsigned, signerId: 'first' }, 0), 'INVALID_SIGNATURE')
  assert.equal(registerUnsigned(authorities, unsigned, 0), 'OK')
})

test('later authorities are signed in by one that stands', () => {
  const authorities = withFirst()
  assert.equal(register(authorities, 'second', second, 'nobody'), 'UNKNOWN_AUTHORITY')
  assert.equal(register(authorities, 'second', second, 'first', second), 'INVALID_SIGNATURE')
  assert.equal(register(authorities, 'second', second), 'OK')
  assert.equal(register(authorities, 'third', third, 'second', second), 'OK')
})

test('an id that was ever registered is never used for another key, and repeating is harmless', () => {
  const authorities = withFirst()
  assert.equal(register(authorities, 'second', second), 'OK')
  assert.equal(register(authorities, 'second', second), 'OK')
  assert.equal(register(authorities, 'second', third), 'ID_REUSED')
  assert.equal(revoke(authorities, 'second'), 'OK')
  assert.equal(revoke(authorities, 'second'), 'OK')
  assert.equal(register(authorities, 'second', second), 'ID_REUSED')
})

test('a revoked authority signs nothing any more', () => {
  const authorities = withFirst()
  register(authorities, 'second', second)
  assert.equal(revoke(authorities, 'second', 'second', second), 'OK')
  assert.equal(register(authorities, 'third', third, 'second', second), 'UNKNOWN_AUTHORITY')
  const message = bytes('message')
  const signed = { signerId: 'second', signature: second.sign(message), message }
  assert.equal(authorities.bank.authorities.verify(signed)?.reason, 'UNKNOWN_AUTHORITY')
})

test('revoking is refused for the first of its faults, and the last authority stays', () => {
  const authorities = withFirst()
  assert.equal(revoke(authorities, 'nobody', 'nobody', second), 'UNKNOWN_AUTHORITY')
  assert.equal(revoke(authorities, 'first', 'nobody', second), 'UNKNOWN_AUTHORITY')
  assert.equal(revoke(authorities, 'first', 'first', second), 'INVALID_SIGNATURE')
  assert.equal(revoke(authorities, 'first'), 'LAST_AUTHORITY')
  register(authorities, 'second', second)
  assert.equal(revoke(authorities, 'first'), 'OK')
  assert.equal(revoke(authorities, 'second', 'second', second), 'LAST_AUTHORITY')
})
