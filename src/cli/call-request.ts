import { usageError } from './failure.js'

/** A field as proto-loader describes it. */
interface Field {
  readonly name: string
  readonly label: string
  readonly type: string
  /** Of a message or an enum: relative to the package that the field stands in, or to one around it. */
  readonly typeName: string
}

/** A message type has fields, an enum has values. */
interface TypeDefinition {
  readonly type: {
    readonly field?: readonly Field[]
    readonly value?: readonly { readonly name: string; readonly number: number }[]
  }
}

/** What proto-loader has loaded: services, messages and enums by their full names. */
export type Definitions = Readonly<Record<string, object>>

const INT64_MAX = 2n ** 63n - 1n

/**
 * Looks at a request before proto-loader turns it into bytes, which it does without a word about a field that it does not know, an enum
 * value that there is not, or a number that JSON has already rounded: another amount would be moved than was asked for.
 * @throws CliError that names the field and what it must be
 */
export function checkRequest(definitions: Definitions, messageName: string, request: object): void {
  checkMessage(definitions, messageName, request, '')
}

function checkMessage(definitions: Definitions, messageName: string, message: object, path: string): void {
  const fields = definitionOf(definitions, messageName).type.field ?? []
  for (const [name, value] of Object.entries(message)) {
    const field = fields.find((known) => known.name === name)
    if (field === undefined) {
      throw usageError(`${path}${name} is not a field of ${messageName}; it has ${fields.map((known) => known.name).join(', ')}`)
    }
    if (value === null) continue // in protobuf's JSON, the same as left out
    if (field.label !== 'LABEL_REPEATED') checkValue(definitions, messageName, { field, value, path: path + name })
    else if (!Array.isArray(value)) throw usageError(`${path}${name} must be a list`)
    else
      for (const [i, item] of value.entries())
        checkValue(definitions, messageName, { field, value: item, path: `${path}${name}[${i}]` })
  }
}

function checkValue(
  definitions: Definitions,
  messageName: string,
  { field, value, path }: { field: Field; value: unknown; path: string },
): void {
  switch (field.type) {
    case 'TYPE_MESSAGE':
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw usageError(`${path} must be an object`)
      return checkMessage(definitions, resolve(definitions, messageName, field.typeName), value, `${path}.`)
    case 'TYPE_ENUM': {
      const values = definitionOf(definitions, resolve(definitions, messageName, field.typeName)).type.value ?? []
      if (values.some((known) => known.name === value || known.number === value)) return
      throw usageError(`${path} must be one of ${values.map((known) => known.name).join(', ')}`)
    }
    default:
      if (!isScalar(field.type, value)) throw usageError(`${path} must be ${SCALARS[field.type] ?? 'another value'}`)
  }
}

const SCALARS: Readonly<Record<string, string>> = {
  TYPE_STRING: 'a string',
  TYPE_BYTES: 'a string in base64',
  TYPE_BOOL: 'true or false',
  TYPE_UINT32: 'a whole number from 0 to 4294967295',
  TYPE_INT64: 'a whole number below 2^63, as a string when it is above 2^53',
  TYPE_UINT64: 'a whole number below 2^63, as a string when it is above 2^53',
  TYPE_INT32: 'a whole number',
}

function isScalar(type: string, value: unknown): boolean {
  switch (type) {
    case 'TYPE_STRING':
      return typeof value === 'string'
    case 'TYPE_BYTES':
      return typeof value === 'string' && /^[\w+/-]*={0,2}$/.test(value)
    case 'TYPE_BOOL':
      return typeof value === 'boolean'
    case 'TYPE_UINT32':
      return Number.isInteger(value) && Number(value) >= 0 && Number(value) < 2 ** 32
    case 'TYPE_INT32':
      return Number.isInteger(value)
    case 'TYPE_INT64':
    case 'TYPE_UINT64':
      return Number.isSafeInteger(value) || (typeof value === 'string' && isInt64(value))
    default:
      return false
  }
}

function isInt64(text: string): boolean {
  if (!/^-?\d{1,19}$/.test(text)) return false
  const value = BigInt(text)
  return value <= INT64_MAX && value >= -INT64_MAX - 1n
}

function definitionOf(definitions: Definitions, name: string): TypeDefinition {
  const found = definitions[name]
  if (found === undefined || !('type' in found)) throw new Error(`the protos have no type ${name}`)
  return found as TypeDefinition
}

/** As protobuf looks names up: in the package of the message at hand, then in each one around it. */
function resolve(definitions: Definitions, messageName: string, typeName: string): string {
  const scope = messageName.split('.')
  while (scope.length > 0) {
    scope.pop()
    const name = [...scope, typeName].join('.')
    if (name in definitions) return name
  }
  return typeName
}
