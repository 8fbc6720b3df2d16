import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Genesis, LogEntry, NodeId, Slot } from '../../paxos/types.js'
import { sameValue } from '../../paxos/value.js'
import { pathsIn } from '../../storage/directory/data-directory.js'
import { LevelStorage } from '../../storage/level-storage.js'
import type { ApplyFailure } from '../../storage/storage.js'
import { BackupError } from './backup-file.js'
import { nodeIdIn, votersOf } from './recover.js'

/** The decision about a slot on which the state machine threw. */
export interface SlotResolution {
  /** From 1. */
  readonly slot: Slot
  /** `skip`: it changes nothing, on any node. `retry`: it is carried out once more, by another version say. */
  readonly how: 'skip' | 'retry'
  /** Nodes in whose directories the same is done on other machines. */
  readonly alsoOn: readonly NodeId[]
}

/** The directories' knowledge of the slot, before anything is changed. */
export interface FailedSlot {
  readonly clusterId: string
  readonly voterIds: readonly NodeId[]
  readonly failure: ApplyFailure | undefined
  readonly commandCount: number
  /** Whose directories are to be changed, */
  readonly toChange: readonly NodeId[]
  /** have been already, */
  readonly changed: readonly NodeId[]
  /** or do not hold the slot yet: they learn of it from the others. */
  readonly unaware: readonly NodeId[]
}

interface Opened {
  readonly directory: string
  readonly nodeId: NodeId
  readonly storage: LevelStorage
  readonly genesis: Genesis
}

/**
 * Has a slot that failed skipped, or tried again, in the data directories of stopped nodes. A slot is skipped by a majority or by nobody:
 * no answer to it was ever given, as long as a majority has failed at it. The directories are changed one after the other; whoever is
 * broken off does it once more.
 *
 * `confirm` is told what is about to happen; what it throws ends it.
 * @throws BackupError, StorageError: nothing is changed then
 */
export async function resolveFailedSlot(
  directories: readonly string[],
  resolution: SlotResolution,
  confirm: (found: FailedSlot) => Promise<void>,
): Promise<FailedSlot> {
  const opened: Opened[] = []
  try {
    for (const directory of directories) opened.push(await open(resolve(directory)))
    const { found, failed } = await examine(opened, resolution)
    if (resolution.how === 'skip') checkMajority(found, resolution)
    await confirm(found)
    for (const { storage } of failed) await storage.resolveApplyFailure(resolution.how)
    return found
  } finally {
    await Promise.all(opened.map(({ storage }) => storage.close()))
  }
}

async function open(directory: string): Promise<Opened> {
  const { identity } = pathsIn(directory)
  if (!existsSync(identity)) throw new BackupError(`${directory} is no data directory: ${identity} is missing`)
  const nodeId = nodeIdIn(identity)
  const storage = await LevelStorage.open({ directory, nodeId })
  const { genesis } = storage.recovered
  if (genesis !== undefined) return { directory, nodeId, storage, genesis }
  await storage.close()
  throw new BackupError(`the node of ${directory} has never been a member of a cluster`)
}

async function examine(
  opened: readonly Opened[],
  { slot, how }: SlotResolution,
): Promise<{ found: FailedSlot; failed: readonly Opened[] }> {
  const [first] = opened
  if (first === undefined) throw new BackupError('there is no data directory')
  const failed: Opened[] = []
  const changed: NodeId[] = []
  const unaware: NodeId[] = []
  let value: LogEntry['value'] | undefined
  for (const node of opened) {
    const { nodeId, storage, genesis, directory } = node
    if (genesis.clusterId !== first.genesis.clusterId) {
      throw new BackupError(
        `node ${first.nodeId} is of cluster ${first.genesis.clusterId}, node ${nodeId} of ${genesis.clusterId}`,
      )
    }
    const { applyFailure, checkpoint, recovered } = storage
    if (applyFailure !== undefined && applyFailure.slot !== slot) {
      throw new BackupError(`node ${nodeId} has failed at slot ${applyFailure.slot}, not at slot ${slot}`)
    }
    if (recovered.decidedUpTo < slot) {
      unaware.push(nodeId)
      continue
    }
    if (applyFailure !== undefined) failed.push(node)
    else if (how === 'retry' || (await isSkipped(node, slot))) changed.push(nodeId)
    else {
      const hasPassed = checkpoint.appliedUpTo >= slot
      throw new BackupError(
        `node ${nodeId} (${directory}) ${hasPassed ? 'has carried out' : 'does not say that it failed at'} slot ${slot}: ` +
          (hasPassed
            ? 'it must not be skipped. Have it tried again on the others, or replace them'
            : 'start it once, and skip the slot if it stops with APPLY_FAILED'),
      )
    }
    const entry = await entryAt(node, slot)
    if (value !== undefined && entry !== undefined && !sameValue(value, entry.value)) {
      throw new BackupError(`node ${nodeId} holds another value in slot ${slot} than the others: nothing can be done about that`)
    }
    value ??= entry?.value
  }
  const found: FailedSlot = {
    clusterId: first.genesis.clusterId,
    voterIds: await votersOf(
      opened.reduce((a, b) => (b.storage.recovered.decidedUpTo > a.storage.recovered.decidedUpTo ? b : a)),
    ),
    failure: failed[0]?.storage.applyFailure,
    commandCount: value?.kind === 'batch' ? value.commands.length : 0,
    toChange: failed.map(({ nodeId }) => nodeId),
    changed,
    unaware,
  }
  if (slot === 0) throw new BackupError('slot 0 holds the initial commands: begin anew in empty directories')
  if (failed.length + changed.length === 0) throw new BackupError(`none of these nodes has come to slot ${slot}`)
  return { found, failed }
}

/** Undefined when the log does not hold it any more. */
async function entryAt({ storage }: Opened, slot: Slot): Promise<LogEntry | undefined> {
  const [entry] = slot > storage.compactedUpTo ? await storage.readLog(slot, slot, 0) : []
  return entry
}

async function isSkipped(node: Opened, slot: Slot): Promise<boolean> {
  if (node.storage.checkpoint.skippedSlots.includes(slot)) return true
  const entry = await entryAt(node, slot)
  return entry?.value.kind === 'batch' && entry.value.skipped === true
}

/** @throws BackupError when too few would skip it */
function checkMajority({ voterIds, toChange, changed }: FailedSlot, { slot, alsoOn }: SlotResolution): void {
  const all = new Set([...toChange, ...changed, ...alsoOn])
  const skipping = voterIds.filter((id) => all.has(id))
  if (skipping.length > voterIds.length / 2) return
  throw new BackupError(
    `a slot is skipped by a majority of the voters (${voterIds.join(', ')}), and these are only ${skipping.join(', ') || 'none of them'}. ` +
      `Name more directories; those on other machines by their nodes' numbers, and skip slot ${slot} in them, too, before any node starts`,
  )
}
