import { accessSync, constants, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DirectoryLock, lockHolder } from '../storage/directory/directory-lock.js'
import { makeDirectory } from '../storage/directory/files.js'
import { StorageError } from '../storage/storage-error.js'
import { CliError, describe } from './failure.js'
import { devKeyFile, readKeyFile, toBase64, writeKeyFile } from './key-file.js'

/** Layout with which the cluster in a data directory was made: it remembers its members and their addresses. */
export interface DevLayout {
  readonly nodes: number
  readonly basePort: number
}

const DEV_AUTHORITY_ID = 'dev'

/**
 * Makes the directory and locks it for this process. `wasKilled`: the process before did not unlock it.
 * @throws CliError in one line: not writable, or in use by another dev cluster.
 */
export async function takeDirectory(directory: string): Promise<{ wasKilled: boolean; letGo: () => Promise<void> }> {
  try {
    makeDirectory(directory)
    accessSync(directory, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new CliError(`cannot write to the data directory ${directory}: ${(error as Error).message}`, undefined, {
      cause: error,
    })
  }
  const holder = lockHolder(directory)
  try {
    const lock = await DirectoryLock.acquire(directory)
    return { wasKilled: holder !== undefined, letGo: () => lock.release() }
  } catch (error) {
    if (!(error instanceof StorageError && error.code === 'LOCKED'))
      throw new CliError(describe(error), undefined, { cause: error })
    const process = holder === undefined ? '' : ` (process ${holder.pid})`
    throw new CliError(`${directory} is in use by a dev cluster already${process}`, undefined, { cause: error })
  }
}

/**
 * Chooses the layout to run: as requested, as in the directory, or the default.
 * @throws CliError when the directory has another layout than requested.
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

/** Returns the first authority in the form of --authority; its key is made at the first start. */
export async function devAuthority(directory: string): Promise<string> {
  const file = devKeyFile(directory)
  if (!existsSync(file)) {
    const { generateKeyPair } = await import('../client/client.js')
    writeKeyFile(file, DEV_AUTHORITY_ID, generateKeyPair())
  }
  const { authorityId, publicKey } = await readKeyFile(file)
  return `${authorityId}=${toBase64(publicKey)}`
}
