import type { Logger } from 'pino'
import type { Observer } from '../../observer/observer.js'
import type { Genesis, MembershipRecord } from '../../paxos/types.js'
import type { CommitFeed } from '../../replication/commit-feed.js'
import type { LevelRange } from '../../replication/levels.js'
import type { Sessions } from '../../replication/sessions.js'
import type { StateMachine } from '../../replication/state-machine.js'
import type { Storage } from '../../storage/storage.js'
import type { AppliedListener, OnBoundary } from '../apply/applied-listener.js'
import { Applier } from '../apply/applier.js'
import type { CheckpointOptions } from '../apply/boundaries.js'
import { ApplyFailedError, checkLevel, UnsupportedLevelError } from '../halt-error.js'

const PAGE_BYTES = 4 << 20
const PROGRESS_INTERVAL_MS = 1_000

interface RestoreSettings {
  readonly storage: Pick<Storage, 'checkpoint' | 'recovered' | 'readLog' | 'loadCheckpoint' | 'readHistory'>
  readonly sessions: Sessions
  readonly logger: Logger
  readonly nowMs: () => number
}

/** The state from which a node goes on. */
export interface Replayed {
  readonly applier: Applier
  /** Those that govern the slots above the recovered decidedUpTo; none before the cluster is formed. */
  readonly memberships: readonly MembershipRecord[]
}

/**
 * Brings the state machine back to where it was: the last checkpoint, then every decided slot after it.
 * @throws ApplyFailedError for a slot that cannot be carried out, now or when it was tried last; UnsupportedLevelError at a level that the
 *   machine does not know. Either is on disk then
 */
export async function replayLog(
  settings: RestoreSettings & {
    readonly storage: Pick<
      Storage,
      'applyFailure' | 'noteApplyFailure' | 'unsupportedLevel' | 'noteUnsupportedLevel' | 'saveCheckpoint'
    >
    readonly machine: StateMachine
    readonly listener: AppliedListener
    readonly feed?: CommitFeed
    readonly checkpoints?: CheckpointOptions | undefined
    readonly onBoundary?: OnBoundary | undefined
    readonly observer?: Observer | undefined
  },
): Promise<Replayed> {
  const { storage, sessions, machine, logger, nowMs } = settings
  const { checkpoint, recovered } = storage
  const { genesis, decidedUpTo } = recovered
  await checkLevelOnDisk(storage, sessions.knownLevels)
  if (storage.applyFailure !== undefined) throw new ApplyFailedError(storage.applyFailure)
  await restoreState(settings)
  const applier = new Applier({ ...settings, checkpoint, genesis })
  const progress = new Progress(nowMs)
  try {
    if (applier.isFresh && genesis !== undefined) applier.applyInitial(machine, genesis)
    while (applier.appliedUpTo < decidedUpTo) {
      applier.enqueue(await storage.readLog(applier.appliedUpTo + 1, decidedUpTo, PAGE_BYTES))
      while (applier.hasQueued) {
        applier.run(() => !applier.isMidSlot && applier.isFarAhead)
        if (applier.isFarAhead) await saveCheckpoint(storage, applier)
      }
      progress.maybeTell(() => logger.info({ appliedUpTo: applier.appliedUpTo, decidedUpTo }, 'replaying the log'))
    }
  } catch (error) {
    if (error instanceof ApplyFailedError) await storage.noteApplyFailure(error.failure)
    if (error instanceof UnsupportedLevelError) await storage.noteUnsupportedLevel(error.raised)
    throw error
  }
  logger.info({ checkpoint: checkpoint.appliedUpTo, appliedUpTo: applier.appliedUpTo }, 'state restored')
  return { applier, memberships: applier.memberships }
}

/** Reads no entry of a level that is not known. @throws UnsupportedLevelError */
async function checkLevelOnDisk(
  storage: Pick<Storage, 'checkpoint' | 'unsupportedLevel' | 'noteUnsupportedLevel'>,
  known: LevelRange,
): Promise<void> {
  const { checkpoint, unsupportedLevel } = storage
  if (unsupportedLevel !== undefined) {
    checkLevel(unsupportedLevel, known)
    await storage.noteUnsupportedLevel(undefined)
  }
  try {
    checkLevel(checkpoint, known)
  } catch (error) {
    await storage.noteUnsupportedLevel(checkpoint)
    throw error
  }
}

/** Saves a checkpoint: a replay must not use more memory than the first application did. */
async function saveCheckpoint(storage: Pick<Storage, 'saveCheckpoint'>, applier: Applier): Promise<void> {
  const { info, changes } = applier.checkpoint()
  await storage.saveCheckpoint(info, changes)
  applier.onCheckpointed()
}

/**
 * Begins anew, while the node runs, from a checkpoint of a peer that the storage has just installed. Until the promise resolves nothing
 * is applied, and queries are answered from the state before.
 */
export async function installState(
  settings: RestoreSettings & { readonly applier: Applier; readonly genesis: Genesis },
): Promise<void> {
  const { storage, applier, genesis, logger } = settings
  applier.suspend()
  await restoreState(settings)
  applier.reset(storage.checkpoint, genesis)
  logger.info({ checkpoint: applier.appliedUpTo }, 'state replaced')
}

/** Replaces the state by that of the storage's checkpoint, or by nothing. */
async function restoreState({ storage, sessions, logger, nowMs }: RestoreSettings): Promise<void> {
  const restoration = sessions.restore({ read: (key) => storage.readHistory(key) }, storage.checkpoint)
  const progress = new Progress(nowMs)
  let entryCount = 0
  for await (const page of storage.loadCheckpoint()) {
    restoration.load(page)
    entryCount += page.length
    progress.maybeTell(() => logger.info({ entries: entryCount }, 'restoring the state'))
  }
  restoration.finish()
}

/** Tells how far something has come, about once a second. */
class Progress {
  readonly #nowMs: () => number
  #nextMs: number

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
    this.#nextMs = nowMs() + PROGRESS_INTERVAL_MS
  }

  maybeTell(tell: () => void): void {
    const nowMs = this.#nowMs()
    if (nowMs < this.#nextMs) return
    this.#nextMs = nowMs + PROGRESS_INTERVAL_MS
    tell()
  }
}
