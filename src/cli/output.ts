import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import Table from 'cli-table3'
import { maybeText } from '../text/text.js'

type Style = Parameters<typeof styleText>[0]

/** Colour for terminals, plain text for pipes and for NO_COLOR. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream | WriteStream = process.stdout): string {
  return stream.isTTY && process.env['NO_COLOR'] === undefined ? styleText(style, text) : text
}

/** Data, on stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`)
}

/** Everything that is not data, on stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`)
}

/** One JSON value on stdout. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, replaceForJson))
}

/** int64 as strings, as in protobuf's JSON; bytes as text if they are UTF-8, else as `{base64}`. */
function replaceForJson(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (isBufferJson(value)) return bytesForJson(Uint8Array.from(value.data))
  return value instanceof Uint8Array ? bytesForJson(value) : value
}

/** JSON.stringify has called Buffer's toJSON before the replacer sees it. */
function isBufferJson(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
}

function bytesForJson(bytes: Uint8Array): unknown {
  return maybeText(bytes) ?? { base64: Buffer.from(bytes).toString('base64') }
}

/** No lines, two spaces between columns. */
const TABLE_CHARS = {
  ...Object.fromEntries(
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'].map((name) => [name, '']),
  ),
  ...Object.fromEntries(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'].map((name) => [name, ''])),
  middle: '  ',
}

/** Columns padded to their widest cell, numbers to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const isNumeric = (i: number): boolean => rows.length > 0 && rows.every((row) => /^-?\d*$/.test(row[i] ?? ''))
  const table = new Table({
    chars: TABLE_CHARS,
    colAligns: head.map((_, i) => (isNumeric(i) ? 'right' : 'left')),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  table.push([...head], ...rows.map((row) => [...row]))
  const [title = '', ...lines] = table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
  return [styled('bold', title), ...lines].join('\n')
}
