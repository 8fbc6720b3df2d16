// A gRPC server with Synod's own messages that keeps nothing and asks nobody: what a call costs by itself.
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js'
import { GetResponse, KeyValueServiceService, PutResponse } from '../../../src/gen/synod/kv/v1/kv.js'

const header = { clusterId: '1', nodeId: 1, slot: 1 }
let revision = 0n

const server = new Server({ 'grpc.enable_channelz': 0 })
server.addService(KeyValueServiceService, {
  put: (_: ServerUnaryCall<unknown, PutResponse>, answer: sendUnaryData<PutResponse>) =>
    answer(null, PutResponse.create({ header, revision: ++revision })),
  get: (_: ServerUnaryCall<unknown, GetResponse>, answer: sendUnaryData<GetResponse>) =>
    answer(null, GetResponse.create({ header, revision })),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.send?.(port)
})
process.on('disconnect', () => process.exit())
