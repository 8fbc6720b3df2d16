import { existsSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FileFormatError, readLevelLog } from './leveldb-log.js'
import { readManifest } from './leveldb-manifest.js'
import { checkTable } from './leveldb-table.js'
import { damaged } from './storage-error.js'

/**
 * Checks, without changing anything, that every file that LevelDB will use is there and matches its own checksums. Files that it
 * will not use, such as a table that was being written when the process was killed, do not matter.
 *
 * @throws StorageError DAMAGED that names the file
 */
export async function checkDatabaseFiles(directory: string, path: string): Promise<void> {
  const fault = (file: string, what: string, options?: ErrorOptions) => damaged(directory, `${file} ${what}`, options)

  async function check<T>(name: string, parse: (file: Buffer) => T): Promise<T> {
    const file = join(path, name)
    if (!existsSync(file)) throw fault(file, 'is missing')
    const contents = await readFile(file)
    try {
      return parse(contents)
    } catch (error) {
      if (error instanceof FileFormatError || error instanceof RangeError) throw fault(file, `is damaged: ${error.message}`)
      throw error
    }
  }

  if (!existsSync(path)) throw fault(path, 'is missing')
  const { firstLog, tables } = await check(await check('CURRENT', manifestIn), readManifest)
  const names = new Set(await readdir(path))
  for (const [number, bytes] of tables) {
    await check(fileName(number, 'ldb'), (file) => {
      if (file.length !== bytes) throw new FileFormatError(`it has ${file.length} bytes, not ${bytes}`)
      checkTable(file)
    })
  }
  await check(fileName(firstLog, 'log'), readLevelLog)
  for (const number of laterLogs(names, firstLog)) await check(fileName(number, 'log'), readLevelLog)
}

/** The name that CURRENT holds. */
function manifestIn(current: Buffer): string {
  const name = current.toString('latin1').trimEnd()
  if (!/^MANIFEST-\d+$/.test(name)) throw new FileFormatError('it does not name a manifest')
  return name
}

function laterLogs(names: ReadonlySet<string>, firstLog: number): number[] {
  return [...names].map((name) => Number(/^(\d+)\.log$/.exec(name)?.[1] ?? 0)).filter((number) => number > firstLog)
}

function fileName(number: number, extension: string): string {
  return `${String(number).padStart(6, '0')}.${extension}`
}
