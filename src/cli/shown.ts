import { maybeText } from '../encoding/text.js'

/** What acts on a terminal or turns text round, instead of being seen: controls, ESC among them, and all that is invisible but joiners. */
const UNSEEN = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu
/** The same, but for the end of a line, a tab, and the colours of ours. */
// oxlint-disable-next-line no-control-regex -- ESC is what it is about
const UNSEEN_IN_LINES = /\u001b\[\d{1,2}m|[\n\t]|[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** Text of somebody else in a line of ours: on a terminal, with escapes for what would act on it; elsewhere as it is. */
export function shown(text: string, stream: { isTTY?: boolean } = process.stdout): string {
  return stream.isTTY ? text.replace(UNSEEN, escaped) : text
}

/** As `shown`, for whole lines of ours: their ends, tabs and colours stay. */
export function shownLines(text: string, stream: { isTTY?: boolean }): string {
  return stream.isTTY
    ? text.replace(UNSEEN_IN_LINES, (match) => (match.length > 2 || /[\n\t]/.test(match) ? match : escaped(match)))
    : text
}

/** A value, for a terminal: what is not UTF-8 has its bytes as \xNN. */
export function shownBytes(bytes: Uint8Array): string {
  return maybeText(bytes) ?? Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : hex(byte))).join('')
}

/** JSON says the same with escapes of its own. */
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
