import {
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  ScalarType,
} from '@bufbuild/protobuf'
import { ILL_FORMED } from '../encoding/text.js'
import { usageError } from './failure.js'
import { suggestion } from './near-name.js'
import { parseStrictJsonObject } from './strict-json.js'

type Scalar = DescField & { fieldKind: 'scalar' }

/** Base64 for the text of a bytes field; the text itself by default. */
export type BytesReader = (field: DescField, text: string) => string

/**
 * Reads a message from protobuf's JSON. The library decodes it. Before that, everything that the library would read leniently, or refuse
 * without a place, is refused with its path: see the checks below. An enum value may be written without the name of the enum.
 * @param what names the text, for the error
 * @throws CliError (usage) that names the field and what it must be
 */
export function parseMessage(
  desc: DescMessage,
  text: string,
  what: string,
  readBytes: BytesReader = (_, base64) => base64,
): Message {
  const json = parseStrictJsonObject(text, what)
  const checked = checkMessage(desc, json, { path: '', what, readBytes })
  try {
    return fromJson(desc, checked)
  } catch (error) {
    throw usageError(`${what}: ${(error as Error).message}`)
  }
}

/** Path of a value in the text. */
interface Place {
  readonly path: string
  readonly what: string
  readonly readBytes: BytesReader
}

function checkMessage(desc: DescMessage, json: unknown, place: Place): JsonValue {
  const own = checkWellKnown(desc, json, place)
  if (own !== undefined) return own
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw fault(place, 'must be an object')
  const result: Record<string, JsonValue> = {}
  const givenAs = new Map<object, string>()
  for (const [name, value] of Object.entries(json) as [string, unknown][]) {
    const field = desc.fields.find((known) => known.jsonName === name || known.name === name)
    if (field === undefined) throw unknownField(desc, name, place)
    const path = place.path === '' ? name : `${place.path}.${name}`
    const twin = givenAs.get(field)
    if (twin !== undefined) throw fault({ ...place, path }, `is given twice, as ${twin} too`)
    givenAs.set(field, name)
    if (value === null) continue // in protobuf's JSON, the same as left out
    if (field.oneof !== undefined) {
      const rival = givenAs.get(field.oneof)
      if (rival !== undefined) {
        const members = field.oneof.fields.map((member) => member.name).join(', ')
        throw fault({ ...place, path }, `cannot be given together with ${rival}: only one of ${members}`)
      }
      givenAs.set(field.oneof, name)
    }
    result[field.jsonName] = checkField(field, value, { ...place, path })
  }
  return result
}

function checkField(field: DescField, value: unknown, place: Place): JsonValue {
  if (field.fieldKind === 'list') {
    if (!Array.isArray(value)) throw fault(place, 'must be a list')
    return value.map((item, i) => checkItem(field, item, { ...place, path: `${place.path}[${i}]` }))
  }
  if (field.fieldKind !== 'map') return checkItem(field, value, place)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw fault(place, 'must be an object')
  const entries = Object.entries(value).map(([key, item]): [string, JsonValue] => [
    key,
    checkItem(field, item, { ...place, path: `${place.path}.${key}` }),
  ])
  return Object.fromEntries(entries)
}

function checkItem(field: DescField, value: unknown, place: Place): JsonValue {
  if (field.message !== undefined) return checkMessage(field.message, value, place)
  if (field.enum !== undefined) return checkEnum(field.enum, value, place)
  return checkScalar(field as Scalar, value, place)
}

function checkEnum(desc: DescEnum, value: unknown, place: Place): JsonValue {
  const known = desc.values.find(
    (one) => one.name === value || one.number === value || `${desc.sharedPrefix?.toUpperCase()}${String(value)}` === one.name,
  )
  if (known !== undefined) return known.number
  const names = desc.values.map(({ name }) => name)
  const near = typeof value === 'string' ? suggestion(value, names) : ''
  throw fault(place, `must be one of ${names.join(', ')}, not ${JSON.stringify(value)}${near}`)
}

/** Protobuf's own bound: about 10,000 years. */
const DURATION_SECONDS_MAX = 315_576_000_000

