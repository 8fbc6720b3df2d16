import type { LogEntry, MembershipChange, Value } from './types.js'

/** The approximate size of a value in memory and on the wire, in bytes. */
export function sizeOf(value: Value): number {
  if (value.kind === 'noop') return 16
  if (value.kind === 'membership') return 256
  let bytes = 16
  for (const command of value.commands) bytes += command.length + 8
  return bytes
}

/** True when both are the same decision: the mark of a skipped slot does not count. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true
  if (a.kind === 'membership' && b.kind === 'membership') return a.epoch === b.epoch && sameChange(a.change, b.change)
  if (a.kind !== 'batch' || b.kind !== 'batch') return a.kind === 'noop' && b.kind === 'noop'
  return (
    a.timeMs === b.timeMs && a.commands.length === b.commands.length && a.commands.every((c, i) => sameBytes(c, b.commands[i]))
  )
}

export function sameChange(a: MembershipChange, b: MembershipChange): boolean {
  const fields = Object.entries(b)
  return Object.keys(a).length === fields.length && fields.every(([name, value]) => a[name as keyof MembershipChange] === value)
}

function sameBytes(a: Uint8Array, b: Uint8Array | undefined): boolean {
  if (b === undefined || a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** The first entries that fit on a page of about `bytesMax`; at least one, if there are any. */
export function firstPage(entries: readonly LogEntry[], bytesMax: number): readonly LogEntry[] {
  let bytes = 0
  let count = 0
  while (count < entries.length) {
    bytes += sizeOf((entries[count] as LogEntry).value)
    if (count > 0 && bytes > bytesMax) break
    count++
  }
  return count === entries.length ? entries : entries.slice(0, count)
}
