import { accessSync, constants } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type CliError, usageError } from './failure.js'
import { readTextFile } from './input.js'
import { checkPlace, SHARED, writeNewFile } from './new-file.js'
import { writeOut } from './output.js'
import type { SimFlags } from './sim-flags.js'

/** Bound of a plan: ten thousand faults with generous white space. */
const PLAN_BYTES_MAX = 64 * 1024 * 1024

/** Checks before a run that its files can be written, as far as this is visible without writing. @throws CliError */
export function checkFiles({ plan, savePlan, trace, history }: SimFlags): void {
  if (plan === '') throw usageError('--plan needs the name of a file')
  const onStdout = Object.entries({ '--save-plan': savePlan, '--trace': trace, '--history': history }).filter(
    ([, file]) => file === '-',
  )
  if (onStdout.length > 1) throw usageError(`only one of ${onStdout.map(([flag]) => flag).join(', ')} may go to stdout`)
  checkWritable('--save-plan', savePlan)
  checkWritable('--trace', trace)
  checkWritable('--history', history)
}

function checkWritable(flag: string, file: string | undefined): void {
  if (file === undefined || file === '-') return
  if (file === '') throw usageError(`${flag} needs the name of a file`)
  try {
    checkPlace(file)
    accessSync(dirname(resolve(file)), constants.W_OK)
  } catch (error) {
    throw cannotWrite(flag, error)
  }
}

/** @throws CliError that names the flag and the file */
export function readFile(flag: string, file: string): string {
  return readTextFile(file, flag, PLAN_BYTES_MAX)
}

/** @throws CliError that names the flag and the file */
export function writeFile(flag: string, file: string, text: string): void {
  if (file === '-') return writeOut(text)
  try {
    writeNewFile(file, text, SHARED)
  } catch (error) {
    throw cannotWrite(flag, error)
  }
}

function cannotWrite(flag: string, error: unknown): CliError {
  return usageError(`${flag}: ${error instanceof Error ? error.message : String(error)}`)
}
