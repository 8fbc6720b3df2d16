import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { makeBallot } from '../../paxos/ballot.js'
import { genesisRecord, Memberships } from '../../paxos/memberships.js'
import { type DurableRecord, type Genesis, type LogEntry, NOOP, type NodeId, type Slot } from '../../paxos/types.js'
import { identityIn, pathsIn } from '../../storage/directory/data-directory.js'
import { DirectoryLock } from '../../storage/directory/directory-lock.js'
import { ASIDE, readReplaced } from '../../storage/directory/set-aside.js'
import { salvage } from '../../storage/doctor/salvage.js'
import { LevelStorage } from '../../storage/level-storage.js'
import { StorageError } from '../../storage/storage-error.js'
import { BackupError } from './backup-file.js'
import { checkRoom, type MadeCluster, makeNewCluster, type NewCluster, withDrafts } from './new-cluster.js'
import { withStateOf } from './old-state.js'

const PAGE_BYTES = 4 << 20
/** Files of a data directory that are not copied: its lock, and what was set aside as damaged. */
const NOT_COPIED = /^(lock|damaged-.*|replaces\.json.*)$/

/** The survivors' knowledge of their cluster. */
export interface Survivors {
  readonly clusterId: string
  readonly nodeIds: readonly NodeId[]
  /** Known to one of them to be decided: all of it is kept. */
  readonly decidedUpTo: Slot
  /** The last slot in which one of them has voted; decidedUpTo when there is none above that. */
  readonly votedUpTo: Slot
  /** Slots between the two in which none has voted. */
  readonly missing: readonly Slot[]
  /** The voters of the old cluster, as far as the survivors know. */
  readonly voterIds: readonly NodeId[]
  /** Survivors whose directories have lost their end, and with it what only that end held. */
  readonly damaged: readonly DamagedSurvivor[]
  /** Folders in their directories in which something is kept that was damaged, and that were not named. */
  readonly notLookedAt: readonly string[]
}

interface DamagedSurvivor {
  readonly nodeId: NodeId
  readonly directory: string
  /** Undefined when nothing tells how many. */
  readonly lostWriteCount: number | undefined
}

/** A copy of a survivor's directory. */
interface Copy {
  readonly from: string
  readonly directory: string
  readonly nodeId: NodeId
  readonly storage: LevelStorage
  readonly genesis: Genesis
  readonly damage: DamagedSurvivor | undefined
  readonly aside: readonly string[]
}

/**
 * Makes a new cluster from the directories of some nodes, when so many others are lost for good that no majority will ever be there
 * again. They are left as they are. Votes above what is known to be decided are kept, in each slot that of the highest ballot, and
 * slots between them without any are empty: what a new leader does that has heard from these nodes alone. So an operation that was
 * acknowledged is lost only if none of them ever voted for it, and one that was never acknowledged may take effect. A directory that was
 * set aside as damaged serves, too, if it is its end that is damaged: without that end.
 *
 * `confirm` is told what it stands on, before anything is made; what it throws ends it. `skippedSlot` changes nothing, if it cannot be
 * carried out: with too few directories left nobody could have it skipped before.
 * @throws BackupError, StorageError; ApplyFailedError for another slot that cannot be carried out
 */
export async function recoverCluster(
  directories: readonly string[],
  plan: NewCluster,
  confirm: (survivors: Survivors) => Promise<void>,
  { skippedSlot }: { readonly skippedSlot?: Slot | undefined } = {},
): Promise<MadeCluster> {
  checkRoom(plan)
  return withDrafts(plan.out, async (drafts) => {
    const copies: Copy[] = []
    try {
      for (const [i, directory] of directories.entries())
        copies.push(await copyOf(resolve(directory), join(drafts, `state-${i}`)))
      checkOneCluster(copies, plan)
      const best = copies.reduce((a, b) => (b.storage.recovered.decidedUpTo > a.storage.recovered.decidedUpTo ? b : a))
      const votes = votesAbove(best.storage.recovered.decidedUpTo, copies)
      await confirm(await survey(best, copies, votes))
      await decide(best.storage, votes)
      await best.storage.close()
      return await withStateOf(best, (view) => makeNewCluster(view, plan, drafts), { skippedSlot })
    } finally {
      await Promise.all(copies.map(({ storage }) => storage.close()))
    }
  })
}

/** LevelDB rewrites its files when it is opened: the only copy of the data must not be worked on. */
async function copyOf(from: string, directory: string): Promise<Copy> {
  const { identity, database } = pathsIn(from)
  if (!existsSync(identity) && !existsSync(database)) {
    throw new BackupError(`${from} is no data directory: ${identity} is missing`)
  }
  checkNotHalfAside(from)
  const lock = await DirectoryLock.acquire(from)
  try {
    // The folder itself may be one that was set aside.
    cpSync(from, directory, { recursive: true, filter: (path) => path === from || !NOT_COPIED.test(basename(path)) })
  } finally {
    await lock.release()
  }
  const { storage, nodeId, damage } = await openCopy(from, directory)
  const { genesis } = storage.recovered
  if (genesis !== undefined) return { from, directory, nodeId, storage, genesis, damage, aside: foldersAside(from) }
  await storage.close()
  throw new BackupError(
    `the node of ${from} has never been a member of a cluster: there is nothing to recover${asideHint(foldersAside(from))}`,
  )
}

