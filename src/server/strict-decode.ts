import { objectionToBytes } from '../api/validate.js'
import type { Objection } from '../api/violations.js'
import { BinaryReader } from '../encoding/protobuf.js'
import { maybeText } from '../encoding/text.js'
import { Command, type FieldViolation } from '../gen/synod/session/v1/session.js'
import { invalidArgument, objected } from './call-error.js'

/** The part of a generated message type that decodes. */
export interface MessageType<T> {
  decode(input: BinaryReader | Uint8Array): T
}

/** Stands for bytes that are not UTF-8: no valid text equals it. */
const NO_TEXT = '\uD800'

/**
 * Decodes what a client sent. Bytes that are not UTF-8 where text is due are refused: with U+FFFD in their place, two different keys
 * would become one.
 * @throws CallError INVALID_ARGUMENT naming the fields at fault
 */
export function decodeStrictly<T>(type: MessageType<T>, bytes: Uint8Array): T {
  try {
    return type.decode(bytes)
  } catch (cause) {
    throw invalidArgument(explainMalformed(type, bytes), { cause })
  }
}

/**
 * Checks a command in its bytes, which go into the log as they are.
 * @throws CallError INVALID_ARGUMENT, or LEVEL_TOO_LOW for what this level or this version does not have
 */
export function checkCommand(bytes: Uint8Array, level: number): void {
  let objection: Objection | undefined
  try {
    objection = objectionToBytes(bytes, level)
  } catch (cause) {
    throw invalidArgument(explainMalformed(Command, bytes), { cause })
  }
  if (objection !== undefined) throw objected(objection)
}

/** Decodes a second time, leniently, to find out which fields are at fault. */
function explainMalformed<T>(type: MessageType<T>, bytes: Uint8Array): FieldViolation[] {
  const violations: FieldViolation[] = []
  try {
    findNoTexts(type.decode(new BinaryReader(bytes, (text) => maybeText(text) ?? NO_TEXT)), '', violations)
  } catch {
    // The message is not well formed at all: reported below.
  }
  if (violations.length === 0) violations.push({ field: '', description: 'the request is not a well-formed protobuf message' })
  return violations
}

/** Paths are told in proto names: `then[0].put.key`. */
function findNoTexts(value: unknown, path: string, violations: FieldViolation[]): void {
  if (typeof value === 'string') {
    if (value === NO_TEXT) violations.push({ field: path, description: 'is not valid UTF-8' })
    return
  }
  if (Array.isArray(value)) {
    for (const [index, element] of value.entries()) findNoTexts(element, `${path}[${index}]`, violations)
    return
  }
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return
  for (const [name, field] of Object.entries(value)) {
    // A oneof stands in its message under a name of its own, which the wire does not know.
    if (isOneof(field)) findNoTexts(field.value, join(path, field.$case), violations)
    else findNoTexts(field, join(path, name), violations)
  }
}

function isOneof(field: unknown): field is { $case: string; value: unknown } {
  return typeof field === 'object' && field !== null && '$case' in field
}

function join(path: string, camelCaseName: string): string {
  const name = camelCaseName.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return path === '' ? name : `${path}.${name}`
}
