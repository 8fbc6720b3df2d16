import { type CallOptions, Metadata, type ServiceError } from '@grpc/grpc-js'
import { BadRequest, ErrorInfo } from '../../src/gen/google/rpc/error_details.js'
import { Status } from '../../src/gen/google/rpc/status.js'
import { BankServiceClient } from '../../src/gen/synod/bank/v1/bank.js'
import { ClusterServiceClient } from '../../src/gen/synod/cluster/v1/cluster.js'
import { KeyValueServiceClient } from '../../src/gen/synod/kv/v1/kv.js'
import { SessionServiceClient } from '../../src/gen/synod/session/v1/session.js'
import { type ClientSecurity, INSECURE } from '../../src/security/security.js'

/** The generated clients, over one connection. */
export interface Clients {
  readonly kv: KeyValueServiceClient
  readonly bank: BankServiceClient
  readonly cluster: ClusterServiceClient
  readonly session: SessionServiceClient
  close(): void
}

/** Each over a connection of its own. */
export function connectTo(address: string, security: ClientSecurity = INSECURE): Clients {
  const credentials = security.toNode()
  const ownConnection = { 'grpc.use_local_subchannel_pool': 1 }
  const kv = new KeyValueServiceClient(address, credentials, { 'grpc.enable_retries': 0, ...ownConnection })
  const options = { channelOverride: kv.getChannel() }
  const bank = new BankServiceClient(address, credentials, options)
  const cluster = new ClusterServiceClient(address, credentials, options)
  const session = new SessionServiceClient(address, credentials, options)
  return { kv, bank, cluster, session, close: () => kv.close() }
}

type Method<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: Partial<CallOptions>,
  callback: (error: ServiceError | null, response: Response) => void,
) => unknown

/** One unary call: `call(clients.kv, 'put', request)`. */
export function call<Client, Name extends keyof Client>(
  client: Client,
  name: Name,
  request: Client[Name] extends Method<infer Request, infer _> ? Request : never,
  timeoutMs = 5_000,
): Promise<Client[Name] extends Method<infer _, infer Response> ? Response : never> {
  const method = client[name] as Method<unknown, never>
  return new Promise((resolve, reject) => {
    method.call(client, request, new Metadata(), { deadline: Date.now() + timeoutMs }, (error, response) => {
      if (error === null) resolve(response)
      else reject(error)
    })
  })
}

/** What a client learns from a failed call. */
export interface Told {
  readonly code: number
  readonly message: string
  readonly reason: string
  readonly domain: string
  readonly metadata: Record<string, string>
  readonly fields: readonly string[]
}

/** Reads the google.rpc details of a call's error; fails when the call did not. */
export async function failureOf(failing: Promise<unknown>): Promise<Told> {
  return told(
    await failing.then(
      () => Promise.reject(new Error('the call should have failed')),
      (error: ServiceError) => error,
    ),
  )
}

export function told(error: ServiceError): Told {
  const [encoded] = error.metadata?.get('grpc-status-details-bin') ?? []
  if (!(encoded instanceof Buffer)) throw new Error('an error without details', { cause: error })
  const status = Status.decode(encoded)
  const code: number = error.code
  if (status.code !== code) throw new Error(`details of status ${status.code} in an error of ${code}`)
  const detail = (name: string): Uint8Array | undefined =>
    status.details.find(({ typeUrl }) => typeUrl === `type.googleapis.com/google.rpc.${name}`)?.value
  const info = ErrorInfo.decode(detail('ErrorInfo') ?? new Uint8Array())
  const badRequest = BadRequest.decode(detail('BadRequest') ?? new Uint8Array())
  return {
    code,
    message: error.details,
    reason: info.reason,
    domain: info.domain,
    metadata: info.metadata,
    fields: badRequest.fieldViolations.map(({ field }) => field),
  }
}