/** Reads what is left of a damaged directory. @throws BackupError when nothing is; StorageError */
async function openCopy(from: string, directory: string): Promise<Pick<Copy, 'storage' | 'nodeId' | 'damage'>> {
  try {
    const nodeId = identityIn(pathsIn(directory))?.nodeId
    if (nodeId !== undefined) return { storage: await LevelStorage.open({ directory, nodeId }), nodeId, damage: undefined }
  } catch (error) {
    if (!(error instanceof StorageError && error.code === 'DAMAGED')) throw error
  }
  try {
    const { nodeId, lostWriteCount } = await salvage(directory)
    const storage = await LevelStorage.open({ directory, nodeId })
    return { storage, nodeId, damage: { nodeId, directory: from, lostWriteCount } }
  } catch (error) {
    if (!(error instanceof StorageError && error.code === 'DAMAGED')) throw error
    // The error names the copy.
    const what = error.what.replaceAll(directory, from)
    throw new BackupError(
      `nothing can be made from ${from}: more than its end is damaged (${what}). Recover from the other directories without it, or ` +
        'restore a backup.',
      { cause: error },
    )
  }
}

/** @throws BackupError when a part of what was damaged is still where the new contents belong */
function checkNotHalfAside(from: string): void {
  const note = readReplaced(pathsIn(from))
  if (note === undefined || note.isMoved) return
  throw new BackupError(
    `${from} is being set aside as damaged, and that was interrupted: start its node once, which finishes it, stop it, and recover ` +
      `from ${join(from, note.asideIn)}`,
  )
}

/** The last one first. */
function foldersAside(from: string): readonly string[] {
  const numbers = readdirSync(from).flatMap((name) => ASIDE.exec(name)?.[1] ?? [])
  return numbers.toSorted((a, b) => Number(b) - Number(a)).map((number) => join(from, `damaged-${number}`))
}

function asideHint([last, ...others]: readonly string[]): string {
  if (last === undefined) return ''
  const also = others.length === 0 ? '' : ` (or ${others.join(', ')})`
  return `. What stood there before it was found damaged is in ${last}${also}: recover from that`
}

/** @throws BackupError when the file names no node */
export function nodeIdIn(identity: string): NodeId {
  try {
    const { nodeId } = JSON.parse(readFileSync(identity, 'utf8')) as { nodeId?: unknown }
    if (typeof nodeId === 'number') return nodeId
  } catch (cause) {
    throw new BackupError(`${identity} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  throw new BackupError(`${identity} names no node`)
}

function checkOneCluster(copies: readonly Copy[], plan: NewCluster): void {
  const [first, ...others] = copies
  if (first === undefined) throw new BackupError('there is no survivor to recover anything from')
  const { clusterId } = first.genesis
  for (const { nodeId, genesis } of others) {
    if (genesis.clusterId === clusterId) continue
    throw new BackupError(`node ${first.nodeId} is of cluster ${clusterId}, node ${nodeId} of ${genesis.clusterId}`)
  }
  if (plan.clusterId !== clusterId) return
  throw new BackupError(`the new cluster needs an id of its own, not ${clusterId}, which may still have members`)
}

/** Picks for each slot the vote of the highest ballot. */
function votesAbove(decidedUpTo: Slot, copies: readonly Copy[]): ReadonlyMap<Slot, LogEntry> {
  const votes = new Map<Slot, LogEntry>()
  for (const entry of copies.flatMap(({ storage }) => storage.recovered.accepted)) {
    const other = votes.get(entry.slot)
    if (entry.slot > decidedUpTo && (other === undefined || entry.ballot > other.ballot)) votes.set(entry.slot, entry)
  }
  return votes
}

async function survey(best: Copy, copies: readonly Copy[], votes: ReadonlyMap<Slot, LogEntry>): Promise<Survivors> {
  const { decidedUpTo } = best.storage.recovered
  const votedUpTo = Math.max(decidedUpTo, ...votes.keys())
  const missing: Slot[] = []
  for (let slot = decidedUpTo + 1; slot <= votedUpTo; slot++) if (!votes.has(slot)) missing.push(slot)
  const nodeIds = copies.map(({ nodeId }) => nodeId)
  const damaged = copies.flatMap(({ damage }) => damage ?? [])
  const named = new Set(copies.map(({ from }) => from))
  const notLookedAt = copies.flatMap(({ aside }) => aside).filter((folder) => !named.has(folder))
  const voterIds = await votersOf(best)
  return { clusterId: best.genesis.clusterId, nodeIds, decidedUpTo, votedUpTo, missing, voterIds, damaged, notLookedAt }
}

/** Gives the voters of the newest membership that the directory knows to be decided. */
export async function votersOf({ storage, genesis }: Pick<Copy, 'storage' | 'genesis'>): Promise<readonly NodeId[]> {
  const { checkpoint, recovered } = storage
  const records = checkpoint.memberships.length > 0 ? checkpoint.memberships : [genesisRecord(genesis)]
  const memberships = new Memberships(records, genesis.windowSlots)
  for (let slot = checkpoint.appliedUpTo + 1; slot <= recovered.decidedUpTo; ) {
    const entries = await storage.readLog(slot, recovered.decidedUpTo, PAGE_BYTES)
    for (const entry of entries) if (entry.value.kind === 'membership') memberships.onDecided(entry.slot, entry.value)
    slot += entries.length
  }
  return memberships.latest.voterIds
}

/** Every vote counts as decided, and every gap between two as a no-op. */
async function decide(storage: LevelStorage, votes: ReadonlyMap<Slot, LogEntry>): Promise<void> {
  if (votes.size === 0) return
  const upTo = Math.max(...votes.keys())
  const records: DurableRecord[] = []
  for (let slot = storage.recovered.decidedUpTo + 1; slot <= upTo; slot++) {
    const entry: LogEntry = votes.get(slot) ?? { slot, ballot: makeBallot(1, 1), value: NOOP }
    records.push({ kind: 'learned', entry })
  }
  await storage.append([...records, { kind: 'decidedUpTo', slot: upTo }])
}
