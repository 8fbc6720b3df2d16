import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeDirectory } from '../storage/files.js'
import { processExists } from '../storage/process-exists.js'
import { CliError } from './failure.js'
import { devKeyFile, readKeyFile, toBase64, writeKeyFile } from './key-file.js'

/** How the cluster in a data directory was made: members and their addresses are part of its memory. */
export interface DevLayout {
  readonly nodes: number
  readonly basePort: number
}

const DEV_AUTHORITY_ID = 'dev'

/**
 * Makes the directory and takes it for this process. `wasKilled` says that the one before did not let it go.
 * @throws CliError in one line: not writable, or in use by another dev cluster.
 */
export function takeDirectory(directory: string): { wasKilled: boolean; letGo: () => void } {
  try {
    makeDirectory(directory)
    accessSync(directory, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new CliError(`cannot write to the data directory ${directory}: ${(error as Error).message}`, undefined, {
      cause: error,
    })
  }
  const lockFile = join(directory, 'dev.pid')
  const wasKilled = removeStaleLock(directory, lockFile)
  try {
    writeFileSync(lockFile, `${process.pid}\n`, { flag: 'wx' })
  } catch (error) {
    throw new CliError(`cannot take the data directory ${directory}: ${(error as Error).message}`, undefined, { cause: error })
  }
  return { wasKilled, letGo: () => rmSync(lockFile, { force: true }) }
}

/** The lock of a process that was killed stays behind; its number tells. */
function removeStaleLock(directory: string, lockFile: string): boolean {
  if (!existsSync(lockFile)) return false
  const pid = Number(readFileSync(lockFile, 'utf8'))
  if (isAlive(pid)) {
    throw new CliError(`${directory} is in use by a dev cluster already (process ${pid}); if that is not so, delete ${lockFile}`)
  }
  rmSync(lockFile, { force: true })
  return true
}

function isAlive(pid: number): boolean {
  return Number.isInteger(pid) && pid > 0 && pid !== process.pid && processExists(pid)
}

/**
 * The layout to run: as asked for, as the directory has it, or the default.
 * @throws CliError when the directory has another than is asked for.
 */
export function settleLayout(directory: string, asked: Partial<DevLayout>, fallback: DevLayout): DevLayout {
  const file = layoutFile(directory)
  if (!existsSync(file)) return { ...fallback, ...asked }
  const kept = readLayout(file)
  const differs = (asked.nodes ?? kept.nodes) !== kept.nodes || (asked.basePort ?? kept.basePort) !== kept.basePort
  if (!differs) return kept
  const fits = `--nodes ${kept.nodes} --base-port ${kept.basePort}`
  throw new CliError(`${directory} holds a cluster made with ${fits}: start it so, or choose another --data`)
}

export function saveLayout(directory: string, layout: DevLayout): void {
  writeFileSync(layoutFile(directory), `${JSON.stringify(layout)}\n`)
}

function layoutFile(directory: string): string {
  return join(directory, 'dev.json')
}

function readLayout(file: string): DevLayout {
  try {
    const { nodes, basePort } = JSON.parse(readFileSync(file, 'utf8')) as Partial<DevLayout>
    if (Number.isInteger(nodes) && Number.isInteger(basePort)) return { nodes: nodes ?? 0, basePort: basePort ?? 0 }
    throw new Error('nodes or basePort is missing')
  } catch (error) {
    throw new CliError(`${file} is damaged: ${(error as Error).message}`, undefined, { cause: error })
  }
}

/** The first authority, as --authority takes it; its key is made at the first start. */
export async function devAuthority(directory: string): Promise<string> {
  const file = devKeyFile(directory)
  if (!existsSync(file)) {
    const { generateKeyPair } = await import('../client/client.js')
    writeKeyFile(file, DEV_AUTHORITY_ID, generateKeyPair())
  }
  const { authorityId, publicKey } = await readKeyFile(file)
  return `${authorityId}=${toBase64(publicKey)}`
}
