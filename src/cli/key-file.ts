import { closeSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Authority, KeyPair } from '../client/client.js'
import { CliError } from './failure.js'
import { readTextFile, SMALL_FILE_BYTES_MAX } from './input.js'
import { suggestion } from './near-name.js'
import { parseStrictJsonObject } from './strict-json.js'

/** File in which `synod dev` keeps the key of its authority. */
export function devKeyFile(dataDirectory: string): string {
  return join(dataDirectory, 'dev-authority.json')
}

interface KeyFile {
  readonly authorityId: string
  /** Keys, each as base64 of 32 bytes. */
  readonly publicKey: string
  readonly privateKey: string
}

export function formatKeyFile(authorityId: string, { publicKey, privateKey }: KeyPair): string {
  const file: KeyFile = { authorityId, publicKey: toBase64(publicKey), privateKey: toBase64(privateKey) }
  return `${JSON.stringify(file, undefined, 2)}\n`
}

/** Writes a key that only the owner can read; never replaces a file. */
export function writeKeyFile(path: string, authorityId: string, keys: KeyPair): void {
  let isMade = false
  try {
    const fd = openSync(path, 'wx', 0o600) // which follows no link either
    isMade = true
    try {
      writeFileSync(fd, formatKeyFile(authorityId, keys))
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (isMade) rmSync(path, { force: true })
    const isThere = (error as NodeJS.ErrnoException).code === 'EEXIST'
    throw new CliError(isThere ? `${path} is there already` : `cannot write ${path}: ${(error as Error).message}`)
  }
}

/** Reads a key. @throws CliError that names the file and its fault */
export async function readKeyFile(path: string): Promise<Authority> {
  const { makeAuthority } = await import('../client/client.js')
  const fields = parseStrictJsonObject(readTextFile(path, 'the key file', SMALL_FILE_BYTES_MAX), `the key file ${path}`)
  try {
    checkFields(fields)
    const { authorityId, publicKey, privateKey } = fields
    return makeAuthority(authorityId, { publicKey: fromBase64(publicKey), privateKey: fromBase64(privateKey) })
  } catch (error) {
    throw new CliError(`${path} is not a key file: ${(error as Error).message}`, undefined, { cause: error })
  }
}

const FIELDS = ['authorityId', 'publicKey', 'privateKey'] as const

function checkFields(fields: object): asserts fields is KeyFile {
  const unknown = Object.keys(fields).find((name) => !FIELDS.some((known) => known === name))
  if (unknown !== undefined) throw new Error(`${unknown} is none of its fields${suggestion(unknown, FIELDS)}`)
  for (const name of FIELDS) {
    const value: unknown = (fields as Partial<KeyFile>)[name]
    if (typeof value !== 'string' || value === '') throw new Error(`${name} is missing, or not a string`)
  }
}

export function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}

function fromBase64(text: string): Uint8Array {
  const bytes = Buffer.from(text, 'base64')
  if (toBase64(bytes) === text) return bytes
  throw new Error('a key is not base64')
}
