import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'

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
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return { base64: Buffer.from(bytes).toString('base64') }
  }
}

/** Columns padded to their widest cell, two spaces apart, numbers to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const isNumeric = head.map((_, i) => rows.length > 0 && rows.every((row) => /^-?\d*$/.test(row[i] ?? '')))
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => (isNumeric[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd()
  return [styled('bold', line(head)), ...rows.map(line)].join('\n')
}
