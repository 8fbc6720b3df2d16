import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Client, Consistency } from '../client/client.js'
import { HOST_PORT_FORM, isHostPort } from '../encoding/host-port.js'

export const DEFAULT_ENDPOINTS = '127.0.0.1:7101,127.0.0.1:7102,127.0.0.1:7103'
const DEFAULT_DATA_DIRECTORY = './.synod'

/** Flags of every command that talks to a cluster. */
export interface ClientFlags {
  readonly endpoints: string
  readonly json?: true
  readonly timeout: number
}

const OUTCOMES = new WeakSet<Command>()

/** Marks a command that changes something, or judges: its exit code tells the outcome, also when its output is lost. */
export function outcomeCounts(command: Command): Command {
  OUTCOMES.add(command)
  return command
}

/** Tests whether outcomeCounts has marked the command. */
export function doesOutcomeCount(command: Command): boolean {
  return OUTCOMES.has(command)
}

export function withClientFlags(
  command: Command,
  { timeoutMs = 10_000, timeoutMeans = 'how long a call may take' } = {},
): Command {
  return command
    .addOption(
      new Option('--endpoints <list>', 'host:port of one or more nodes, comma-separated')
        .default(DEFAULT_ENDPOINTS)
        .argParser(endpointList)
        .env('SYNOD_ENDPOINTS'),
    )
    .addOption(new Option('--timeout <ms>', timeoutMeans).default(timeoutMs).argParser(wholeNumber(1, 2 ** 31 - 1)))
    .addOption(new Option('--json', 'print one JSON value'))
}

export const consistencyOption = (): Option =>
  new Option('--consistency <level>', 'how fresh the read must be')
    .choices(['linearizable', 'log', 'stale'])
    .default('linearizable')

export const dataOption = (): Option =>
  new Option('--data <dir>', "the dev cluster's data directory")
    .default(DEFAULT_DATA_DIRECTORY)
    .env('SYNOD_DATA')
    .argParser(notEmpty)

export async function consistencyOf(name: string): Promise<Consistency> {
  const { Consistency } = await import('../client/client.js')
  switch (name) {
    case 'log':
      return Consistency.LOG
    case 'stale':
      return Consistency.STALE
    default:
      return Consistency.LINEARIZABLE
  }
}

/**
 * Connects, does `work`, and disconnects. The SDK, and gRPC with it, is loaded only here: `--help` needs neither.
 * @param takesLong nodes that do not serve yet may be needed later
 * @throws SynodError UNREACHABLE at once when no endpoint serves
 */
export async function withClient<T>(
  flags: ClientFlags,
  work: (client: Client) => Promise<T>,
  { takesLong = false } = {},
): Promise<T> {
  const [{ connect }, { findServing }, { INSECURE }] = await Promise.all([
    import('../client/client.js'),
    import('../client/endpoint-probe.js'),
    import('../security/security.js'),
  ])
  const startedMs = performance.now()
  const endpoints = await findServing(endpointsOf(flags), { timeoutMs: flags.timeout, security: INSECURE })
  const timeoutMs = Math.max(1, Math.ceil(flags.timeout - (performance.now() - startedMs)))
  const client = connect({ endpoints: takesLong ? [...endpoints, ...endpointsOf(flags)] : endpoints, timeoutMs })
  try {
    return await work(client)
  } finally {
    client.close()
  }
}

/** Splits the endpoints; each is given once. */
export function endpointsOf({ endpoints }: Pick<ClientFlags, 'endpoints'>): string[] {
  return [...new Set(endpoints.split(','))]
}

/** Parses host:port, or several separated by commas, for commander. */
function endpointList(text: string): string {
  const endpoints = text.split(',').map((endpoint) => endpoint.trim())
  const wrong = endpoints.find((endpoint) => !isHostPort(endpoint))
  if (wrong !== undefined) throw new InvalidArgumentError(`${JSON.stringify(wrong)} is not ${HOST_PORT_FORM}.`)
  return endpoints.join(',')
}

/** Parses the name of a file or directory, for commander; an empty name would be the current directory. */
export function notEmpty(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It must not be empty.')
}

/** Parses a whole number from `min` to `max`, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (/^\d+$/.test(text) && value >= min && value <= max) return value
    throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`)
  }
}

/** Parses an amount to move in minor units, for commander. */
export function amount(text: string): bigint {
  const value = minorUnits(text)
  if (value !== 0n) return value
  throw new InvalidArgumentError('It must be a whole number of minor units from 1 on, below 2^63.')
}

/** Parses minor units, 0 included, for commander. */
export function minorUnits(text: string): bigint {
  if (/^\d{1,19}$/.test(text)) {
    const value = BigInt(text)
    if (value < 2n ** 63n) return value
  }
  throw new InvalidArgumentError('It must be a whole number of minor units, below 2^63.')
}
