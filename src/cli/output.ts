import { fstatSync, writeSync } from 'node:fs'
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import Table from 'cli-table3'
import { maybeText } from '../encoding/text.js'
import { CliError } from './failure.js'
import { escapeJson, shown, shownLines } from './shown.js'

type Style = Parameters<typeof styleText>[0]

/** Colours text for terminals; plain text for pipes and with NO_COLOR. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream | WriteStream = process.stdout): string {
  return stream.isTTY && process.env['NO_COLOR'] === undefined ? styleText(style, text) : text
}

/** Prints a line of data on stdout; unchanged unless stdout is a terminal. */
export function print(line: string): void {
  writeOut(`${shownLines(line, process.stdout)}\n`)
}

/** Prints a line that is not data, on stderr. */
export function note(line: string): void {
  try {
    process.stderr.write(`${shownLines(line, process.stderr)}\n`)
  } catch {
    // Nothing reads stderr any more.
  }
}

/** Prints one JSON value on stdout. */
export function printJson(value: unknown): void {
  print(jsonOf(value))
}

/** Formats a value as printJson prints it: in one line, with escapes for what would act on a terminal. */
export function jsonOf(value: unknown): string {
  return escapeJson(JSON.stringify(value, replaceForJson))
}

/** Reason why stdout cannot be written any more: its reader is gone (EPIPE), or its disk is full, for example. */
let lostWith: Error | undefined

/** Remembers write errors from now on instead of throwing: the outcome of the command does not depend on them. */
export function watchOutput(): void {
  process.stdout.on('error', (error) => {
    lostWith ??= error
  })
  process.stderr.on('error', () => {})
}

/** Writes bytes on stdout. */
export function writeOut(data: string | Uint8Array): void {
  if (lostWith !== undefined) return
  try {
    if (isStdoutFile()) writeAll(Buffer.from(data))
    else process.stdout.write(data)
  } catch (error) {
    lostWith = error as Error
  }
}

/** Writes bytes as writeOut does, where the output is the purpose: waits for a slow reader. @throws CliError when output is lost */
export async function writeData(bytes: Uint8Array): Promise<void> {
  writeOut(bytes)
  if (process.stdout.writableNeedDrain && lostWith === undefined) {
    await new Promise<void>((resolve) => {
      for (const name of ['drain', 'error', 'close']) process.stdout.once(name, () => resolve())
    })
  }
  if (lostWith !== undefined) throw new CliError(`stdout cannot be written: ${lostWith.message}`)
}

/** Resolves when everything has been written; with the error, if there was one. */
export async function finishOutput(): Promise<NodeJS.ErrnoException | undefined> {
  if (!isStdoutFile()) await new Promise<void>((resolve) => process.stdout.write('', () => resolve()))
  return lostWith
}

/** Writes all bytes: Node's own stream for files takes a partial write for a complete one. */
function writeAll(bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(1, bytes, done)
}

let isFile: boolean | undefined

function isStdoutFile(): boolean {
  isFile ??= !process.stdout.isTTY && (fstatSync(1).isFile() || fstatSync(1).isCharacterDevice())
  return isFile
}

/** Replaces int64 by strings, as in protobuf's JSON, and bytes by text if they are UTF-8, otherwise by `{base64}`. */
function replaceForJson(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (isBufferJson(value)) return bytesForJson(Uint8Array.from(value.data))
  return value instanceof Uint8Array ? bytesForJson(value) : value
}

/** Recognises a Buffer: JSON.stringify has called its toJSON before the replacer sees it. */
function isBufferJson(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value
}

function bytesForJson(bytes: Uint8Array): unknown {
  return maybeText(bytes) ?? { base64: Buffer.from(bytes).toString('base64') }
}

/** A table without lines, with two spaces between columns. */
const TABLE_CHARS = {
  ...Object.fromEntries(
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'].map((name) => [name, '']),
  ),
  ...Object.fromEntries(['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'].map((name) => [name, ''])),
  middle: '  ',
}

/** Text, perhaps with a colour. */
export type TableCell = string | { readonly text: string; readonly style: Style }

/** Formats a table: columns padded to their widest cell, numbers to the right. */
export function formatTable(head: readonly TableCell[], rows: readonly (readonly TableCell[])[]): string {
  const isNumeric = (i: number): boolean => rows.length > 0 && rows.every((row) => /^-?\d*$/.test(textOf(row[i] ?? '')))
  const table = new Table({
    chars: TABLE_CHARS,
    colAligns: head.map((_, i) => (isNumeric(i) ? 'right' : 'left')),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  // A shorter row would have the table draw a line of blanks.
  table.push(head.map(show), ...rows.map((row) => head.map((_, i) => show(row[i] ?? ''))))
  const [title = '', ...lines] = table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
  return [styled('bold', title), ...lines].join('\n')
}

function textOf(cell: TableCell): string {
  return typeof cell === 'string' ? cell : cell.text
}

function show(cell: TableCell): string {
  const text = shown(textOf(cell))
  return typeof cell === 'string' ? text : styled(cell.style, text)
}

export function formatBytes(bytes: number): string {
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`
  return bytes < 1_000_000_000 ? `${(bytes / 1_000_000).toFixed(1)} MB` : `${(bytes / 1_000_000_000).toFixed(2)} GB`
}
