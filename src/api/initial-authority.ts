import { Command } from '../gen/synod/session/v1/session.js'
import { validateCommand } from './validate.js'

/** A bank authority, whose signature makes deposits valid, that a new cluster knows from its first slot on. */
export interface AuthorityConfig {
  /** 1 to 128 bytes of UTF-8. */
  readonly authorityId: string
  /** ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

/** The command that registers an authority before anything else. @throws Error that names the field and its bound */
export function initialAuthority({ authorityId, publicKey }: AuthorityConfig): Uint8Array {
  if (typeof authorityId !== 'string' || !(publicKey instanceof Uint8Array)) {
    throw new TypeError('authority: authorityId must be a string, and publicKey a Uint8Array')
  }
  const value = { authorityId, publicKey, signerId: '', signature: new Uint8Array() }
  const command: Command = { operation: { $case: 'registerAuthority', value } }
  const [violation] = validateCommand(command, { initial: true })
  if (violation !== undefined) {
    throw new Error(`authority ${JSON.stringify(authorityId)}: ${violation.field} ${violation.description}`)
  }
  return Command.encode(command).finish()
}
