import type { SynodError } from '../client/client.js'
import { remediesOf, withCommands } from './remedies.js'

/** Exit codes of the process; `synod --help` lists them. */
export const EXIT = { done: 0, failed: 1, usage: 2, unavailable: 3, halted: 4 } as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** A failure with one line for people and an exit code. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode = EXIT.failed, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

export function usageError(message: string): CliError {
  return new CliError(message, EXIT.usage)
}

/** Tests by name, not by instanceof: the caller need not load the SDK, and gRPC with it. */
export function isSynodError(error: unknown): error is SynodError {
  return error instanceof Error && error.name === 'SynodError'
}

const UNAVAILABLE_CODES: ReadonlySet<string> = new Set([
  'OUTCOME_UNKNOWN',
  'UNAVAILABLE',
  'DEADLINE_EXCEEDED',
  'RESOURCE_EXHAUSTED',
  'CANCELLED',
])

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode
  if (error instanceof Error && error.name === 'HaltError') return EXIT.halted
  if (!isSynodError(error)) return EXIT.failed
  if (error.code === 'INVALID_ARGUMENT') return EXIT.usage
  if (error.reason === 'QUOTA_EXCEEDED') return EXIT.failed
  if (error.reason === 'EXPIRED_ID') return EXIT.unavailable // its outcome is unknown
  return UNAVAILABLE_CODES.has(error.code) ? EXIT.unavailable : EXIT.failed
}

/** Describes an error in one line, for people. */
export function describe(error: unknown): string {
  if (isSynodError(error)) return error.message.startsWith(error.reason) ? error.message : `${error.reason}: ${error.message}`
  return messageOf(error)
}

/** Describes an error for programs. */
export function describeAsJson(error: unknown): unknown {
  const message = messageOf(error)
  if (!isSynodError(error)) return { error: { message } }
  const { code, reason, retrySafe, fieldViolations } = error
  return { error: { code, reason, message, retrySafe, fieldViolations } }
}

function messageOf(error: unknown): string {
  return withCommands(error instanceof Error ? error.message : String(error), remediesOf(error))
}
