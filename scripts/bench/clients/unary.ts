import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { Client, type ClientOptions, credentials } from '@grpc/grpc-js'
import type { KeyClient } from '../types.js'

const DEADLINE_MS = 10_000

/** The same for every rival. Without a subchannel pool of its own, a client would go on with the connections of the one before. */
const CHANNEL_OPTIONS: ClientOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
}

/** grpc-js wants a Buffer, and would copy nothing. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function asItIs(bytes: Buffer): Buffer {
  return bytes
}

/** A grpc-js channel to each node; calls go to them by turns, as bytes that are encoded already. */
export class UnaryChannels {
  readonly #clients: readonly Client[]
  #next = 0

  constructor(addresses: readonly string[]) {
    this.#clients = addresses.map((address) => new Client(address, credentials.createInsecure(), CHANNEL_OPTIONS))
  }

  /** @returns the response's bytes. Rejects with grpc-js' ServiceError. */
  call(path: string, request: Uint8Array): Promise<Buffer> {
    const client = this.#clients[this.#next++ % this.#clients.length]
    if (client === undefined) throw new Error('there is a node')
    const deadline = Date.now() + DEADLINE_MS
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, asBuffer, asItIs, request, { deadline }, (error, response) => {
        if (error === null) resolve(response ?? Buffer.alloc(0))
        else reject(error)
      })
    })
  }

  close(): void {
    for (const client of this.#clients) client.close()
  }
}

/** A message whose field 1 is a key. */
export function encodeKey(key: string): Uint8Array {
  return new BinaryWriter().uint32(10).string(key).finish()
}

export interface KeyPaths {
  readonly put: string
  readonly get: string
}

/** Synod's PutRequest and GetRequest are, byte for byte, etcd's PutRequest and RangeRequest: key is field 1, value field 2. */
export class UnaryKeyClient implements KeyClient {
  readonly #channels: UnaryChannels
  readonly #paths: KeyPaths

  constructor(addresses: readonly string[], paths: KeyPaths) {
    this.#channels = new UnaryChannels(addresses)
    this.#paths = paths
  }

  put(key: string, value: Uint8Array): Promise<unknown> {
    return this.#channels.call(this.#paths.put, new BinaryWriter().uint32(10).string(key).uint32(18).bytes(value).finish())
  }

  get(key: string): Promise<unknown> {
    return this.#channels.call(this.#paths.get, encodeKey(key))
  }

  close(): void {
    this.#channels.close()
  }
}
