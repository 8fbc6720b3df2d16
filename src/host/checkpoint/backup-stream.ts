import type { Slot } from '../../paxos/types.js'
import type { CheckpointView, Storage } from '../../storage/storage.js'
import { type BackupPart, type Cancellation, MemberError } from '../api.js'
import type { Runtime } from '../runtime.js'

interface Settings {
  readonly storage: Pick<Storage, 'viewCheckpoint' | 'readLog' | 'checkpoint' | 'compactedUpTo'>
  readonly runtime: Pick<Runtime, 'after' | 'nowMs'>
  readonly decidedUpTo: () => Slot
  readonly askForCheckpoint: () => void
  readonly isStopped: () => boolean
  readonly signal: Cancellation | undefined
}

const PAGE_BYTES = 256 * 1024
const LOG_PAGE_BYTES = 1 << 20
/** The longest wait for the first checkpoint of a cluster. */
const CHECKPOINT_TIMEOUT_MS = 10_000
const LOOK_INTERVAL_MS = 20
/** The longest time until the disk of an idle node knows the last decided slots. */
const DURABLE_TIMEOUT_MS = 5_000

/**
 * A backup of this node's state: its last checkpoint, from one view of the database, and the decided slots after it, as many as the log
 * still holds without a gap when the checkpoint has been read. Wherever it ends, it is the state after one slot.
 *
 * @throws MemberError NO_QUORUM when there is nothing to save; STOPPED; CANCELLED
 */
export async function* backupOf(settings: Settings): AsyncGenerator<BackupPart> {
  const { storage, runtime, decidedUpTo } = settings
  const view = await firstView(settings)
  try {
    yield { header: view.header }
    for await (const page of view.pages(undefined, PAGE_BYTES)) {
      checkWanted(settings)
      yield { page }
    }
    yield { end: view.end }
  } finally {
    await view.close()
  }
  const upTo = decidedUpTo()
  const deadlineMs = runtime.nowMs() + DURABLE_TIMEOUT_MS
  for (let next = view.header.slot + 1; next <= upTo; ) {
    checkWanted(settings)
    const entries = await storage.readLog(next, upTo, LOG_PAGE_BYTES)
    const last = entries.at(-1)
    if (last !== undefined) {
      yield { entries }
      next = last.slot + 1
      continue
    }
    // The log has been trimmed that far meanwhile.
    if (next <= storage.compactedUpTo || runtime.nowMs() >= deadlineMs) return
    // Of an idle node it is on disk only within a second that the last slots are decided.
    await new Promise<void>((resolve) => runtime.after(LOOK_INTERVAL_MS, resolve))
  }
}

async function firstView(settings: Settings): Promise<CheckpointView> {
  const { storage, runtime, askForCheckpoint } = settings
  const deadlineMs = runtime.nowMs() + CHECKPOINT_TIMEOUT_MS
  for (;;) {
    checkWanted(settings)
    const view = await storage.viewCheckpoint()
    if (view !== undefined) return view
    if (runtime.nowMs() >= deadlineMs)
      throw new MemberError('NO_QUORUM', 'nothing has been decided yet: there is nothing to save')
    askForCheckpoint()
    await new Promise<void>((resolve) => runtime.after(LOOK_INTERVAL_MS, resolve))
  }
}

/** @throws MemberError */
function checkWanted({ isStopped, signal }: Settings): void {
  if (isStopped()) throw new MemberError('STOPPED', 'this member has stopped')
  if (signal?.aborted === true) throw new MemberError('CANCELLED', 'the caller of the backup gave up')
}
