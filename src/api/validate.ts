import type { Operation } from '../app/operation.js'
import { Command, type Query } from '../gen/synod/session/v1/session.js'
import type { FieldViolation } from './field-violation.js'
import { readCommand, readQuery } from './from-wire.js'
import { findUnknownField } from './unknown-fields.js'
import { decodeUsual } from './usual-commands.js'
import { type Objection, Violations } from './violations.js'

/**
 * Finds everything wrong with a command in itself, whatever the state: field paths as in the proto (`transfers[3].amount`), the bound in the
 * text. Empty when nothing is. The gateway asks before it proposes; the state machine asks for the bounds again (app/check.ts).
 * `initial`: for the commands of slot 0, which alone may register an authority without a signer.
 */
export function validateCommand(command: Command, { initial = false } = {}): readonly FieldViolation[] {
  const violations = new Violations({ isInitial: initial })
  return objectionTo(readCommand(command, violations), violations)?.violations ?? NONE
}

/** Finds everything wrong with a query in itself; see validateCommand. */
export function validateQuery(query: Query): readonly FieldViolation[] {
  return objectionToQuery(query, Number.POSITIVE_INFINITY)?.violations ?? NONE
}

/** Finds the objection to a command at a level; undefined: there is none. */
export function objectionToCommand(command: Command, level: number): Objection | undefined {
  const violations = new Violations({ level })
  return objectionTo(readCommand(command, violations), violations)
}

/** As objectionToCommand, of a query. */
export function objectionToQuery(query: Query, level: number): Objection | undefined {
  const violations = new Violations({ level })
  return objectionTo(readQuery(query, violations), violations)
}

/** As objectionToCommand, of a command in its bytes, which go into the log as they are. @throws Error when they are no command */
export function objectionToBytes(bytes: Uint8Array, level: number): Objection | undefined {
  const violations = new Violations({ level })
  // Those that are read by hand have no field that we do not know.
  const usual = decodeUsual(bytes, asItIs)
  if (usual !== undefined) return objectionTo(usual.operation, violations)
  const command = Command.decode(bytes)
  return objectionToUnknown('synod.session.v1.Command', bytes, level) ?? objectionTo(readCommand(command, violations), violations)
}

/** Objects to a message with a field that this version does not know; undefined when it knows them all. */
export function objectionToUnknown(typeName: string, bytes: Uint8Array, level: number): Objection | undefined {
  let field: string | undefined
  try {
    field = findUnknownField(typeName, bytes)
  } catch {
    return MALFORMED
  }
  if (field === undefined) return undefined
  const description = `is a field that this version does not know; the cluster is at level ${level}`
  return { reason: 'LEVEL_TOO_LOW', violations: [{ field, description }] }
}

/** The objection to bytes that are no message; also to those that a decoder would take in part: it stops silently at a tag that is none. */
const MALFORMED: Objection = Object.freeze({
  reason: 'INVALID_ARGUMENT',
  violations: [{ field: '', description: 'the request is not a well-formed protobuf message' }],
})
const NONE: readonly FieldViolation[] = Object.freeze([])

function objectionTo(operation: Operation | undefined, violations: Violations): Objection | undefined {
  if (operation !== undefined) violations.check(operation)
  return violations.objection
}

function asItIs(bytes: Uint8Array): Uint8Array {
  return bytes
}
