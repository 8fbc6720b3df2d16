#!/usr/bin/env node
import { type Command, CommanderError } from 'commander'
import { findBrokenText } from './broken-text.js'
import { doesOutcomeCount } from './cli-options.js'
import { describe, describeAsJson, EXIT, type ExitCode, exitCodeOf } from './failure.js'
import { finishOutput, note, printJson, styled, watchOutput } from './output.js'
import { makeProgram } from './program.js'
import { shown } from './shown.js'
import { replaceGoneTerminals } from './signals.js'

/** Time before a forced exit; longer than the SDK takes to close a session. */
const LINGER_MS = 2_000

async function main(): Promise<void> {
  watchOutput()
  const broken = findBrokenText(process.argv.slice(2), process.env)
  if (broken !== undefined) return fail(broken, EXIT.usage)
  let command: Command | undefined
  const program = makeProgram().hook('preAction', (_, chosen) => {
    command = chosen
  })
  try {
    await program.parseAsync()
  } catch (error) {
    if (error instanceof CommanderError)
      process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage // commander has told what is wrong
    else {
      if (process.argv.includes('--json')) printJson(describeAsJson(error))
      fail(describe(error), exitCodeOf(error))
    }
  }
  await finish(command !== undefined && doesOutcomeCount(command))
  replaceGoneTerminals()
  // A peer may hold its end of a connection open for ever.
  setTimeout(() => process.exit(), LINGER_MS).unref()
}

function fail(why: string, exitCode: ExitCode): void {
  const lines = why.split('\n').map((line) => shown(line, process.stderr))
  note(`${styled('red', 'synod:', process.stderr)} ${lines.join('\n')}`)
  process.exitCode = exitCode
}

/** Ends the output. A change stays done although it could not be reported; a read whose answer could not be written has failed. */
async function finish(isOutcome: boolean): Promise<void> {
  const lost = await finishOutput()
  if (lost === undefined || lost.code === 'EPIPE') return // the reader, `head` say, has seen enough
  const isDone = (process.exitCode ?? EXIT.done) === EXIT.done
  const why = `stdout cannot be written: ${lost.message}`
  if (isDone && !isOutcome) fail(why, EXIT.failed)
  else note(isDone ? `${why}; what was asked for is done` : why)
}

await main()
