import { room } from './pool.js'
import { BinaryWriter } from './protobuf.js'

/** Gives what was written as a part of the pool, where the library makes a buffer for each message, at the greater part of all cost. */
export class PooledWriter extends BinaryWriter {
  override finish(): Uint8Array<ArrayBuffer> {
    const bytes = room(this['pos'])
    bytes.set(this['buffer'].subarray(0, bytes.length))
    this['pos'] = 0
    this['stackPos'] = []
    return bytes
  }
}
