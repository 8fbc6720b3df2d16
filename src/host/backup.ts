import type { Slot } from '../paxos/types.js'
import type { CheckpointView, Storage } from '../storage/storage.js'
import { type BackupPart, MemberError } from './api.js'
import type { Runtime } from './runtime.js'

interface Settings {
  readonly storage: Pick<Storage, 'viewCheckpoint' | 'readLog' | 'checkpoint' | 'compactedUpTo'>
  readonly runtime: Pick<Runtime, 'after' | 'nowMs'>
  readonly decidedUpTo: () => Slot
  readonly askForCheckpoint: () => void
  readonly isStopped: () => boolean
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
 * @throws MemberError NO_QUORUM when there is nothing to save; STOPPED
 */
export async function* backupOf(settings: Settings): AsyncGenerator<BackupPart> {
  const { storage, runtime, decidedUpTo, isStopped } = settings
  const view = await firstView(settings)
  try {
    yield { header: view.header }
    for await (const page of view.pages(undefined, PAGE_BYTES)) {
      if (isStopped()) throw stopped()
      yield { page }
    }
    yield { end: view.end }
  } finally {
    await view.close()
  }
  const upTo = decidedUpTo()
  const deadlineMs = runtime.nowMs() + DURABLE_TIMEOUT_MS
  for (let next = view.header.slot + 1; next <= upTo; ) {
    if (isStopped()) throw stopped()
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

async function firstView({ storage, runtime, askForCheckpoint, isStopped }: Settings): Promise<CheckpointView> {
  const deadlineMs = runtime.nowMs() + CHECKPOINT_TIMEOUT_MS
  for (;;) {
    if (isStopped()) throw stopped()
    const view = await storage.viewCheckpoint()
    if (view !== undefined) return view
    if (runtime.nowMs() >= deadlineMs)
      throw new MemberError('NO_QUORUM', 'nothing has been decided yet: there is nothing to save')
    askForCheckpoint()
    await new Promise<void>((resolve) => runtime.after(LOOK_INTERVAL_MS, resolve))
  }
}

function stopped(): MemberError {
  return new MemberError('STOPPED', 'this member has stopped')
}
