import assert from 'node:assert/strict'
import { CommanderError } from 'commander'
import { describe } from '../../src/cli/failure.js'
import { makeProgram } from '../../src/cli/program.js'

/** In this process: it must be refused before anything is done. */
export async function misuse(args: readonly string[]): Promise<{ stderr: string; error: unknown }> {
  let stderr = ''
  const program = makeProgram({ writeErr: (text) => void (stderr += text) })
  const error: unknown = await program.parseAsync(args, { from: 'user' }).then(
    () => assert.fail('it was not refused'),
    (reason: unknown) => reason,
  )
  return { stderr: error instanceof CommanderError ? stderr : describe(error), error }
}
