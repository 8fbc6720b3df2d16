/** Where encodings change their length, end, or have been taken for something else. */
const POINTS = [
  0x00, 0x09, 0x0a, 0x22, 0x2f, 0x5c, 0x7f, 0x80, 0xa0, 0x301, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfeff, 0xfffd, 0xfffe, 0xffff,
  0x10000, 0x1f600, 0x10fffe, 0x10ffff,
]

/** Each of these characters leading, in the middle, trailing, alone and twice. No two are the same, and none is a prefix of all others. */
export const TEXTS: readonly string[] = POINTS.flatMap((point) => {
  const character = String.fromCodePoint(point)
  return [character, `${character}a`, `a${character}b`, `a${character}`, `${character}${character}c`]
})

/** No text: half a surrogate pair, or the halves in the wrong order. */
export const ILL_FORMED_STRINGS: readonly string[] = ['\ud800', 'a\udc00', '\udfffb', 'a\udbff', '\ude00\ud83d', 'a\ud83db']

/** No UTF-8: stray and missing continuations, overlong forms, surrogates, beyond U+10FFFF. */
export const ILL_FORMED_BYTES: readonly Uint8Array[] = [
  [0x80],
  [0xbf, 0x61],
  [0xc3],
  [0x61, 0xc3],
  [0xc3, 0x28],
  [0xc0, 0x80],
  [0xc1, 0xbf],
  [0xe0, 0x80, 0x80],
  [0xe0, 0x9f, 0xbf],
  [0xed, 0xa0, 0x80],
  [0xed, 0xbf, 0xbf],
  [0xef, 0xbb],
  [0xef, 0xbb, 0xbf, 0xff],
  [0xf0, 0x8f, 0xbf, 0xbf],
  [0xf4, 0x90, 0x80, 0x80],
  [0xf5, 0x80, 0x80, 0x80],
  [0xf0, 0x9f, 0x98],
  [0xfe],
  [0xff],
].map((bytes) => Uint8Array.from(bytes))
