import type { Logger } from 'pino'
import type { Sessions } from '../machine/sessions.js'
import type { StateEntry, StateMachine } from '../machine/state-machine.js'
import type { Storage } from '../storage/storage.js'
import { type AppliedListener, Applier, type OnApplied } from './applier.js'

const PAGE_BYTES = 4 << 20

/** Brings the state machine back to where it was: the last checkpoint, then every decided slot after it. */
export async function replayLog(settings: {
  readonly storage: Storage
  readonly sessions: Sessions
  readonly machine: StateMachine
  readonly listener: AppliedListener
  readonly logger: Logger
  readonly onApplied?: OnApplied | undefined
}): Promise<Applier> {
  const { storage, sessions, machine, listener, logger, onApplied } = settings
  const { genesis, decidedUpTo } = storage.recovered
  const applier = new Applier(sessions, storage.checkpoint, listener, onApplied)
  if (storage.checkpoint.appliedUpTo > 0) {
    const entries: StateEntry[] = []
    for await (const entry of storage.loadCheckpoint()) entries.push(entry)
    sessions.restore(entries)
  } else if (genesis !== undefined) {
    applier.applyInitial(machine, genesis.initialCommands)
  }
  while (applier.appliedUpTo < decidedUpTo) {
    applier.enqueue(await storage.readLog(applier.appliedUpTo + 1, decidedUpTo, PAGE_BYTES))
    applier.run(() => false)
  }
  logger.info({ checkpoint: storage.checkpoint.appliedUpTo, appliedUpTo: applier.appliedUpTo }, 'state restored')
  return applier
}
