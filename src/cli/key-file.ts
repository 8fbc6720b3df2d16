import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Authority, KeyPair } from '../client/client.js'
import { CliError } from './failure.js'

/** Where `synod dev` keeps the key of the authority that it made. */
export function devKeyFile(dataDirectory: string): string {
  return join(dataDirectory, 'dev-authority.json')
}

interface KeyFile {
  readonly authorityId: string
  /** Base64 of 32 bytes each. */
  readonly publicKey: string
  readonly privateKey: string
}

export function formatKeyFile(authorityId: string, { publicKey, privateKey }: KeyPair): string {
  const file: KeyFile = { authorityId, publicKey: toBase64(publicKey), privateKey: toBase64(privateKey) }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** For the owner's eyes only, and never over a key that is there. */
export function writeKeyFile(path: string, authorityId: string, keys: KeyPair): void {
  try {
    writeFileSync(path, formatKeyFile(authorityId, keys), { mode: 0o600, flag: 'wx' })
  } catch (error) {
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new CliError(isThere ? `${path} is there already` : `cannot write ${path}: ${(error as Error).message}`)
  }
}

/** @throws CliError that names the file and what is wrong with it. */
export async function readKeyFile(path: string): Promise<Authority> {
  const { makeAuthority } = await import('../client/client.js')
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    throw new CliError(`cannot read the key file ${path}: ${(error as Error).message}`, undefined, { cause: error })
  }
  try {
    const { authorityId, publicKey, privateKey } = JSON.parse(text) as Partial<KeyFile>
    if (typeof authorityId !== 'string' || authorityId === '') throw new Error('authorityId is missing')
    return makeAuthority(authorityId, { publicKey: fromBase64(publicKey), privateKey: fromBase64(privateKey) })
  } catch (error) {
    throw new CliError(`${path} is not a key file: ${(error as Error).message}`, undefined, { cause: error })
  }
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function fromBase64(text: string | undefined): Uint8Array {
  return Buffer.from(text ?? '', 'base64')
}
