import { ChannelCredentials } from '@grpc/grpc-js'
import { ILL_FORMED } from '../encoding/text.js'
import { invalidArgument } from './synod-error.js'

/**
 * Checks arguments before a request is made of them: right types, all fields, no unknown ones. TypeScript does not check plain JavaScript,
 * and there a missing id would be sent as the text "undefined". The bounds are the server's: see
 * api/validate.ts.
 */
type Check = (value: unknown, path: string) => void

const INT64_MIN = -(2n ** 63n)
const INT64_MAX = 2n ** 63n - 1n
const UINT32_MAX = 2 ** 32 - 1

const text: Check = (value, path) => {
  if (typeof value !== 'string') throw wrong(path, `must be a string, not ${kindOf(value)}`)
  if (!value.isWellFormed()) throw wrong(path, ILL_FORMED)
}

const bytes: Check = (value, path) => {
  if (!(value instanceof Uint8Array)) throw wrong(path, `must be a Uint8Array, not ${kindOf(value)}`)
}

const textOrBytes: Check = (value, path) => {
  if (typeof value === 'string') text(value, path)
  else if (!(value instanceof Uint8Array)) throw wrong(path, `must be a string or a Uint8Array, not ${kindOf(value)}`)
}

const int64: Check = (value, path) => {
  if (typeof value !== 'bigint') throw wrong(path, `must be a bigint, such as 10n, not ${kindOf(value)}`)
  if (value < INT64_MIN || value > INT64_MAX) throw wrong(path, `must be an int64, ${INT64_MIN} to ${INT64_MAX}, not ${value}`)
}

const whole =
  (max: number): Check =>
  (value, path) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return
    throw wrong(path, `must be a whole number from 0 to ${max}, not ${typeof value === 'number' ? value : kindOf(value)}`)
  }

const count = whole(UINT32_MAX)
const safe = whole(Number.MAX_SAFE_INTEGER)

const flag: Check = (value, path) => {
  if (typeof value !== 'boolean') throw wrong(path, `must be true or false, not ${kindOf(value)}`)
}

/** Its own parts are looked at when it signs. */
const authority: Check = (value, path) => {
  const parts = value as { authorityId?: unknown; sign?: unknown } | null | undefined
  if (typeof parts?.sign !== 'function') throw wrong(path, `must be an Authority, from makeAuthority, not ${kindOf(value)}`)
  text(parts.authorityId, `${path}.authority_id`)
}

interface Optional {
  readonly optional: Check
}
type Fields = Readonly<Record<string, Check | Optional>>

const maybe = (check: Check): Optional => ({ optional: check })

function list(item: Check): Check {
  return (value, path) => {
    if (!Array.isArray(value)) throw wrong(path, `must be a list, not ${kindOf(value)}`)
    // Not forEach: a hole in a list is an item that is undefined.
    for (let i = 0; i < value.length; i++) item(value[i], `${path}[${i}]`)
  }
}

/** An object with these fields and no others. `oneOf`: exactly one of these must be there. */
function fields(known: Fields, oneOf?: { readonly name: string; readonly of: Fields }): Check {
  const all: Fields = { ...known, ...oneOf?.of }
  return (value, path) => {
    if (!isPlainObject(value)) throw wrong(path, `must be an object, not ${kindOf(value)}`)
    const given = value as Record<string, unknown>
    for (const name of Object.keys(given)) {
      if (!Object.hasOwn(all, name)) throw wrong(join(path, name), `is not known; there are ${Object.keys(all).join(', ')}`)
    }
    for (const [name, check] of Object.entries(known)) {
      if (typeof check === 'function') check(given[name], join(path, snake(name)))
      else if (given[name] !== undefined) check.optional(given[name], join(path, snake(name)))
    }
    if (oneOf === undefined) return
    const chosen = Object.keys(oneOf.of).filter((name) => Object.hasOwn(given, name))
    const [only = ''] = chosen
    if (chosen.length !== 1) {
      const are = chosen.length === 0 ? 'there is none' : `not ${chosen.join(' and ')}`
      throw wrong(join(path, oneOf.name), `exactly one of ${Object.keys(oneOf.of).join(', ')} must be given: ${are}`)
    }
    const check = oneOf.of[only] as Check
    check(given[only], join(path, snake(only)))
  }
}

