import {
  DeleteRequest,
  GetRequest,
  type KeyValueServiceService,
  ListRequest,
  PutRequest,
  TxnRequest,
} from '../gen/synod/kv/v1/kv.js'
import type { Operations } from './operations.js'
import type { RawHandlers, UnaryCalls } from './unary.js'

/** synod.kv.v1.KeyValueService */
export function keyValueService(calls: UnaryCalls, operations: Operations): RawHandlers<typeof KeyValueServiceService> {
  return {
    put: calls.handler(PutRequest, (request, context) => operations.write('put', request, context)),
    delete: calls.handler(DeleteRequest, (request, context) => operations.write('delete', request, context)),
    txn: calls.handler(TxnRequest, (request, context) => operations.write('txn', request, context)),
    get: calls.reader(GetRequest, (request, context) => operations.read('get', request, context)),
    list: calls.reader(ListRequest, (request, context) => operations.read('list', request, context)),
  }
}
