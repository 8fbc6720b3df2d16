import { DeleteRequest, GetRequest, KeyValueServiceService, ListRequest, PutRequest, TxnRequest } from '../gen/synod/kv/v1/kv.js'
import { change, defineService, read } from './service.js'

/** synod.kv.v1.KeyValueService */
export const keyValueService = defineService(KeyValueServiceService, ({ operations }) => ({
  put: change(PutRequest, (request, context) => operations.write('put', request, context)),
  delete: change(DeleteRequest, (request, context) => operations.write('delete', request, context)),
  txn: change(TxnRequest, (request, context) => operations.write('txn', request, context)),
  get: read(GetRequest, (request, context) => operations.read('get', request, context)),
  list: read(ListRequest, (request, context) => operations.read('list', request, context)),
}))
