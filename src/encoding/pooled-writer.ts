import { allocateUninitialized } from './pool.js'
import { BinaryWriter } from './protobuf.js'

/**
 * Gives what was written as a part of the pool, where the library makes a buffer for each message, at the greater part of all cost. The
 * library has no public way for that: its private fields are used, so its version is pinned in package.json, and proveFields() sees at load
 * that they are what they were.
 */
export class PooledWriter extends BinaryWriter {
  override finish(): Uint8Array<ArrayBuffer> {
    const bytes = allocateUninitialized(this['pos'])
    bytes.set(this['buffer'].subarray(0, bytes.length))
    this['pos'] = 0
    this['stackPos'] = []
    return bytes
  }
}

/** @throws Error where the library's writer is another one than the one that is pinned */
function proveFields(): void {
  const writer = new PooledWriter()
  const expected = writeSample(new BinaryWriter())
  // The second time over what the first has left.
  for (let time = 0; time < 2; time++) {
    if (Buffer.compare(writeSample(writer), expected) !== 0) {
      throw new Error('@bufbuild/protobuf is another version than package.json pins: its BinaryWriter has changed')
    }
  }
}

function writeSample(writer: BinaryWriter): Uint8Array {
  return writer.uint32(10).fork().uint32(10).string('text').uint32(16).int64(-1n).join().finish()
}

proveFields()
