import { join } from 'node:path'
import type { Security } from '../../security/security.js'
import { setAsideDamaged } from '../../storage/directory/set-aside.js'
import { LevelStorage } from '../../storage/level-storage.js'
import { StorageError } from '../../storage/storage-error.js'
import { TransportPort } from '../peers/transport-port.js'
import { REAL_RUNTIME } from '../runtime.js'
import type { MemberOptions } from './member-options.js'
import type { MemberParts } from './member-parts.js'
import { type Restored, restoreMachine } from './restored.js'

/** A member that has read its disk, and does not run yet. */
interface Opened {
  readonly parts: MemberParts
  readonly restored: Restored
}

/** Opens the directory, or, if it is damaged and others can fill it again, a new one in its place. @throws StorageError */
export async function openOrRepair(options: MemberOptions, security: Security): Promise<Opened> {
  const { directory, members, repairs = true, logger } = options
  try {
    return await open(options, security)
  } catch (error) {
    const isDamaged = error instanceof StorageError && error.code === 'DAMAGED'
    if (!isDamaged || !repairs || members.length === 1) throw error
    // Throws when it cannot be told which directory this was: then the others cannot be, either.
    const { dataDirId, asideIn } = await setAsideDamaged(directory)
    logger.warn(
      { err: error, dataDirId, keptIn: join(directory, asideIn) },
      'the data directory is damaged: it is set aside, and this node begins anew from the other members, as a learner',
    )
    return open(options, security)
  }
}

/** Opens the directory and replays its log. Damage of the history may show only in the replay. @throws StorageError */
async function open(options: MemberOptions, security: Security): Promise<Opened> {
  const { directory, nodeId, logWindow, checkpoints, observer } = options
  const storage = await LevelStorage.open({ directory, nodeId, observer, ...(logWindow && { window: logWindow }) })
  try {
    const port = new TransportPort(options, security)
    const parts: MemberParts = { storage, runtime: REAL_RUNTIME, port, ...(checkpoints && { checkpoints }) }
    return { parts, restored: await restoreMachine(options, parts) }
  } catch (error) {
    await storage.close()
    throw error
  }
}
