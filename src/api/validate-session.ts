import type { SessionName } from '../replication/session-table.js'
import type { FieldViolation } from './field-violation.js'

const TOKEN_BYTES = 16

/** Validates a session's name. `mayBeNew`: 0 and no token ask for a new session. */
export function sessionViolations({ clientId, token }: SessionName, { mayBeNew = false } = {}): FieldViolation[] {
  if (clientId === 0) {
    if (!mayBeNew) return [{ field: 'client_id', description: 'must be at least 1' }]
    return token.length === 0 ? [] : [{ field: 'token', description: 'must be empty without a client_id' }]
  }
  if (token.length === TOKEN_BYTES) return []
  return [{ field: 'token', description: `must be the ${TOKEN_BYTES} bytes of the welcome, has ${token.length}` }]
}
