import { BinaryReader as LenientReader, BinaryWriter as LenientWriter } from '@bufbuild/protobuf/wire'
import { assertText, decodeText } from './text.js'

/** The library's reader, with exact text. All generated code uses it: see scripts/gen.mjs. */
export class BinaryReader extends LenientReader {
  /** `decode` makes text of bytes. The default throws where they are not UTF-8. */
  constructor(bytes: Uint8Array, decode: (bytes: Uint8Array) => string = decodeText) {
    super(bytes, decode)
  }
}

/** The library's writer, which would write undefined as "undefined" and half a surrogate pair as U+FFFD. */
export class BinaryWriter extends LenientWriter {
  /** @throws TypeError for what is no text */
  override string(value: string): this {
    assertText(value)
    return super.string(value)
  }
}
