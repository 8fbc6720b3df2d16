import type { ChannelCredentials } from '@grpc/grpc-js'
import { HOST_PORT_FORM, isHostPort } from '../encoding/host-port.js'
import { type ClientSecurity, INSECURE } from '../security/security.js'
import { checkConnectOptions } from './arguments.js'
import { invalidArgument } from './errors.js'

export interface ConnectOptions {
  /** host:port of one or more nodes, as a list or separated by commas. Any node serves any client; more of them means fail-over. */
  readonly endpoints: readonly string[] | string
  /** How long a call may take, retries and fail-over included, when it does not say so itself. 10,000 ms by default. */
  readonly timeoutMs?: number
  /** How long a node may owe answers without a word before another is tried. 3,000 ms by default. */
  readonly stallTimeoutMs?: number
  /** How many requests may be under way; further ones wait here. 4,096 by default. */
  readonly maxInFlight?: number
  /** How many may wait; further ones are rejected with OVERLOADED. 16,384 by default. */
  readonly maxQueued?: number
  /** From @grpc/grpc-js, for TLS. Without it, plain text. */
  readonly credentials?: ChannelCredentials
}

/** What every call takes. */
export interface CallOptions {
  /** Instead of the client's own. */
  readonly timeoutMs?: number
}

export type Settings = Required<Omit<ConnectOptions, 'endpoints'>> & {
  readonly endpoints: readonly string[]
  /** Opens probes; undefined where the caller brought credentials, which no probe can use. */
  readonly probing: ClientSecurity | undefined
}

/** The longest delay that a timer of Node's keeps. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1

/** @throws SynodError INVALID_ARGUMENT, naming the option and its bounds. */
export function settingsOf(options: ConnectOptions): Settings {
  checkConnectOptions(options)
  return {
    endpoints: parseEndpoints(options.endpoints),
    timeoutMs: checkCount('timeoutMs', options.timeoutMs ?? 10_000, TIMEOUT_MS_MAX),
    stallTimeoutMs: checkCount('stallTimeoutMs', options.stallTimeoutMs ?? 3_000, TIMEOUT_MS_MAX),
    maxInFlight: checkCount('maxInFlight', options.maxInFlight ?? 4_096, 65_536),
    maxQueued: checkCount('maxQueued', options.maxQueued ?? 16_384, 1_048_576),
    credentials: options.credentials ?? INSECURE.toNode(),
    probing: options.credentials === undefined ? INSECURE : undefined,
  }
}

/** @throws SynodError INVALID_ARGUMENT unless `value` is a whole number from 1 to `max`. */
export function checkCount(field: string, value: number, max: number = TIMEOUT_MS_MAX): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value
  throw invalidArgument(field, `must be a whole number from 1 to ${max}, not ${value}`)
}

function parseEndpoints(endpoints: readonly string[] | string): string[] {
  const list = (typeof endpoints === 'string' ? endpoints.split(',') : endpoints).map((endpoint) => endpoint.trim())
  const distinct = [...new Set(list)].filter((endpoint) => endpoint !== '')
  if (distinct.length === 0) throw invalidArgument('endpoints', 'at least one host:port is needed')
  for (const endpoint of distinct) {
    if (!isHostPort(endpoint)) throw invalidArgument('endpoints', `${JSON.stringify(endpoint)} is not ${HOST_PORT_FORM}`)
  }
  return distinct
}
