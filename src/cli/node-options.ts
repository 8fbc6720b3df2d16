import { dirname, resolve } from 'node:path'
import { HOST_PORT_FORM, isHostPort } from '../encoding/host-port.js'
import type { MemberConfig, ServerConfig } from '../server/config.js'
import { addressClash, tooHighForNewCluster } from '../server/config.js'
import { CliError, EXIT, usageError } from './failure.js'
import { readTextFile, SMALL_FILE_BYTES_MAX } from './input.js'
import { suggestion } from './near-name.js'
import { parseStrictJsonObject } from './strict-json.js'

/** One node's options as text, from flags, variables or a file; the same names in each. */
export interface NodeOptions {
  readonly id?: string
  readonly data?: string
  readonly listen?: string
  readonly peerListen?: string
  readonly peers?: string
  readonly authority?: readonly string[]
  readonly join?: boolean
  readonly repair?: boolean
  readonly transferRate?: string
}

/** Content of a config file. */
export interface NodeConfigFile extends Omit<NodeOptions, 'id' | 'transferRate'> {
  readonly id?: number | string
  readonly transferRate?: number | string
}

/** Bounds of the transfer rate in MiB a second, far beyond what any network carries. */
const RATE_MIN = 0.01
const RATE_MAX = 100_000

/** Names of each option as flag, variable and entry of the file. */
const OPTIONS: Readonly<Record<keyof NodeOptions, { flag: string; variable: string }>> = {
  id: { flag: '--id', variable: 'SYNOD_ID' },
  data: { flag: '--data', variable: 'SYNOD_DATA' },
  listen: { flag: '--listen', variable: 'SYNOD_LISTEN' },
  peerListen: { flag: '--peer-listen', variable: 'SYNOD_PEER_LISTEN' },
  peers: { flag: '--peers', variable: 'SYNOD_PEERS' },
  authority: { flag: '--authority', variable: 'SYNOD_AUTHORITIES' },
  join: { flag: '--join', variable: 'SYNOD_JOIN' },
  repair: { flag: '--no-repair', variable: 'SYNOD_REPAIR' },
  transferRate: { flag: '--transfer-rate', variable: 'SYNOD_TRANSFER_RATE' },
}

const SWITCHES: ReadonlySet<string> = new Set<keyof NodeOptions>(['join', 'repair'])

export const NODE_VARIABLES: readonly string[] = [...Object.values(OPTIONS).map(({ variable }) => variable), 'SYNOD_CONFIG']

/** Reads the options: flags come before variables, variables before the file. A relative data directory in the file is relative to the file. */
export function mergeNodeOptions(
  flags: NodeOptions,
  env: Readonly<Record<string, string | undefined>>,
  file: NodeOptions,
): NodeOptions {
  const merged: Record<string, string | boolean | readonly string[] | undefined> = {}
  for (const name of Object.keys(OPTIONS) as (keyof NodeOptions)[]) {
    merged[name] = flags[name] ?? parseVariable(name, env[OPTIONS[name].variable] || undefined) ?? file[name]
  }
  return merged
}

function parseVariable(name: keyof NodeOptions, text: string | undefined): string | boolean | readonly string[] | undefined {
  if (name === 'authority') return text?.split(',')
  if (!SWITCHES.has(name) || text === undefined) return text
  if (text === 'true' || text === 'false') return text === 'true'
  throw usageError(`${OPTIONS[name].variable} must be true or false, not ${JSON.stringify(text)}`)
}

/** Reads a config file. @throws CliError that names the file and the wrong entry */
export function readConfigFile(path: string): NodeOptions {
  const file = parseStrictJsonObject(readTextFile(path, '--config', SMALL_FILE_BYTES_MAX), `--config ${path}`)
  for (const [name, value] of Object.entries(file)) checkEntry(path, name, value)
  const { id, data, transferRate, ...rest } = file as NodeConfigFile
  return {
    ...rest,
    ...(id === undefined ? {} : { id: String(id) }),
    ...(transferRate === undefined ? {} : { transferRate: String(transferRate) }),
    ...(data === undefined ? {} : { data: resolve(path === '-' ? '.' : dirname(path), data) }),
  }
}

function checkEntry(path: string, name: string, value: unknown): void {
  if (!Object.hasOwn(OPTIONS, name)) {
    throw usageError(`--config: ${path} has an entry ${name}, which is not an option${suggestion(name, Object.keys(OPTIONS))}`)
  }
  const { isFine, kind } = checkOf(name)
  if (!isFine(value)) throw usageError(`--config: ${name} in ${path} must be ${kind}`)
  // Such a path would name another file: Node turns half a surrogate pair into U+FFFD, and the system ends a name at the first zero.
  const texts = [value].flat().filter((item) => typeof item === 'string')
  if (!texts.every((text) => text.isWellFormed() && !text.includes('\0')))
    throw usageError(`--config: ${name} in ${path} is no text`)
}

