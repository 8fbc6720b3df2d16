import { bankService } from './bank-service.js'
import { clusterService } from './cluster-service.js'
import { keyValueService } from './key-value-service.js'
import type { Service } from './service.js'
import { sessionService } from './session-service.js'

/** Every service that clients may call. PeerService is no client's business. */
export const SERVICES: readonly Service[] = [keyValueService, bankService, clusterService, sessionService]
