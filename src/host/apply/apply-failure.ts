import type { Slot } from '../../paxos/types.js'
import { decodeEnvelope } from '../../replication/envelope.js'
import { StorageError } from '../../storage/storage-error.js'
import { ApplyFailedError, UnsupportedLevelError } from '../halt-error.js'

/** The place in a slot of what is due when the slot comes: before its first command. */
export const BEFORE_COMMANDS = -1
const WHAT_CHARACTERS_MAX = 1_000

/** Makes the error for a slot that threw while it was applied. A disk that cannot be read is no fault of the command. */
export function applyFailure(
  { slot, commandIndex, commands }: { slot: Slot; commandIndex: number; commands: readonly Uint8Array[] },
  cause: unknown,
): Error {
  if (cause instanceof StorageError || cause instanceof UnsupportedLevelError) return cause
  const thrown = cause instanceof Error ? cause.message : String(cause)
  const what = `${describe(commandIndex, commands)}: ${thrown}`.slice(0, WHAT_CHARACTERS_MAX).toWellFormed()
  return new ApplyFailedError({ slot, commandIndex, what }, { cause })
}

function describe(index: number, commands: readonly Uint8Array[]): string {
  const bytes = commands[index]
  if (bytes === undefined) return 'what was due before its commands'
  const envelope = decodeEnvelope(bytes)
  const name =
    envelope?.kind === 'command' ? `request ${envelope.command.requestNumber} of session ${envelope.command.clientId}, ` : ''
  return `command ${index + 1} of ${commands.length} (${name}${bytes.length} bytes)`
}
