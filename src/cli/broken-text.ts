import { readFileSync } from 'node:fs'
import { maybeText } from '../encoding/text.js'

/** The character that Node puts in place of bytes that are not UTF-8; it may also have been typed. */
const REPLACEMENT = '\uFFFD'

/**
 * Returns the reason why the command line, or a SYNOD_* variable, cannot be used: a key or a path with bytes that are not UTF-8 would name
 * another one. Linux can tell these from a U+FFFD that was typed; elsewhere U+FFFD is refused, too.
 */
export function findBrokenText(args: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const argument = args.findIndex((text) => text.includes(REPLACEMENT))
  if (argument >= 0 && !isMeant(readRaw('cmdline').slice(-args.length), args)) {
    return `argument ${argument + 1}, ${JSON.stringify(args[argument])}, is not UTF-8`
  }
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  const broken = variables.find((text) => text.startsWith('SYNOD_') && text.includes(REPLACEMENT))
  if (broken === undefined || readRaw('environ').some((bytes) => maybeText(bytes) === broken)) return undefined
  return `the variable ${JSON.stringify(broken)} is not UTF-8`
}

function isMeant(raw: readonly Uint8Array[], args: readonly string[]): boolean {
  return args.every((text, i) => raw[i] !== undefined && maybeText(raw[i]) === text)
}

/** The process's own arguments or variables as bytes; none where the system does not provide them. */
function readRaw(name: 'cmdline' | 'environ'): Uint8Array[] {
  try {
    const bytes = readFileSync(`/proc/self/${name}`)
    const parts: Uint8Array[] = []
    for (let start = 0; start < bytes.length; ) {
      const end = bytes.indexOf(0, start)
      parts.push(bytes.subarray(start, end < 0 ? bytes.length : end))
      start = end < 0 ? bytes.length : end + 1
    }
    return parts
  } catch {
    return []
  }
}
