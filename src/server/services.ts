import { BankServiceService } from '../gen/synod/bank/v1/bank.js'
import { KeyValueServiceService } from '../gen/synod/kv/v1/kv.js'
import { clusterService } from './cluster-service.js'
import { operationService } from './operation-service.js'
import type { Service } from './service.js'
import { sessionService } from './session-service.js'

/** Every service that clients may call. PeerService is no client's business. */
export const SERVICES: readonly Service[] = [
  operationService(KeyValueServiceService),
  operationService(BankServiceService),
  clusterService,
  sessionService,
]
