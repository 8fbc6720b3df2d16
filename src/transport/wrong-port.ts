import { type Server, type ServerWritableStream, type sendUnaryData, status, type UntypedHandleCall } from '@grpc/grpc-js'
import { BankServiceService } from '../gen/synod/bank/v1/bank.js'
import { ClusterServiceService } from '../gen/synod/cluster/v1/cluster.js'
import { KeyValueServiceService } from '../gen/synod/kv/v1/kv.js'
import { SessionServiceService } from '../gen/synod/session/v1/session.js'

const CLIENT_SERVICES = [KeyValueServiceService, BankServiceService, ClusterServiceService, SessionServiceService]

/** Makes a port for peers refuse clients: every client method ends with UNIMPLEMENTED and this sentence. */
export function refuseClients(server: Server, sentence: string): void {
  const refusal = { code: status.UNIMPLEMENTED, details: sentence }
  const refuse = (call: ServerWritableStream<unknown, unknown>, callback?: sendUnaryData<unknown>): void => {
    if (callback === undefined) call.emit('error', refusal)
    else callback(refusal)
  }
  for (const service of CLIENT_SERVICES) {
    const handlers = Object.keys(service).map((method) => [method, refuse as UntypedHandleCall])
    server.addService(service, Object.fromEntries(handlers) as Record<string, UntypedHandleCall>)
  }
}
