import { accessSync, constants, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type CliError, usageError } from './failure.js'
import type { SimFlags } from './sim-flags.js'

/** Before a run that would be in vain: what is to be written can be, as far as can be seen without writing. @throws CliError */
export function checkFiles({ plan, savePlan, trace, history }: SimFlags): void {
  if (plan === '') throw usageError('--plan needs the name of a file')
  checkWritable('--save-plan', savePlan)
  checkWritable('--trace', trace)
  checkWritable('--history', history)
}

function checkWritable(flag: string, file: string | undefined): void {
  if (file === undefined) return
  if (file === '') throw usageError(`${flag} needs the name of a file`)
  try {
    const stats = statSync(file, { throwIfNoEntry: false })
    if (stats?.isDirectory()) throw new Error('it is a directory')
    accessSync(stats === undefined ? dirname(file) : file, constants.W_OK)
  } catch (error) {
    throw cannot('write', flag, file, error)
  }
}

/** @throws CliError that names the flag and the file */
export function readFile(flag: string, file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw cannot('read', flag, file, error)
  }
}

/** @throws CliError that names the flag and the file */
export function writeFile(flag: string, file: string, text: string): void {
  try {
    writeFileSync(file, text)
  } catch (error) {
    throw cannot('write', flag, file, error)
  }
}

function cannot(what: 'read' | 'write', flag: string, file: string, error: unknown): CliError {
  return usageError(`cannot ${what} ${flag} ${file}: ${error instanceof Error ? error.message : String(error)}`)
}