/** The SDK's own, which no request has. */
const OWN_NAMES: ReadonlySet<string> = new Set(['timeoutMs', 'stallTimeoutMs', 'maxInFlight', 'maxQueued'])

/** The name of the field on the wire, which the server uses, too. */
function snake(name: string): string {
  return OWN_NAMES.has(name) ? name : name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** Not a Map, whose entries are no fields, and not a Promise that was not awaited: either would pass for a request without fields. */
export function isPlainObject(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.getPrototypeOf(value) === Object.prototype || tagOf(value) === 'Object'
}

function article(name: string): string {
  return `${/^[AEIO]/.test(name) ? 'an' : 'a'} ${name}`
}

/** The same for objects of every realm: tests may run in one of their own. */
function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1)
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function wrong(path: string, description: string): Error {
  return invalidArgument(path === '' ? 'request' : path, description)
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return isPlainObject(value) ? 'an object' : article(tagOf(value))
  return value === undefined ? 'undefined' : `a ${typeof value}`
}

const ALL: Check = (value, path) => {
  if (value !== true) throw wrong(path, `must be true, not ${String(value)}`)
}

const TIMEOUT: Fields = { timeoutMs: maybe(safe) }
const READ: Fields = { ...TIMEOUT, consistency: maybe(count) }
const WRITE: Fields = { ...TIMEOUT, returnPrevious: maybe(flag), requestId: maybe(text) }

const PUT: Fields = { key: text, value: textOrBytes, returnPrevious: maybe(flag) }
const OPEN_ACCOUNT: Fields = { accountId: text, asset: text, overdraftLimit: maybe(int64) }
const WITHDRAW: Fields = { withdrawalId: text, accountId: text, amount: int64 }
const END_TRANSFER: Fields = { transferId: text, amount: maybe(int64) }
const TRANSFER: Fields = {
  transferId: text,
  sourceAccountId: text,
  destinationAccountId: text,
  amount: int64,
  pending: maybe(flag),
  timeoutMs: maybe(safe),
}
const TARGET = { name: 'target', of: { key: text, prefix: text, all: ALL } }
const DEPOSIT: Fields = { depositId: text, accountId: text, asset: text, amount: int64 }
const SIGNED_DEPOSIT = fields({ ...DEPOSIT, authorityId: text, signature: bytes })
const UNSIGNED_DEPOSIT = fields({ ...DEPOSIT, authority })
const deposit: Check = (value, path) => {
  const isUnsigned = typeof value === 'object' && value !== null && 'authority' in value
  if (isUnsigned) UNSIGNED_DEPOSIT(value, path)
  else SIGNED_DEPOSIT(value, path)
}

const compare = fields(
  { key: text, operator: maybe(count) },
  { name: 'target', of: { value: textOrBytes, version: int64, createRevision: int64, modRevision: int64 } },
)

const operation = fields(
  {},
  {
    name: 'operation',
    of: {
      put: fields(PUT),
      get: fields({ key: text }),
      delete: fields({ returnPrevious: maybe(flag) }, TARGET),
      openAccount: fields(OPEN_ACCOUNT),
      deposit,
      withdraw: fields(WITHDRAW),
      transfer: fields(TRANSFER),
      postTransfer: fields(END_TRANSFER),
      voidTransfer: fields(END_TRANSFER),
      getBalance: fields({ accountId: text }),
    },
  },
)

const ADDRESSED_MEMBER = fields({ nodeId: count, peerAddress: text, clientAddress: text })

