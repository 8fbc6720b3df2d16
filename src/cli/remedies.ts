import type { LogFn, Logger, SerializedError } from 'pino'
import type { Remedy } from '../remedy.js'

const ADDRESSES = 'HOST:PEERPORT/HOST:CLIENTPORT'

/** Adds the commands of the remedies to a message. */
export function withCommands(message: string, remedies: readonly Remedy[]): string {
  if (remedies.length === 0) return message
  return `${message}${message.endsWith('.') ? '' : '.'} Commands: ${remedies.map(commandOf).join('; ')}`
}

/** Returns the remedies that an error carries; none for any other value. */
export function remediesOf(error: unknown): readonly Remedy[] {
  return error instanceof Error && 'remedies' in error ? (error.remedies as readonly Remedy[]) : []
}

/** Reads a remedy of an alarm. None for a code that this version does not know: the node may be newer. */
export function remedyFromWire({ code, quotaBytes }: { readonly code: string; readonly quotaBytes: number }): Remedy[] {
  if (code === 'LOWER_QUOTA') return [{ code, quotaBytes }]
  return code === 'RAISE_QUOTA' ? [{ code }] : []
}

/** Adds the commands to the text of a log line whose fields hold remedies; a hook of pino. */
export function logWithCommands(this: unknown, args: Parameters<LogFn>, log: LogFn): void {
  const [fields, text, ...values] = args as [unknown, unknown, ...unknown[]]
  if (typeof fields !== 'object' || fields === null || typeof text !== 'string') return log.apply(this as Logger, args)
  const { remedies = [] } = fields as { remedies?: readonly Remedy[] }
  log.call(this as Logger, fields, withCommands(text, remedies), ...values)
}

/** Adds the commands to the message of an error in a log line, as pino has serialized it. */
export function errorWithCommands(serialized: SerializedError): SerializedError {
  return { ...serialized, message: withCommands(serialized.message, remediesOf(serialized.raw)) }
}

/** The purpose of a remedy and the command that carries it out. */
function commandOf(remedy: Remedy): string {
  switch (remedy.code) {
    case 'ADD_MEMBER':
      return `to add the member: \`synod member add ${remedy.nodeId}=${ADDRESSES}\`, and start it with --join`
    case 'REPLACE_MEMBER':
      return replaceCommand(remedy)
    case 'RETRY_SLOT':
      return `to try the slot again: \`synod recover --retry-slot${numberOf(remedy.slot)}\``
    case 'SKIP_SLOT':
      return `to skip the slot: \`synod recover --skip-slot${numberOf(remedy.slot)}\``
    case 'RESTORE_BACKUP':
      return 'to restore a backup: `synod restore`'
    case 'RECOVER_SURVIVORS':
      return 'to make a new cluster from what is left: see `synod recover --help`'
    case 'RAISE_QUOTA':
      return 'to raise the quota: `synod cluster quota BYTES`'
    case 'LOWER_QUOTA':
      return `to lower the quota: \`synod cluster quota ${remedy.quotaBytes}\``
  }
}

function replaceCommand({ nodeId, successorId }: Extract<Remedy, { code: 'REPLACE_MEMBER' }>): string {
  const replace = `to replace the member: \`synod member replace ${nodeId ?? 'ID'} ${successorId ?? 'NEW'}=${ADDRESSES}\` on another node`
  return successorId === undefined
    ? replace
    : `${replace}, and in an empty directory \`synod start --id ${successorId} --join …\``
}

function numberOf(slot: number | undefined): string {
  return slot === undefined ? '' : ` ${slot}`
}