/** Checks the messages with a special JSON form that our requests contain. */
function checkWellKnown(desc: DescMessage, json: unknown, place: Place): JsonValue | undefined {
  if (desc.typeName !== 'google.protobuf.Duration') return undefined
  // The library takes "3sec" and "3s " for three seconds.
  const [, seconds] = (typeof json === 'string' && /^-?(\d{1,12})(?:\.\d{1,9})?s$/.exec(json)) || []
  if (seconds !== undefined && Number(seconds) <= DURATION_SECONDS_MAX) return json as string
  throw fault(place, `must be a duration in seconds, such as "3s" or "0.25s", not ${JSON.stringify(json)}`)
}

/** The library takes "0x10" for an int32, and base64 followed by anything. */
function checkScalar(field: Scalar, value: unknown, place: Place): JsonValue {
  const integers = INTEGERS[field.scalar]
  if (integers !== undefined) return checkInteger(integers, value, place)
  if (field.scalar === ScalarType.BOOL) {
    if (typeof value === 'boolean') return value
    throw fault(place, 'must be true or false')
  }
  if (field.scalar === ScalarType.DOUBLE || field.scalar === ScalarType.FLOAT) {
    if (typeof value === 'number') return value
    throw fault(place, 'must be a number')
  }
  if (field.scalar === ScalarType.BYTES) {
    const base64 = typeof value === 'string' && value.isWellFormed() ? place.readBytes(field, value) : undefined
    if (base64 !== undefined && isBase64(base64)) return base64
    throw fault(place, 'must be a string in base64')
  }
  if (typeof value !== 'string') throw fault(place, 'must be a string')
  if (!value.isWellFormed()) throw fault(place, ILL_FORMED)
  return value
}

interface Integers {
  readonly min: bigint
  readonly max: bigint
  readonly bounds: string
}

const SIGNED_32: Integers = { min: -(2n ** 31n), max: 2n ** 31n - 1n, bounds: 'from -2147483648 to 2147483647' }
const UNSIGNED_32: Integers = { min: 0n, max: 2n ** 32n - 1n, bounds: 'from 0 to 4294967295' }
const SIGNED_64: Integers = { min: -(2n ** 63n), max: 2n ** 63n - 1n, bounds: 'below 2^63, as a string when it is above 2^53' }
const UNSIGNED_64: Integers = { min: 0n, max: 2n ** 64n - 1n, bounds: 'from 0 to 2^64 - 1, as a string when it is above 2^53' }

const INTEGERS: Readonly<Partial<Record<ScalarType, Integers>>> = {
  [ScalarType.INT32]: SIGNED_32,
  [ScalarType.SINT32]: SIGNED_32,
  [ScalarType.SFIXED32]: SIGNED_32,
  [ScalarType.UINT32]: UNSIGNED_32,
  [ScalarType.FIXED32]: UNSIGNED_32,
  [ScalarType.INT64]: SIGNED_64,
  [ScalarType.SINT64]: SIGNED_64,
  [ScalarType.SFIXED64]: SIGNED_64,
  [ScalarType.UINT64]: UNSIGNED_64,
  [ScalarType.FIXED64]: UNSIGNED_64,
}

function checkInteger({ min, max, bounds }: Integers, value: unknown, place: Place): JsonValue {
  if (Number.isSafeInteger(value) || (typeof value === 'string' && /^-?(?:0|[1-9]\d{0,19})$/.test(value))) {
    const integer = BigInt(value as string | number)
    if (integer >= min && integer <= max) return String(integer)
  }
  throw fault(place, `must be a whole number ${bounds}`)
}

/** Tests for base64, standard or URL-safe, with or without padding. Stray bits in the last character are refused: another text would have them. */
function isBase64(text: string): boolean {
  if (!/^[\w+/-]*={0,2}$/.test(text) || (text.endsWith('=') && text.length % 4 !== 0)) return false
  const digits = text.replace(/=+$/, '').replaceAll('-', '+').replaceAll('_', '/')
  return Buffer.from(digits, 'base64').toString('base64').replace(/=+$/, '') === digits
}

function unknownField({ fields, typeName }: DescMessage, name: string, place: Place): Error {
  const names = fields.map((field) => field.name)
  const path = place.path === '' ? name : `${place.path}.${name}`
  const has = names.length === 0 ? 'it has none' : `it has ${names.join(', ')}`
  return fault({ ...place, path }, `is not a field of ${typeName}${suggestion(name, names)}; ${has}`)
}

function fault({ path, what }: Place, must: string): Error {
  return usageError(`${what}: ${path === '' ? 'it' : path} ${must}`)
}
