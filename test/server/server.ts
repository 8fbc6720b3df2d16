import { generateKeyPairSync, sign } from 'node:crypto'
import type { TestContext } from 'node:test'
import { pino } from 'pino'
import { depositMessage } from '../../src/app/bank/signing.js'
import type { DepositRequest } from '../../src/gen/synod/bank/v1/bank.js'
import { Command } from '../../src/gen/synod/session/v1/session.js'
import type { Observer } from '../../src/observer/observer.js'
import { INSECURE, type Security } from '../../src/security/security.js'
import { ClientServer } from '../../src/server/grpc-server.js'
import { type Clients, connectTo } from './client.js'
import { SingleMember } from './single-member.js'

const { publicKey, privateKey } = generateKeyPairSync('ed25519')
export const PUBLIC_KEY: Uint8Array = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')
const REGISTER_MINT = Command.encode({
  operation: {
    $case: 'registerAuthority',
    value: { authorityId: 'mint', publicKey: PUBLIC_KEY, signerId: '', signature: new Uint8Array() },
  },
}).finish()

/** Signs anything as the authority `mint`, which every server here knows. */
export function signAsMint(message: Uint8Array): Uint8Array {
  return sign(null, message, privateKey)
}

/** A deposit with a good signature. */
export function deposit(depositId: string, accountId: string, amount: bigint, asset = 'EUR'): DepositRequest {
  const request = { depositId, accountId, asset, amount }
  return { ...request, authorityId: 'mint', signature: signAsMint(depositMessage(request)) }
}

export interface Served {
  readonly member: SingleMember
  readonly server: ClientServer
  readonly clients: Clients
  /** The lines that the server logged. */
  readonly logged: string[]
}

/** A server on a free port and a client of it, both gone when the test ends. */
export async function serve(
  t: TestContext,
  {
    security = INSECURE,
    ...options
  }: { callsInFlightMax?: number; untakenBytesMax?: number; security?: Security; observer?: Observer } = {},
): Promise<Served> {
  const logged: string[] = []
  const logger = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) })
  const member = new SingleMember([REGISTER_MINT])
  const machine = member.machine
  const server = await ClientServer.start({
    member,
    machine,
    listenAddress: '127.0.0.1:0',
    security,
    logger,
    ...options,
  })
  const clients = connectTo(server.address, security)
  t.after(async () => {
    clients.close()
    await server.drain(0)
    await server.close()
  })
  return { member, server, clients, logged }
}
