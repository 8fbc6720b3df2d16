import type { ChannelCredentials } from '@grpc/grpc-js'
import { HOST_PORT_FORM, isHostPort } from '../encoding/host-port.js'
import { type ClientSecurity, INSECURE } from '../security/security.js'
import { checkConnectOptions } from './arguments.js'
import { invalidArgument } from './synod-error.js'

export interface ConnectOptions {
  /** host:port of one or more nodes, as a list or separated by commas. Any node serves any client; more of them means fail-over. */
  readonly endpoints: readonly string[] | string
  /** Time limit of a call that has none of its own, in ms, retries and fail-over included. Default: 10,000. */
  readonly timeoutMs?: number
  /** Maximum time, in ms, that a node may owe answers and send nothing before another is tried. Default: 3,000. */
  readonly stallTimeoutMs?: number
  /** Maximum number of requests under way; further ones wait here. Default: 4,096. */
  readonly maxInFlight?: number
  /** Maximum number of waiting requests; further ones are rejected with OVERLOADED. Default: 16,384. */
  readonly maxQueued?: number
  /** Credentials from @grpc/grpc-js, for TLS. Default: plain text. */
  readonly credentials?: ChannelCredentials
}

/** Options of every call. */
export interface CallOptions {
  /** Time limit in ms; the client's own by default. */
  readonly timeoutMs?: number
}

export type Settings = Required<Omit<ConnectOptions, 'endpoints'>> & {
  readonly endpoints: readonly string[]
  /** Opens probes; undefined where the caller brought credentials, which no probe can use. */
  readonly probing: ClientSecurity | undefined
}

/** The longest delay of a Node timer. */
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
