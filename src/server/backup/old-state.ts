import { pino } from 'pino'
import { BankAndKeys } from '../../api/bank-and-keys.js'
import { ApplyFailedError, checkLevel } from '../../host/halt-error.js'
import { replayLog } from '../../host/start/recovery.js'
import type { NodeId, Slot } from '../../paxos/types.js'
import { KNOWN_LEVELS } from '../../replication/levels.js'
import { sessionCodec } from '../../replication/session-records.js'
import { Sessions } from '../../replication/sessions.js'
import { LevelStorage } from '../../storage/level-storage.js'
import type { CheckpointView } from '../../storage/storage.js'
import { BackupError } from './backup-file.js'

const nowMs = (): number => performance.now()
const NOBODY = { onOpened: () => {}, onClosed: () => {}, onLevel: () => {}, onOutcome: () => {}, isAwaited: () => false }

/**
 * Carries out every decided slot of a data directory that its checkpoint does not hold yet, as a node does at its start, makes a
 * checkpoint of what comes of it, and lends that to `use`. The directory is a copy: a slot that failed when it was tried last is tried
 * once more. `skippedSlot`: should it fail, it changes nothing.
 * @throws StorageError; BackupError when nothing was ever decided; ApplyFailedError for another slot that fails; UnsupportedLevelError
 */
export async function withStateOf<T>(
  where: { readonly directory: string; readonly nodeId: NodeId },
  use: (view: CheckpointView) => Promise<T>,
  { skippedSlot }: { readonly skippedSlot?: Slot | undefined } = {},
): Promise<T> {
  const storage = await LevelStorage.open(where)
  try {
    if (storage.recovered.decidedUpTo === 0) throw new BackupError('nothing was ever decided there: begin with an empty cluster')
    await advance(storage, skippedSlot)
    const view = await storage.viewCheckpoint()
    if (view === undefined) throw new BackupError('there is no checkpoint')
    try {
      return await use(view)
    } finally {
      await view.close()
    }
  } finally {
    await storage.close()
  }
}

async function advance(storage: LevelStorage, skippedSlot: Slot | undefined): Promise<void> {
  const { checkpoint, recovered } = storage
  checkLevel(checkpoint, KNOWN_LEVELS)
  if (checkpoint.appliedUpTo === recovered.decidedUpTo) return
  if (storage.applyFailure !== undefined) await storage.resolveApplyFailure('retry')
  try {
    await carryOut(storage)
  } catch (error) {
    if (!(error instanceof ApplyFailedError) || error.failure.slot !== skippedSlot) throw error
    await storage.resolveApplyFailure('skip')
    await carryOut(storage)
  }
}

async function carryOut(storage: LevelStorage): Promise<void> {
  const machine = new BankAndKeys()
  const sessions = new Sessions(machine, sessionCodec)
  const logger = pino({ level: 'silent' })
  const { applier } = await replayLog({ storage, sessions, machine, listener: NOBODY, logger, nowMs })
  const { info, changes } = applier.checkpoint()
  await storage.saveCheckpoint(info, changes)
}
