import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { forEach, keyOf } from '../../lib/bank-load.js'
import { FloodConnection } from '../clients/flood.js'
import { SYNOD_KEY_PATHS } from '../clients/synod-unary.js'
import { LatencyHistogram } from '../histogram.js'
import { inTurn } from '../in-turn.js'
import { VALUE } from '../key-operations.js'
import type { SynodRival } from '../rivals/synod.js'
import type { Operation } from '../types.js'

const CONNECTIONS_PER_NODE = 2
const SDK_CLIENTS = 16
/** Keys that are put, one after the other. */
const KEYS = 1_024

/** Clients that together ask more than the nodes can do. */
export interface Crowd {
  /** 'unary calls'. */
  readonly name: string
  readonly put: Operation
  /** How long calls took that a node has refused. */
  readonly refusals: LatencyHistogram
  close(): void
}

/** Calls as cheap as they can be made: real clients would be at their limit before the nodes are. */
export async function floodCrowd(rival: SynodRival): Promise<Crowd> {
  const refusals = new LatencyHistogram()
  const addresses = Array.from({ length: CONNECTIONS_PER_NODE }, () => rival.cluster.endpoints).flat()
  const connections = addresses.map(
    (address) => new FloodConnection(address, SYNOD_KEY_PATHS.put, (afterMs) => refusals.record(afterMs)),
  )
  const requests = Array.from({ length: KEYS }, (_, i) => encodePut(keyOf(i)))
  return {
    name: `unary calls, ${connections.length} connections`,
    put: (n) => inTurn(connections, n).call(inTurn(requests, n)),
    refusals,
    close: () => connections.forEach((connection) => connection.close()),
  }
}

/** What is refused they ask again by themselves, until their time is up. */
export async function sdkCrowd(rival: SynodRival): Promise<Crowd> {
  const clients = Array.from({ length: SDK_CLIENTS }, () => rival.keyClient('sdk'))
  const put: Operation = (n) => inTurn(clients, n).put(keyOf(n % KEYS), VALUE)
  // Each connects, and opens its session, with its first put.
  await forEach(SDK_CLIENTS, SDK_CLIENTS, put)
  return {
    name: `${SDK_CLIENTS} SDK clients`,
    put,
    refusals: new LatencyHistogram(),
    close: () => clients.forEach((client) => client.close()),
  }
}

function encodePut(key: string): Uint8Array {
  return new BinaryWriter().uint32(10).string(key).uint32(18).bytes(VALUE).finish()
}
