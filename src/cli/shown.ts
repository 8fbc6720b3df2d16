import { maybeText } from '../encoding/text.js'

/** Characters that act on a terminal or change the direction of text: controls, ESC included, and all invisible ones except joiners. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu
/** The same without the end of a line, tabs, and our own colours. */
// oxlint-disable-next-line no-control-regex -- ESC is what it is about
const UNSEEN_IN_LINES = /\u001b\[\d{1,2}m|[\n\t]|[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Foreign text within a line of ours: with escapes on a terminal, unchanged elsewhere. */
export function shown(text: string, stream: { isTTY?: boolean } = process.stdout): string {
  return stream.isTTY ? text.replace(UNSEEN, escaped) : text
}

/** Our own whole lines, as `shown` gives them: line ends, tabs and colours stay. */
export function shownLines(text: string, stream: { isTTY?: boolean }): string {
  return stream.isTTY
    ? text.replace(UNSEEN_IN_LINES, (match) => (match.length > 2 || /[\n\t]/.test(match) ? match : escaped(match)))
    : text
}

/** A value for a terminal: bytes that are not UTF-8 are shown as \xNN. */
export function shownBytes(bytes: Uint8Array): string {
  return maybeText(bytes) ?? Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : hex(byte))).join('')
}

/** JSON text with JSON's own escapes for the same characters. */
export function escapeJson(json: string): string {
  return json.replace(UNSEEN, (match) =>
    Array.from({ length: match.length }, (_, i) => `\\u${match.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  )
}

function escaped(character: string): string {
  const code = character.codePointAt(0) ?? 0
  return NAMED[character] ?? (code < 0x100 ? hex(code) : `\\u{${code.toString(16)}}`)
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`
}
