import type { ServiceDefinition } from '@grpc/grpc-js'
import type { OperationName } from '../app/operation.js'
import { OPERATIONS } from '../app/operations/index.js'
import { assert } from '../paxos/assert.js'
import type { AnyRequest, Operations } from './operation-calls.js'
import type { Service, UnaryMethod } from './service.js'
import { decodeStrictly, type MessageType } from './strict-decode.js'

/** A service of which every method is an operation of that name: synod.kv.v1.KeyValueService, synod.bank.v1.BankService. */
export function operationService(definition: ServiceDefinition): Service {
  const methods = Object.entries(definition)
  const [first] = methods
  return {
    name: first?.[1].path.split('/')[1] ?? '',
    definition,
    methods: ({ operations }) =>
      Object.fromEntries(
        methods.map(([name, { requestDeserialize }]) => {
          assert(Object.hasOwn(OPERATIONS, name), `${name} is an operation`)
          // Generated code decodes what it is given, bytes or a reader over them.
          const type = { decode: requestDeserialize } as unknown as MessageType<AnyRequest>
          return [name, methodOf(name as OperationName, type, operations)]
        }),
      ),
  }
}

function methodOf(name: OperationName, type: MessageType<AnyRequest>, operations: Operations): UnaryMethod {
  const isRead = OPERATIONS[name].mode === 'read'
  return {
    kind: 'unary',
    isRead,
    handle: (bytes, context) => {
      const request = decodeStrictly(type, bytes)
      return isRead ? operations.read(name, request, context) : operations.write(name, request, context)
    },
  }
}
