import { BinaryReader } from '@bufbuild/protobuf/wire'

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * A reader for decode() that throws at bytes that are not UTF-8 where text is due. The default puts U+FFFD in their place, and so
 * would make two different ids the same.
 */
export function strictReader(bytes: Uint8Array): BinaryReader {
  return new BinaryReader(bytes, (text) => decoder.decode(text))
}
