import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Client, MethodDefinition } from '@grpc/grpc-js'
import type { Command } from 'commander'
import { checkRequest, type Definitions } from './call-request.js'
import { CliError, EXIT, usageError } from './failure.js'
import { type ClientFlags, withClientFlags } from './options.js'
import { printJson } from './output.js'

const PROTO_DIRECTORY = fileURLToPath(new URL('../../proto', import.meta.url))
const PROTO_FILES = [
  'synod/kv/v1/kv.proto',
  'synod/bank/v1/bank.proto',
  'synod/cluster/v1/cluster.proto',
  'grpc/health/v1/health.proto',
]

const CONNECT_MS_MAX = 2_000

const EXAMPLE = `
A service may be named in short: synod.kv.v1.KeyValueService, KeyValueService or kv. int64 are strings, bytes base64.

Example:
  $ synod call bank/GetBalance '{"account_id": "alice"}'
  $ synod call cluster/Status`

/** The dynamic client: any method by its name, with nothing generated. */
export function addCallCommand(program: Command): void {
  withClientFlags(program.command('call').argument('<method>', 'SERVICE/METHOD').argument('[json]', 'the request', '{}'))
    .description('call any method with a request in JSON; - reads it from stdin')
    .addHelpText('after', EXAMPLE)
    .action(async (name: string, json: string, flags: ClientFlags) => {
      const request = parseRequest(json === '-' ? readFileSync(0, 'utf8') : json)
      const definitions = await loadDefinitions()
      const method = findMethod(methodsOf(definitions), name)
      checkRequest(definitions, requestNameOf(method), request)
      printJson(await callAny(method, request, flags))
    })
}

/** proto-loader adds the types. */
type Method = MethodDefinition<object, object> & { readonly requestType: { readonly type: { readonly name: string } } }

async function loadDefinitions(): Promise<Definitions> {
  const { loadSync } = await import('@grpc/proto-loader')
  return loadSync(PROTO_FILES, {
    includeDirs: [PROTO_DIRECTORY],
    longs: String,
    enums: String,
    bytes: String,
    defaults: true,
    oneofs: false,
  })
}

/** Every method by its path, `package.Service/Method`. */
function methodsOf(definitions: Definitions): ReadonlyMap<string, Method> {
  const methods = new Map<string, Method>()
  for (const [service, members] of Object.entries(definitions)) {
    if ('format' in members) continue // a message or an enum
    for (const [name, method] of Object.entries(members as Record<string, Method>)) methods.set(`${service}/${name}`, method)
  }
  return methods
}

function findMethod(methods: ReadonlyMap<string, Method>, name: string): Method {
  const [service = '', wanted = ''] = name.toLowerCase().split('/')
  for (const [path, method] of methods) {
    const [fullName = '', methodName = ''] = path.toLowerCase().split('/')
    if (methodName !== wanted || !namesOf(fullName).includes(service)) continue
    if (method.requestStream || method.responseStream) throw usageError(`${path} is a stream; call takes unary methods`)
    return method
  }
  throw usageError(`there is no method ${name}; there are:\n  ${[...methods.keys()].join('\n  ')}`)
}

/** In full. Our services and their requests share a package. */
function requestNameOf({ path, requestType }: Method): string {
  return path.slice(1, path.lastIndexOf('.') + 1) + requestType.type.name
}

/** synod.kv.v1.keyvalueservice is also known as keyvalueservice, keyvalue and kv. */
function namesOf(fullName: string): string[] {
  const parts = fullName.split('.')
  const simple = parts.at(-1) ?? ''
  return [fullName, simple, simple.replace(/service$/, ''), parts.at(-3) ?? '']
}

function parseRequest(json: string): object {
  try {
    const request: unknown = JSON.parse(json)
    if (typeof request === 'object' && request !== null && !Array.isArray(request)) return withCamelCaseKeys(request)
  } catch (error) {
    throw usageError(`the request is not valid JSON: ${(error as Error).message}`)
  }
  throw usageError('the request must be a JSON object')
}

/** Fields may be written as in the proto (account_id) or as in protobuf's JSON (accountId). */
function withCamelCaseKeys<T>(value: T): T {
  if (Array.isArray(value)) return value.map(withCamelCaseKeys) as T
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, field]) => [toCamel(key), withCamelCaseKeys(field)])) as T
}

function toCamel(key: string): string {
  return key.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** Asks the first endpoint that can be reached. Only one is asked: without a session, asking twice might do it twice. */
async function callAny(method: Method, request: object, flags: ClientFlags): Promise<unknown> {
  const { Client, credentials, Metadata } = await import('@grpc/grpc-js')
  const { errorOfService } = await import('../client/errors.js')
  const deadline = Date.now() + flags.timeout
  for (const endpoint of flags.endpoints.split(',')) {
    const client = new Client(endpoint.trim(), credentials.createInsecure(), { 'grpc.enable_retries': 0 })
    try {
      if (!(await isReachable(client, Math.min(deadline, Date.now() + CONNECT_MS_MAX)))) continue
      const { path, requestSerialize, responseDeserialize } = method
      return await new Promise((resolve, reject) => {
        const options = { deadline }
        client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          new Metadata(),
          options,
          (error, response) => {
            if (error === null) resolve(response)
            else reject(errorOfService(error))
          },
        )
      })
    } finally {
      client.close()
    }
  }
  throw new CliError(`none of ${flags.endpoints} can be reached`, EXIT.unavailable)
}

function isReachable(client: Client, deadline: number): Promise<boolean> {
  return new Promise((resolve) => client.waitForReady(deadline, (error) => resolve(error === undefined)))
}
