import { type EventEmitter, once } from 'node:events'
import { type ClientHttp2Session, constants } from 'node:http2'
import { connect as connectTcp, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import { splitHostPort } from '../encoding/host-port.js'
import type { ClientSecurity } from '../security/security.js'
import { SynodError } from './synod-error.js'

/** The result of a probe. `serves` is true for a node's port for clients; otherwise `trouble` says in one clause what was found. */
export type EndpointState =
  | { readonly endpoint: string; readonly serves: true }
  | { readonly endpoint: string; readonly serves: false; readonly trouble: string }

/** Options of a probe. */
export interface ProbeOptions {
  /** Time limit of the whole probe, in ms, from 1. */
  readonly timeoutMs: number
  readonly security: Pick<ClientSecurity, 'openHttp2'>
  /** Ends it early. */
  readonly signal?: AbortSignal
}

/** The SDK's method; only a node's port for clients has it. */
const CLIENT_METHOD = '/synod.session.v1.SessionService/Connect'
const GRPC_OK = '0'
/** Time limit for the first bytes of a server that does not speak HTTP/2. */
const SNIFF_MS_MAX = 1_000
/** Bounds of the extra time that the other endpoints get after the first one has answered; it is as long as that one took. */
const OTHERS_MS_MIN = 20
const OTHERS_MS_MAX = 200

/**
 * The endpoints that serve clients, found by asking all of them at once: resolves when one has proved to, and those as near as that one have
 * had the time to; a silent one keeps nobody waiting.
 * @throws SynodError UNAVAILABLE with reason UNREACHABLE that tells for each endpoint who refused, as soon as all have
 */
export async function findServing(endpoints: readonly string[], options: Omit<ProbeOptions, 'signal'>): Promise<string[]> {
  const startedMs = performance.now()
  const serving: string[] = []
  const enough = new AbortController()
  const found = await new Promise<readonly EndpointState[]>((resolve) => {
    const probes = endpoints.map(async (endpoint) => {
      const state = await probeEndpoint(endpoint, { ...options, signal: enough.signal })
      if (!state.serves) return state
      serving.push(endpoint)
      if (serving.length === 1) {
        await delay(Math.min(OTHERS_MS_MAX, Math.max(OTHERS_MS_MIN, performance.now() - startedMs)))
        resolve([])
      }
      return state
    })
    void Promise.all(probes).then(resolve)
  })
  const served = [...serving]
  enough.abort() // who has not answered yet must not keep the process
  if (served.length > 0) return served
  throw unreachable(found)
}

function unreachable(states: readonly EndpointState[]): SynodError {
  const told = states.map((state) => `${state.endpoint}: ${state.serves ? '' : state.trouble}`)
  return new SynodError('UNAVAILABLE', 'UNREACHABLE', `no node can be reached; ${told.join('; ')}`)
}

/**
 * Finds out who answers at `host:port`. Never rejects; takes no longer than timeoutMs, and a second or two more for a stranger.
 */
export async function probeEndpoint(endpoint: string, options: ProbeOptions): Promise<EndpointState> {
  const { timeoutMs, signal } = options
  try {
    const refusal = await askForService(endpoint, options)
    return refusal === undefined ? { endpoint, serves: true } : { endpoint, serves: false, trouble: refusal }
  } catch (error) {
    const trouble = troubleOf(error as NodeJS.ErrnoException)
    if (trouble !== undefined || signal?.aborted === true)
      return { endpoint, serves: false, trouble: trouble ?? 'nobody waits for it' }
    return { endpoint, serves: false, trouble: await sniff(endpoint, Math.min(timeoutMs, SNIFF_MS_MAX)) }
  }
}

/**
 * Asks for the clients' service over HTTP/2. Gives why it is not there, if whoever answers speaks HTTP/2.
 * @throws Error of the connection, or of a server that does not
 */
async function askForService(endpoint: string, { timeoutMs, security, signal }: ProbeOptions): Promise<string | undefined> {
  const session = security.openHttp2(endpoint)
  // Destroyed below, it may still have an error to tell.
  session.on('error', () => {})
  const timer = setTimeout(() => session.destroy(new Silence(session)), timeoutMs)
  const onAbort = (): void => session.destroy()
  signal?.addEventListener('abort', onAbort)
  try {
    await next(session, 'remoteSettings')
    return await refusalOf(session)
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
    session.destroy()
  }
}

async function refusalOf(session: ClientHttp2Session): Promise<string | undefined> {
  const stream = session.request({
    ':method': 'POST',
    ':path': CLIENT_METHOD,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  stream.end()
  stream.resume()
  let trailers: Record<string, unknown> = {}
  stream.on('trailers', (last) => {
    trailers = last
  })
  const [headers] = (await next(stream, 'response')) as [Record<string, unknown>]
  if (headers[':status'] !== constants.HTTP_STATUS_OK || !String(headers['content-type']).startsWith('application/grpc')) {
    return `an HTTP/2 server answers, and no gRPC server (status ${String(headers[':status'])})`
  }
  if (!stream.destroyed) await once(stream, 'close')
  const { 'grpc-status': code, 'grpc-message': message } = { ...headers, ...trailers }
  if (code === GRPC_OK) return undefined
  return `a gRPC server answers that does not serve Synod's clients: ${decodeMessage(message) || `status ${String(code)}`}`
}

/** The arguments of the next such event. @throws Error when the emitter fails, or closes, before */
async function next(emitter: EventEmitter, name: string): Promise<unknown[]> {
  const over = new AbortController()
  const onClose = (): void => over.abort()
  emitter.once('close', onClose)
  try {
    return await once(emitter, name, { signal: over.signal })
  } finally {
    emitter.off('close', onClose)
  }
}

/** gRPC percent-encodes what is no printable ASCII. */
function decodeMessage(message: unknown): string {
  if (typeof message !== 'string') return ''
  try {
    return decodeURIComponent(message)
  } catch {
    return message
  }
}

/** The time limit has passed without a connection, or without a byte on it. */
class Silence extends Error {
  readonly isConnected: boolean

  constructor(session: ClientHttp2Session) {
    super('nothing came')
    this.isConnected = !session.connecting
  }
}

/** Describes why no connection could be made; undefined when there was one. */
function troubleOf(error: NodeJS.ErrnoException): string | undefined {
  if (error instanceof Silence) {
    return error.isConnected
      ? 'it accepts connections and says nothing; the process is paused, or overloaded'
      : 'nothing answers; the machine is down, or a firewall is in the way'
  }
  switch (error.code ?? '') {
    case 'ECONNREFUSED':
      return 'nothing listens there (connection refused)'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return `the name cannot be resolved (${error.code})`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
    case 'EACCES':
    case 'EPERM':
      return `there is no way there (${error.code})`
    case 'ETIMEDOUT':
      return 'nothing answers (ETIMEDOUT)'
    default:
      return undefined
  }
}

/** Identifies a server that does not speak HTTP/2 by what it sends. */
async function sniff(endpoint: string, timeoutMs: number): Promise<string> {
  const { host, port } = splitHostPort(endpoint)
  const first = await firstBytes(connectTcp({ host, port }), timeoutMs)
  if (first.subarray(0, 5).toString('latin1') === 'HTTP/') return 'an HTTP/1 server or proxy answers, and no gRPC server'
  const isAlert = first[0] === 0x15 && first[1] === 0x03
  if (isAlert || (await speaksTls(host, port, timeoutMs))) return 'it speaks TLS, and this client was not told to'
  if (first.length > 0) return 'something else than a gRPC server answers'
  return 'it closes the connection without a word'
}

async function firstBytes(socket: Socket, timeoutMs: number): Promise<Buffer> {
  socket.on('error', () => {})
  socket.setTimeout(timeoutMs, () => socket.destroy())
  socket.write('GET / HTTP/1.1\r\nHost: synod\r\nConnection: close\r\n\r\n')
  const [first] = await next(socket, 'data').catch(() => [])
  socket.destroy()
  return (first as Buffer | undefined) ?? Buffer.alloc(0)
}

async function speaksTls(host: string, port: number, timeoutMs: number): Promise<boolean> {
  // Nothing is sent on it: whose certificate it is does not matter.
  const socket = connectTls({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('nothing came')))
  try {
    await next(socket, 'secureConnect')
    return true
  } catch (error) {
    return /alert/i.test((error as Error).message) // refused by a TLS server, for want of a certificate of ours, say
  } finally {
    socket.destroy()
  }
}