/** The arguments of each method, with its options where the method takes them apart. */
const ARGUMENTS = {
  put: fields({ ...PUT, ...WRITE }),
  get: fields({ key: text, ...READ }),
  delete: fields(WRITE, TARGET),
  list: fields({
    prefix: maybe(text),
    start: maybe(text),
    end: maybe(text),
    limit: maybe(count),
    order: maybe(count),
    keysOnly: maybe(flag),
    countOnly: maybe(flag),
    pageToken: maybe(text),
    consistency: maybe(count),
  }),
  txn: fields({
    compare: maybe(list(compare)),
    // oxlint-disable-next-line unicorn/no-thenable -- the proto's field, a list
    then: maybe(list(operation)),
    else: maybe(list(operation)),
    requestId: maybe(text),
  }),
  openAccount: fields({ ...OPEN_ACCOUNT, requestId: maybe(text) }),
  deposit,
  withdraw: fields(WITHDRAW),
  transfer: fields(TRANSFER),
  postTransfer: fields(END_TRANSFER),
  voidTransfer: fields(END_TRANSFER),
  transferBatch: fields({
    transfers: list(fields(TRANSFER)),
    linkedGroups: maybe(list(fields({ first: count, count }))),
  }),
  getBalance: fields({ accountId: text, ...READ }),
  getTransfer: fields({ transferId: text, ...READ }),
  listMovements: fields({
    accountId: text,
    pageSize: maybe(count),
    pageToken: maybe(text),
    order: maybe(count),
    consistency: maybe(count),
  }),
  listAccounts: fields({ pageSize: maybe(count), pageToken: maybe(text), consistency: maybe(count) }),
  registerAuthority: fields({ authorityId: text, publicKey: bytes, signerId: text, signature: bytes }),
  revokeAuthority: fields({ authorityId: text, signerId: text, signature: bytes }),
  unsignedDeposit: fields(DEPOSIT),
  unsignedRegisterAuthority: fields({ authorityId: text, publicKey: bytes }),
  unsignedRevokeAuthority: fields({ authorityId: text }),
  authorityKeys: fields({ authorityId: text, publicKey: bytes, privateKey: bytes }),
  signer: fields({ authority }),
  addMember: ADDRESSED_MEMBER,
  updateMember: ADDRESSED_MEMBER,
  nodeId: fields({ nodeId: count }),
  setQuota: fields({ quotaBytes: safe }),
  upgrade: fields({ level: count }),
} satisfies Readonly<Record<string, Check>>

export type ArgumentsOf = keyof typeof ARGUMENTS

/** Returns whether a method has arguments that are checked here. */
export function hasArguments(method: string): method is ArgumentsOf {
  return Object.hasOwn(ARGUMENTS, method)
}

/** @throws SynodError INVALID_ARGUMENT that names the field, as it is on the wire, and what is wrong with it */
export function checkArguments(method: ArgumentsOf, given: unknown): void {
  ARGUMENTS[method](given, '')
}

const TIMEOUT_OPTIONS = fields(TIMEOUT)
const READ_OPTIONS = fields(READ)
const WRITE_OPTIONS = fields(WRITE)

/** Checks a method's last argument, which may be left out, as checkArguments does. */
export function checkOptions(takes: 'timeout' | 'read' | 'write', options: unknown): void {
  if (options === undefined) return
  const check = takes === 'timeout' ? TIMEOUT_OPTIONS : takes === 'read' ? READ_OPTIONS : WRITE_OPTIONS
  check(options, 'options')
}

const endpoints: Check = (value, path) => {
  if (typeof value !== 'string') list(text)(value, path)
}

/** gRPC would throw at the first connection, where nobody waits for it. */
const channelCredentials: Check = (value, path) => {
  if (value instanceof ChannelCredentials) return
  throw wrong(path, `must be ChannelCredentials, from the credentials of @grpc/grpc-js, not ${kindOf(value)}`)
}

const CONNECT_OPTIONS = fields({
  endpoints,
  timeoutMs: maybe(safe),
  stallTimeoutMs: maybe(safe),
  maxInFlight: maybe(safe),
  maxQueued: maybe(safe),
  credentials: maybe(channelCredentials),
})

/** Those of connect(), but for their bounds. @throws SynodError INVALID_ARGUMENT */
export function checkConnectOptions(options: unknown): void {
  if (options === null || typeof options !== 'object') throw wrong('options', `must be an object, not ${kindOf(options)}`)
  CONNECT_OPTIONS(options, '')
}
