import { type DescMethod, fromBinary, type JsonValue, type Message, toBinary, toJson } from '@bufbuild/protobuf'
import { Client, Metadata } from '@grpc/grpc-js'
import { findServing } from '../client/endpoint-probe.js'
import { failingOver } from '../client/fail-over.js'
import { CHANNEL_OPTIONS } from '../client/stream.js'
import { errorOfService, outcomeUnknown, SynodError } from '../client/synod-error.js'
import { INSECURE } from '../security/security.js'
import { type ClientFlags, endpointsOf } from './cli-options.js'
import { isSynodError } from './failure.js'

/**
 * Calls a method with a message, both known by their descriptors only. The answer is protobuf's JSON and includes fields with default
 * values.
 * @param isRepeatable the request carries an id under which it may be sent again; otherwise one node is asked once
 * @throws SynodError
 */
export async function callUnary(
  method: DescMethod,
  request: Message,
  { flags, isRepeatable }: { flags: ClientFlags; isRepeatable: boolean },
): Promise<JsonValue> {
  const deadlineMs = performance.now() + flags.timeout
  const endpoints = await findServing(endpointsOf(flags), { timeoutMs: flags.timeout, security: INSECURE })
  const bytes = Buffer.from(toBinary(method.input, request))
  const leftMs = Math.max(1, Math.ceil(deadlineMs - performance.now()))
  const answer = isRepeatable
    ? await sendUntilAnswered(method, bytes, { endpoints, timeoutMs: leftMs })
    : await send(method, bytes, { endpoint: endpoints[0] ?? '', timeoutMs: leftMs })
  return toJson(method.output, fromBinary(method.output, answer), { alwaysEmitImplicit: true })
}

/** Bound for one node: a node that hangs must not use up the time of the others. */
const TRY_MS_MAX = 3_000

/** Statuses with which a call may end although the node has carried it out. */
const MAY_HAVE_HAPPENED: ReadonlySet<string> = new Set([
  'OUTCOME_UNKNOWN',
  'UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'UNKNOWN',
])

async function sendUntilAnswered(
  method: DescMethod,
  request: Buffer,
  to: { endpoints: readonly string[]; timeoutMs: number },
): Promise<Uint8Array> {
  let unknown: SynodError | undefined
  try {
    return await failingOver(to.endpoints, to.timeoutMs, async (endpoint, leftMs) => {
      try {
        return await send(method, request, { endpoint, timeoutMs: Math.min(leftMs, TRY_MS_MAX) })
      } catch (error) {
        if (!isSynodError(error) || !MAY_HAVE_HAPPENED.has(error.reason)) throw error
        unknown = error
        throw new SynodError('UNAVAILABLE', 'UNREACHABLE', error.message, { cause: error })
      }
    })
  } catch (error) {
    const isRefused = isSynodError(error) && error.reason !== 'UNREACHABLE' && !error.retrySafe
    // The last node did not carry it out; an earlier one may have.
    throw unknown === undefined || isRefused ? error : outcomeUnknown(unknown.message, unknown)
  }
}

async function send(method: DescMethod, request: Buffer, to: { endpoint: string; timeoutMs: number }): Promise<Uint8Array> {
  const client = new Client(to.endpoint, INSECURE.toNode(), CHANNEL_OPTIONS)
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest<Buffer, Buffer>(
        `/${method.parent.typeName}/${method.name}`,
        (bytes) => bytes,
        (bytes) => bytes,
        request,
        new Metadata(),
        { deadline: Date.now() + to.timeoutMs },
        (error, response) => {
          if (error === null && response !== undefined) resolve(response)
          else reject(errorOfService(error as NonNullable<typeof error>))
        },
      )
    })
  } finally {
    client.close()
  }
}
