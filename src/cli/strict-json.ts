import { usageError } from './failure.js'

/** Maximum depth; no message or file is deeper. */
const DEPTH_MAX = 100

/**
 * Parses JSON, and refuses what JSON.parse accepts silently: a name twice in an object, a number that is rounded to a whole one, and a
 * number beyond 2^53.
 * @param what names the text, for the error
 * @throws CliError (usage)
 */
function parseStrictJson(text: string, what: string): unknown {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const hint = text.startsWith('\uFEFF') ? 'it begins with a byte order mark' : (error as Error).message
    throw usageError(`${what} is not valid JSON: ${hint}`)
  }
  const fault = findFault(text)
  if (fault !== undefined) throw usageError(`${what}: ${fault}`)
  return value
}

/** Parses text that must be one object, as parseStrictJson does. @throws CliError (usage) */
export function parseStrictJsonObject(text: string, what: string): object {
  const value = parseStrictJson(text, what)
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw usageError(`${what} is not a JSON object`)
}

/** Names of an object so far and the one being read; or the index in a list. */
interface Level {
  readonly names: Set<string> | undefined
  place: string | number
  isNameNext: boolean
}

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],]|[^\s"{}[\],:]+/g

/** Expects a text that JSON.parse has accepted. */
function findFault(text: string): string | undefined {
  const levels: Level[] = []
  for (const [token] of text.matchAll(TOKEN)) {
    const level = levels.at(-1)
    if (token === '{' || token === '[') {
      if (levels.length === DEPTH_MAX) return `it is nested more than ${DEPTH_MAX} deep`
      levels.push(
        token === '{' ? { names: new Set(), place: '', isNameNext: true } : { names: undefined, place: 0, isNameNext: false },
      )
    } else if (token === '}' || token === ']') levels.pop()
    else if (level !== undefined && token === ',') {
      level.isNameNext = level.names !== undefined
      if (typeof level.place === 'number') level.place++
    } else if (level?.names !== undefined && level.isNameNext) {
      level.isNameNext = false
      level.place = JSON.parse(token) as string
      if (level.names.has(level.place)) return `${pathOf(levels)} is given twice`
      level.names.add(level.place)
    } else if (isRounded(token)) {
      return `${pathOf(levels) || 'it'} is ${token}, which JSON readers round: write a whole number above 2^53 as a string`
    }
  }
  return undefined
}

/** Tests whether a number would be read as another one: a whole one beyond 2^53, or a fraction that becomes whole (0.99999999999999999). */
function isRounded(token: string): boolean {
  const [, whole, fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? []
  if (whole === undefined) return false
  const digits = `${whole}${fraction}`
  const significant = digits.replace(/0+$/, '')
  const isWhole = significant === '' || Number(exponent) - fraction.length + digits.length - significant.length >= 0
  return isWhole ? !Number.isSafeInteger(Number(token)) : Number.isInteger(Number(token))
}

function pathOf(levels: readonly Level[]): string {
  return levels
    .map(({ place }) => (typeof place === 'number' ? `[${place}]` : `.${place}`))
    .join('')
    .replace(/^\./, '')
}