function checkOf(name: string): { isFine: (value: unknown) => boolean; kind: string } {
  if (SWITCHES.has(name)) return { isFine: (value) => typeof value === 'boolean', kind: 'true or false' }
  if (name !== 'authority') {
    const isFine = (value: unknown): boolean =>
      (typeof value === 'string' && value !== '') ||
      (name === 'id' && Number.isInteger(value)) ||
      (name === 'transferRate' && typeof value === 'number')
    const kinds: Readonly<Record<string, string>> = { id: 'a whole number', transferRate: 'a number' }
    return { isFine, kind: kinds[name] ?? 'a string, and not an empty one' }
  }
  return {
    isFine: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
    kind: 'a list of strings',
  }
}

/** Checks the options. @throws CliError that names the flag and its bounds */
export function serverConfigOf(options: NodeOptions): ServerConfig {
  const nodeId = parseNodeId('id', required(options, 'id'))
  const members = parsePeers(required(options, 'peers'))
  const self = members.find((member) => member.nodeId === nodeId)
  if (self === undefined) throw fault('peers', `has no node ${nodeId}; it must list every member, this one too`)
  return {
    nodeId,
    dataDirectory: resolve(required(options, 'data')),
    clientListen: parseAddress('listen', options.listen ?? self.clientAddress),
    peerListen: parseAddress('peerListen', options.peerListen ?? self.peerAddress),
    members,
    authorities: (options.authority ?? []).map(parseAuthority),
    join: options.join ?? false,
    repair: options.repair ?? true,
    ...(options.transferRate !== undefined && { transferBytesPerSecondMax: parseRate(options.transferRate) }),
  }
}

function required(options: NodeOptions, name: 'id' | 'data' | 'peers'): string {
  const value = options[name]
  if (value !== undefined && value !== '') return value
  const { flag, variable } = OPTIONS[name]
  throw usageError(`${flag} is missing (or ${variable}, or "${name}" in the config file)`)
}

function parseNodeId(name: keyof NodeOptions, text: string): number {
  const id = Number(text)
  if (/^\d+$/.test(text) && id >= 1 && id <= 65_535) return id
  throw fault(name, `${JSON.stringify(text)}: a node's id is a whole number from 1 to 65,535`)
}

/** Parses MiB a second. */
function parseRate(text: string): number {
  const rate = Number(text)
  if (/^\d+(\.\d+)?$/.test(text) && rate >= RATE_MIN && rate <= RATE_MAX) return rate * (1 << 20)
  throw fault('transferRate', `${JSON.stringify(text)}: a rate is a number of MiB a second from ${RATE_MIN} to ${RATE_MAX}`)
}

function parseAddress(name: keyof NodeOptions, text: string): string {
  if (isHostPort(text)) return text
  throw fault(name, `${JSON.stringify(text)} is not ${HOST_PORT_FORM}`)
}

/** Parses `1=host:peerport/host:clientport,2=…` @throws CliError */
function parsePeers(text: string): MemberConfig[] {
  const members = text.split(',').map((entry) => parseMember(entry.trim()))
  if (new Set(members.map(({ nodeId }) => nodeId)).size !== members.length) throw fault('peers', 'names a node twice')
  checkAddresses(members)
  return members.toSorted((a, b) => a.nodeId - b.nodeId)
}

/** Parses the members of a cluster that does not exist yet. @throws CliError */
export function parseNewPeers(text: string): MemberConfig[] {
  const members = parsePeers(text)
  const tooHigh = tooHighForNewCluster(members.map(({ nodeId }) => nodeId))
  if (tooHigh !== undefined) throw fault('peers', tooHigh)
  return members
}

/** Parses `4=host:peerport/host:clientport` @throws CliError */
export function parseMember(entry: string): MemberConfig {
  const [, id = '', peer = '', client = ''] = /^([^=]*)=([^/]*)\/(.*)$/.exec(entry) ?? []
  if (client === '') throw fault('peers', `${JSON.stringify(entry)} is not ID=HOST:PEERPORT/HOST:CLIENTPORT`)
  const member = {
    nodeId: parseNodeId('peers', id),
    peerAddress: parseAddress('peers', peer),
    clientAddress: parseAddress('peers', client),
  }
  checkAddresses([member])
  return member
}

function checkAddresses(members: readonly MemberConfig[]): void {
  const clash = addressClash(members)
  if (clash !== undefined) throw fault('peers', clash)
}

/** Parses `ID=BASE64PUBKEY`; base64 itself may end in =. */
function parseAuthority(text: string): ServerConfig['authorities'][number] {
  const [, authorityId = '', base64 = ''] = /^([^=]+)=(.+)$/.exec(text.trim()) ?? []
  const publicKey = Buffer.from(base64, 'base64')
  const isExact = publicKey.toString('base64') === base64
  if (authorityId !== '' && isExact && publicKey.length === 32) return { authorityId, publicKey }
  throw fault('authority', `${JSON.stringify(text)} is not ID=BASE64 with a public key of 32 bytes`)
}

function fault(name: keyof NodeOptions, what: string): CliError {
  return new CliError(`${OPTIONS[name].flag}: ${what}`, EXIT.usage)
}

/** Formats the peers option for these members. */
export function formatPeers(members: readonly MemberConfig[]): string {
  return members.map(({ nodeId, peerAddress, clientAddress }) => `${nodeId}=${peerAddress}/${clientAddress}`).join(',')
}
