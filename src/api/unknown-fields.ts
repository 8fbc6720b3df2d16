import { createFileRegistry, type DescField, type DescMessage, fromBinary, ScalarType } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { BinaryReader } from '../encoding/protobuf.js'
import { fileDescriptorSet } from '../gen/descriptors.js'

/** A message's fields by their numbers. */
type Fields = ReadonlyMap<number, Field>

interface Field {
  readonly name: string
  readonly isList: boolean
  /** The wire types in which a decoder reads it; in any other it passes over the field. */
  readonly wireTypes: readonly number[]
  /** The fields of a field that is a message, asked for when one is met. */
  readonly fields: (() => Fields) | undefined
}

/** A field that this version does not know, by its number or by another wire type than its own, with the path to it: `then[0].put.15000`. */
export type UnknownField = string

const VARINT = 0
const FIXED64 = 1
const DELIMITED = 2
const FIXED32 = 5
const DEPTH_MAX = 100

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, fileDescriptorSet))
const fieldsByType = new Map<string, Fields>()
const requestTypes = new Map<string, string>()

/** The type of a method's requests; of a method by its path, `/synod.kv.v1.KeyValueService/Put`. @throws Error when it is not offered */
export function requestTypeOf(path: string): string {
  const known = requestTypes.get(path)
  if (known !== undefined) return known
  const [, service = '', name = ''] = path.split('/')
  const method = registry.getService(service)?.methods.find((each) => each.name === name)
  if (method === undefined) throw new Error(`no method ${path} is offered`)
  requestTypes.set(path, method.input.typeName)
  return method.input.typeName
}

/**
 * Finds a field that this version does not know in the bytes of a message of ours. A decoder passes over it, and what a newer client has
 * asked for would be carried out as if it had not: a put with a lease as a plain put.
 * @throws Error when the bytes are no message
 */
export function findUnknownField(typeName: string, bytes: Uint8Array): UnknownField | undefined {
  return findIn(new BinaryReader(bytes), bytes.length, { fields: fieldsOf(typeName), path: '', depth: 0 })
}

function findIn(
  reader: BinaryReader,
  end: number,
  { fields, path, depth }: { readonly fields: Fields; readonly path: string; readonly depth: number },
): UnknownField | undefined {
  if (depth > DEPTH_MAX) throw new RangeError('messages within messages, too deep')
  const counts = new Map<number, number>()
  while (reader.pos < end) {
    const [number, wireType] = reader.tag()
    const field = fields.get(number)
    if (field === undefined || !field.wireTypes.includes(wireType)) return `${path}${field?.name ?? number}`
    if (field.fields === undefined) {
      reader.skip(wireType)
      continue
    }
    const index = counts.get(number) ?? 0
    counts.set(number, index + 1)
    const within = `${path}${field.name}${field.isList ? `[${index}]` : ''}.`
    const length = reader.uint32()
    const found = findIn(reader, reader.pos + length, { fields: field.fields(), path: within, depth: depth + 1 })
    if (found !== undefined) return found
  }
  return undefined
}

function fieldsOf(typeName: string): Fields {
  const known = fieldsByType.get(typeName)
  if (known !== undefined) return known
  const message = registry.getMessage(typeName)
  if (message === undefined) throw new Error(`no message ${typeName} is offered`)
  const fields = describe(message)
  fieldsByType.set(typeName, fields)
  return fields
}

function describe(message: DescMessage): Fields {
  return new Map(
    message.fields.map((field) => {
      const within = field.message?.typeName
      return [
        field.number,
        {
          name: field.name,
          isList: field.fieldKind === 'list',
          wireTypes: wireTypesOf(field),
          fields: within === undefined ? undefined : () => fieldsOf(within),
        },
      ]
    }),
  )
}

function wireTypesOf(field: DescField): readonly number[] {
  if (field.scalar === undefined) return [field.enum === undefined ? DELIMITED : VARINT, ...(isPacked(field) ? [DELIMITED] : [])]
  const own = SCALARS.get(field.scalar) ?? VARINT
  return field.fieldKind === 'list' ? [own, DELIMITED] : field.fieldKind === 'map' ? [DELIMITED] : [own]
}

function isPacked(field: DescField): boolean {
  return field.fieldKind === 'list' && field.listKind === 'enum'
}

/** The wire types of scalars that are no varints. */
const SCALARS: ReadonlyMap<ScalarType, number> = new Map([
  [ScalarType.DOUBLE, FIXED64],
  [ScalarType.FIXED64, FIXED64],
  [ScalarType.SFIXED64, FIXED64],
  [ScalarType.FLOAT, FIXED32],
  [ScalarType.FIXED32, FIXED32],
  [ScalarType.SFIXED32, FIXED32],
  [ScalarType.STRING, DELIMITED],
  [ScalarType.BYTES, DELIMITED],
])
