import { pino } from 'pino'
import { replayLog } from '../../host/recovery.js'
import { Sessions } from '../../machine/sessions.js'
import type { NodeId } from '../../paxos/types.js'
import { LevelStorage } from '../../storage/level-storage.js'
import type { CheckpointView } from '../../storage/storage.js'
import { BankAndKeys } from '../../wire/bank-and-keys.js'
import { sessionCodec } from '../../wire/state.js'
import { BackupError } from './backup-file.js'

const nowMs = (): number => performance.now()
const NOBODY = { onOpened: () => {}, onClosed: () => {}, onOutcome: () => {}, isAwaited: () => false }

/**
 * Carries out every decided slot of a data directory that its checkpoint does not hold yet, as a node does at its start, makes a
 * checkpoint of what comes of it, and lends that to `use`.
 * @throws StorageError; BackupError when nothing was ever decided
 */
export async function withStateOf<T>(
  where: { readonly directory: string; readonly nodeId: NodeId },
  use: (view: CheckpointView) => Promise<T>,
): Promise<T> {
  const storage = await LevelStorage.open(where)
  try {
    if (storage.recovered.decidedUpTo === 0) throw new BackupError('nothing was ever decided there: begin with an empty cluster')
    await advance(storage)
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

async function advance(storage: LevelStorage): Promise<void> {
  const { checkpoint, recovered } = storage
  if (checkpoint.appliedUpTo === recovered.decidedUpTo) return
  const machine = new BankAndKeys()
  const sessions = new Sessions(machine, sessionCodec)
  const logger = pino({ level: 'silent' })
  const { applier } = await replayLog({ storage, sessions, machine, listener: NOBODY, logger, nowMs })
  const { info, changes } = applier.checkpoint()
  await storage.saveCheckpoint(info, changes)
}
