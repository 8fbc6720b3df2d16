/**
 * Orders two strings as their UTF-8 bytes are ordered, which is by code point. JavaScript orders by UTF-16 unit, and so puts
 * U+1F600 (0xD83D 0xDE00) before U+FF5E, although its bytes (F0…) come after (EF…).
 */
export function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x === y) continue
    // Where two strings first differ, a surrogate is half of a code point above U+FFFF: it comes after every unit that is not.
    const isAstralX = isSurrogate(x)
    return isAstralX === isSurrogate(y) ? x - y : isAstralX ? 1 : -1
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff
}

/** Number of bytes of the string in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // A surrogate pair is two units and four bytes: two for each half.
    if (unit > 0x7f) bytes += unit > 0x7ff && !isSurrogate(unit) ? 2 : 1
  }
  return bytes
}

/** The string's bytes in UTF-8. (The pure folders have no TextEncoder.) */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(utf8Length(text))
  let at = 0
  for (const character of text) {
    const point = character.codePointAt(0) ?? 0
    if (point <= 0x7f) {
      bytes[at++] = point
    } else if (point <= 0x7ff) {
      bytes[at++] = 0xc0 | (point >> 6)
      bytes[at++] = 0x80 | (point & 0x3f)
    } else if (point <= 0xffff) {
      bytes[at++] = 0xe0 | (point >> 12)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    } else {
      bytes[at++] = 0xf0 | (point >> 18)
      bytes[at++] = 0x80 | ((point >> 12) & 0x3f)
      bytes[at++] = 0x80 | ((point >> 6) & 0x3f)
      bytes[at++] = 0x80 | (point & 0x3f)
    }
  }
  return bytes
}
