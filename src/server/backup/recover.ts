import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { makeBallot } from '../../paxos/ballot.js'
import type { Membership } from '../../paxos/membership.js'
import { genesisRecord, Memberships } from '../../paxos/memberships.js'
import { type DurableRecord, type Genesis, type LogEntry, NOOP, type NodeId, type Slot } from '../../paxos/types.js'
import { DirectoryLock } from '../../storage/directory-lock.js'
import { LevelStorage } from '../../storage/level-storage.js'
import { BackupError } from './backup-file.js'
import { checkRoom, type MadeCluster, makeNewCluster, type NewCluster, withDrafts } from './new-cluster.js'
import { withStateOf } from './old-state.js'

const PAGE_BYTES = 4 << 20

/** What one survivor knows of a cluster. */
export interface Survivor {
  readonly clusterId: string
  readonly nodeId: NodeId
  /** Known to be decided: all of it is kept. */
  readonly decidedUpTo: Slot
  /** The last slot in which it has voted; decidedUpTo when there is none above that. */
  readonly votedUpTo: Slot
  /** Slots between the two in which it has not voted. */
  readonly missing: readonly Slot[]
  readonly voterIds: readonly NodeId[]
}

/**
 * Makes a new cluster from the directory of one node, when so many others are lost for good that no majority will ever be there again.
 * The survivor's directory is left as it is. Votes above what it knows to be decided are kept, and the slots between them that it has
 * no vote in are empty: what a new leader does that has heard from this node alone. So an operation that was acknowledged is lost only
 * if this node never voted for it, and one that was never acknowledged may take effect.
 *
 * `confirm` is told what it stands on, before anything is made; what it throws ends it.
 * @throws BackupError, StorageError
 */
export async function recoverCluster(
  directory: string,
  plan: NewCluster,
  confirm: (survivor: Survivor) => Promise<void>,
): Promise<MadeCluster> {
  checkRoom(plan)
  return withDrafts(plan.out, async (drafts) => {
    const where = { directory: join(drafts, 'state'), nodeId: copyDirectory(resolve(directory), join(drafts, 'state')) }
    const storage = await LevelStorage.open(where)
    try {
      const survivor = await surveyed(storage, where.nodeId)
      if (plan.clusterId === survivor.clusterId) {
        throw new BackupError(`the new cluster needs an id of its own, not ${survivor.clusterId}, which may still have members`)
      }
      await confirm(survivor)
      await decideVotes(storage)
    } finally {
      await storage.close()
    }
    return withStateOf(where, (view) => makeNewCluster(view, plan, drafts))
  })
}

/** LevelDB rewrites its files when it is opened: the only copy of the data must not be worked on. Gives the node's number. */
function copyDirectory(from: string, to: string): NodeId {
  const identity = join(from, 'identity.json')
  if (!existsSync(identity)) throw new BackupError(`${from} is no data directory: ${identity} is missing`)
  const lock = DirectoryLock.acquire(from)
  try {
    cpSync(from, to, { recursive: true, filter: (path) => path !== join(from, 'lock') })
  } finally {
    lock.release()
  }
  rmSync(join(to, 'lock'), { force: true })
  return nodeIdIn(identity)
}

function nodeIdIn(identity: string): NodeId {
  try {
    const { nodeId } = JSON.parse(readFileSync(identity, 'utf8')) as { nodeId?: unknown }
    if (typeof nodeId === 'number') return nodeId
  } catch (cause) {
    throw new BackupError(`${identity} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
  throw new BackupError(`${identity} names no node`)
}

async function surveyed(storage: LevelStorage, nodeId: NodeId): Promise<Survivor> {
  const { genesis, decidedUpTo, accepted } = storage.recovered
  if (genesis === undefined) throw new BackupError('this node has never been a member of a cluster: there is nothing to recover')
  const votes = new Set(accepted.map(({ slot }) => slot))
  const votedUpTo = accepted.at(-1)?.slot ?? decidedUpTo
  const missing: Slot[] = []
  for (let slot = decidedUpTo + 1; slot <= votedUpTo; slot++) if (!votes.has(slot)) missing.push(slot)
  const { voterIds } = await latestMembership(storage, genesis)
  return { clusterId: genesis.clusterId, nodeId, decidedUpTo, votedUpTo, missing, voterIds }
}

/** As far as the survivor knows. */
async function latestMembership(storage: LevelStorage, genesis: Genesis): Promise<Membership> {
  const { checkpoint, recovered } = storage
  const records = checkpoint.memberships.length > 0 ? checkpoint.memberships : [genesisRecord(genesis)]
  const memberships = new Memberships(records, genesis.windowSlots)
  for (let slot = checkpoint.appliedUpTo + 1; slot <= recovered.decidedUpTo; ) {
    const entries = await storage.readLog(slot, recovered.decidedUpTo, PAGE_BYTES)
    for (const entry of entries) if (entry.value.kind === 'membership') memberships.onDecided(entry.slot, entry.value)
    slot += entries.length
  }
  return memberships.latest
}

/** Every vote counts as decided, and every gap between two as a no-op. */
async function decideVotes(storage: LevelStorage): Promise<void> {
  const { accepted, decidedUpTo } = storage.recovered
  const votes = new Map(accepted.map((entry) => [entry.slot, entry]))
  const votedUpTo = accepted.at(-1)?.slot ?? decidedUpTo
  if (votedUpTo === decidedUpTo) return
  const records: DurableRecord[] = []
  for (let slot = decidedUpTo + 1; slot <= votedUpTo; slot++) {
    const entry: LogEntry = votes.get(slot) ?? { slot, ballot: makeBallot(1, 1), value: NOOP }
    records.push({ kind: 'learned', entry })
  }
  await storage.append([...records, { kind: 'decidedUpTo', slot: votedUpTo }])
}
