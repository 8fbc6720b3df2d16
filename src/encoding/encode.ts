import { PooledWriter } from './pooled-writer.js'
import type { BinaryWriter } from './protobuf.js'

/** The part of a generated message type that encodes. */
export interface Encoder<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter
}

/** A writer that had to grow past this is not kept. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

let writer = new PooledWriter()

/**
 * Encodes with a writer that is used again and again: its buffer need not grow anew each time, which halves the time. The message
 * must be complete before the call: a getter that encodes something itself would write into the middle of it.
 */
export function encode<T>(type: Encoder<T>, message: T): Uint8Array {
  try {
    const bytes = type.encode(message, writer).finish()
    if (bytes.length > KEPT_BYTES_MAX) writer = new PooledWriter()
    return bytes
  } catch (error) {
    // Half a message must not stand before the next one.
    writer = new PooledWriter()
    throw error
  }
}
