import { checkOperation } from '../app/check.js'
import type { Operation } from '../app/operation.js'
import type { Command, Query } from '../gen/synod/session/v1/session.js'
import type { FieldViolation } from './field-violation.js'
import { readCommand, readQuery } from './from-wire.js'
import { Violations } from './violations.js'

/**
 * What is wrong with a command in itself, whatever the state: field paths as in the proto (`transfers[3].amount`), the bound in the
 * text. Empty when nothing is. The gateway asks before it proposes; the state machine asks for the bounds again (app/check.ts).
 * `initial`: for the commands of slot 0, which alone may register an authority without a signer.
 */
export function validateCommand(command: Command, { initial = false } = {}): readonly FieldViolation[] {
  const violations = new Violations({ isInitial: initial })
  return checked(readCommand(command, violations), violations)
}

/** What is wrong with a query in itself; see validateCommand. */
export function validateQuery(query: Query): readonly FieldViolation[] {
  const violations = new Violations()
  return checked(readQuery(query, violations), violations)
}

function checked(operation: Operation | undefined, violations: Violations): readonly FieldViolation[] {
  if (operation !== undefined) checkOperation(operation, violations)
  return violations.found
}
