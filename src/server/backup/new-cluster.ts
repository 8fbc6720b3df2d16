import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { genesisRecord } from '../../paxos/memberships.js'
import type { Genesis, NodeId, Slot } from '../../paxos/types.js'
import { makeDirectory, renameSynced, syncDirectory } from '../../storage/directory/files.js'
import { LevelStorage } from '../../storage/level-storage.js'
import type { CheckpointHeader, CheckpointView, IncomingCheckpoint } from '../../storage/storage.js'
import type { MemberConfig } from '../config.js'
import { BackupError } from './backup-file.js'

/** Beside the directories that are being made: what is in it is not finished. */
const DRAFT_PREFIX = '.unfinished-'
const PAGE_BYTES = 1 << 20

/** A cluster that is to begin with the state of another. */
export interface NewCluster {
  /** A UUID; not the other cluster's. */
  readonly clusterId: string
  readonly members: readonly MemberConfig[]
  /** Gets a data directory for each member: node-1, node-2 and so on. */
  readonly out: string
}

/** A new cluster as it was made. */
export interface MadeCluster {
  readonly clusterId: string
  /** The state is that after this slot; the new cluster's first own slot is the next. */
  readonly slot: Slot
  /** Log time there. */
  readonly timeMs: number
  readonly stateDigest: number
  readonly directories: readonly { readonly nodeId: NodeId; readonly directory: string }[]
}

/** The path of a member's new data directory. */
function directoryOf(out: string, nodeId: NodeId): string {
  return join(out, `node-${nodeId}`)
}

/** Before long work that would be in vain. @throws BackupError when one of the directories is there */
export function checkRoom({ out, members }: Pick<NewCluster, 'out' | 'members'>): void {
  for (const { nodeId } of members) {
    const directory = directoryOf(out, nodeId)
    if (existsSync(directory)) throw new BackupError(`${directory} is there already: name another one, or move it away`)
  }
}

/** A place for drafts, gone when `work` ends, however it ends. */
export async function withDrafts<T>(out: string, work: (drafts: string) => Promise<T>): Promise<T> {
  makeDirectory(out)
  for (const name of readdirSync(out))
    if (name.startsWith(DRAFT_PREFIX)) rmSync(join(out, name), { recursive: true, force: true })
  const drafts = join(out, `${DRAFT_PREFIX}${randomUUID().slice(0, 8)}`)
  makeDirectory(drafts)
  try {
    return await work(drafts)
  } finally {
    rmSync(drafts, { recursive: true, force: true })
  }
}

/**
 * Makes the data directories of a new cluster from a checkpoint of another: all of it but the log, the promises and the members. They
 * appear when all of them are whole.
 * @throws BackupError, StorageError
 */
export async function makeNewCluster(source: CheckpointView, plan: NewCluster, drafts: string): Promise<MadeCluster> {
  checkRoom(plan)
  const storages: LevelStorage[] = []
  try {
    for (const { nodeId } of plan.members) {
      storages.push(await LevelStorage.open({ directory: directoryOf(drafts, nodeId), nodeId }))
    }
    const header = headerOf(source.header, plan, storages)
    await copy(source, await Promise.all(storages.map((storage) => storage.receiveCheckpoint(header))))
  } finally {
    await Promise.all(storages.map((storage) => storage.close()))
  }
  const directories = plan.members.map(({ nodeId }) => ({ nodeId, directory: directoryOf(plan.out, nodeId) }))
  for (const { nodeId, directory } of directories) renameSynced(directoryOf(drafts, nodeId), directory)
  syncDirectory(plan.out)
  const { slot, timeMs, stateDigest } = source.header
  return { clusterId: plan.clusterId, slot, timeMs, stateDigest, directories }
}

/** The old cluster's state, the new one's name and members: they vote from the first slot on, as those of any new cluster do. */
function headerOf(
  old: CheckpointHeader,
  { clusterId, members }: NewCluster,
  storages: readonly LevelStorage[],
): CheckpointHeader {
  const { initialCommands, windowSlots, quotaBytes } = old.genesis
  const { level, levelVersion } = old
  const genesis: Genesis = {
    clusterId,
    members: members.map((member, i) => ({ ...member, dataDirId: storages[i]?.dataDirId ?? '' })),
    initialCommands,
    windowSlots,
    quotaBytes,
    level,
    levelVersion,
  }
  return { ...old, checkpointId: randomUUID(), clusterId, genesis, memberships: [genesisRecord(genesis)] }
}

async function copy(source: CheckpointView, targets: readonly IncomingCheckpoint[]): Promise<void> {
  for await (const page of source.pages(undefined, PAGE_BYTES)) await Promise.all(targets.map((target) => target.add(page)))
  await Promise.all(targets.map((target) => target.install(source.end)))
}
