import { Sessions } from '../../src/machine/sessions.js'
import { nodeOf } from '../../src/paxos/ballot.js'
import { Tally } from '../../src/paxos/membership.js'
import { Node, type NodeSettings } from '../../src/paxos/node.js'
import type { ReadGrant, Ready } from '../../src/paxos/outbox.js'
import { Scout } from '../../src/paxos/scout.js'
import type { DurableRecord, LogEntry, NodeId, Slot } from '../../src/paxos/types.js'
import { type DiskUser, SimulatedDisk } from '../../src/sim/disk.js'
import type { NodeParts } from '../../src/sim/simulated-process.js'
import type { Batch, Database } from '../../src/storage/database.js'
import type { OpenDirectory } from '../../src/storage/open-directory.js'
import { sessionCodec } from '../../src/wire/state.js'

/** A deliberate bug. */
export interface Mutation {
  readonly name: string
  /** Defective parts in the place of the real ones. */
  readonly parts?: Partial<NodeParts>
  /** Breaks something shared; gives back how to mend it. */
  readonly break?: () => () => void
}

type Host = Parameters<Node['ready']>[0]

/** For bugs that make a difference between the node itself and the others. */
class NodeWithId extends Node {
  protected readonly self: NodeId
  constructor(settings: NodeSettings) {
    super(settings)
    this.self = settings.self
  }
}

class AnswersBeforeSync extends NodeWithId {
  override ready(host: Host): Ready {
    const ready = super.ready(host)
    const own = ready.onceDurable.filter(({ to }) => to === this.self)
    const others = ready.onceDurable.filter(({ to }) => to !== this.self)
    return { ...ready, messages: [...ready.messages, ...others], onceDurable: own }
  }
}

class CountsItsVoteBeforeSync extends NodeWithId {
  override ready(host: Host): Ready {
    const ready = super.ready(host)
    this.onDurable(ready)
    return { ...ready, onceDurable: ready.onceDurable.filter(({ to }) => to !== this.self) }
  }
}

class ForgetsItsOwnBallots extends NodeWithId {
  override ready(host: Host): Ready {
    const ready = super.ready(host)
    const isOwnBallot = (record: DurableRecord) => record.kind === 'promised' && nodeOf(record.ballot) === this.self
    return { ...ready, records: ready.records.filter((record) => !isOwnBallot(record)) }
  }
}

class ReadsWithoutAsking extends Node {
  #granted: ReadGrant[] = []
  override read(token: number): void {
    if (this.phase === 'leading') this.#granted.push({ token, slot: this.decidedUpTo })
    else super.read(token)
  }
  override ready(host: Host): Ready {
    const ready = super.ready(host)
    const reads = [...ready.reads, ...this.#granted]
    this.#granted = []
    return { ...ready, reads }
  }
}

/** Says "synced" when the write has only reached the system's memory. */
class LyingDisk extends SimulatedDisk {
  override async open(user: DiskUser): Promise<OpenDirectory> {
    const directory = await super.open(user)
    const { db } = directory
    const batch = (): Batch => {
      const inner = db.batch()
      return {
        put: (key, record) => inner.put(key, record),
        del: (key) => inner.del(key),
        write: () => inner.write({ sync: false }),
      }
    }
    const unsynced: Database = {
      batch,
      getMany: (keys) => db.getMany(keys),
      iterator: (range) => db.iterator(range),
      close: () => db.close(),
    }
    return { ...directory, db: unsynced }
  }
}

function forgetResults(): () => void {
  return replace(
    Sessions.prototype,
    'restore',
    (restore) =>
      function (this: Sessions, entries) {
        restore.call(
          this,
          [...entries].map(({ key, value }) =>
            key.startsWith('session/') && value !== undefined
              ? { key, value: sessionCodec.encodeSession({ ...sessionCodec.decodeSession(value), results: [] }) }
              : { key, value },
          ),
        )
      },
  )
}

/** Puts another method in the place of one; gives back how to undo it. */
function replace<T extends object, K extends keyof T>(target: T, name: K, wrap: (original: T[K]) => T[K]): () => void {
  const original = target[name]
  target[name] = wrap(original)
  return () => {
    target[name] = original
  }
}

/** Every reply counts, whoever sent it: a repeated one stands for a member that has not answered. */
function countReplies(): () => void {
  return replace(
    Tally.prototype,
    'add',
    (add) =>
      function (this: Tally, nodeId) {
        const before = this.count
        add.call(this, nodeId)
        for (let other = 1; other <= 5 && this.count === before; other++) add.call(this, other)
      },
  )
}

/** The promises come as they were sent: of each slot the lowest ballot wins. */
function proposeLowestBallot(): () => void {
  const lowest = new WeakMap<Scout, Map<Slot, LogEntry>>()
  const mendPromise = replace(
    Scout.prototype,
    'onPromise',
    (onPromise) =>
      function (this: Scout, from, m) {
        const entries = lowest.get(this) ?? new Map<Slot, LogEntry>()
        lowest.set(this, entries)
        for (const entry of m.accepted) {
          if (entry.ballot < (entries.get(entry.slot)?.ballot ?? Infinity)) entries.set(entry.slot, entry)
        }
        return onPromise.call(this, from, m)
      },
  )
  const mendEntries = replaceOpenEntries((entries, scout) => entries.map((entry) => lowest.get(scout)?.get(entry.slot) ?? entry))
  return () => {
    mendEntries()
    mendPromise()
  }
}

function replaceOpenEntries(change: (entries: LogEntry[], scout: Scout, decidedUpTo: Slot) => LogEntry[]): () => void {
  return replace(
    Scout.prototype,
    'openEntries',
    (openEntries) =>
      function (this: Scout, decidedUpTo) {
        const entries = [...openEntries.call(this, decidedUpTo).values()].toSorted((a, b) => a.slot - b.slot)
        return new Map(change(entries, this, decidedUpTo).map((entry) => [entry.slot, entry]))
      },
  )
}

/** Where nobody has accepted anything, the value of the next slot moves in. */
function closeGaps(): () => void {
  return replaceOpenEntries((entries, _scout, decidedUpTo) =>
    entries.map((entry, i) => ({ ...entry, slot: decidedUpTo + 1 + i })),
  )
}

/** New commands go where a gap is, and over what was accepted above it. */
function forgetAboveGaps(): () => void {
  return replaceOpenEntries((entries, _scout, decidedUpTo) => entries.filter((entry, i) => entry.slot === decidedUpTo + 1 + i))
}

function proposeNothingAgain(): () => void {
  return replaceOpenEntries(() => [])
}

export const MUTATIONS: readonly Mutation[] = [
  { name: 'answers leave before the sync', parts: { makeNode: (settings) => new AnswersBeforeSync(settings) } },
  { name: 'the own vote counts before the sync', parts: { makeNode: (settings) => new CountsItsVoteBeforeSync(settings) } },
  {
    name: 'the promise is forgotten at a restart',
    parts: {
      makeNode: (settings) => {
        const { recovered } = settings
        const promised = recovered.accepted.reduce((highest, entry) => Math.max(highest, entry.ballot), 0)
        return new Node({ ...settings, recovered: { ...recovered, promised } })
      },
    },
  },
  {
    name: 'accepted values are forgotten at a restart',
    parts: { makeNode: (settings) => new Node({ ...settings, recovered: { ...settings.recovered, accepted: [] } }) },
  },
  { name: 'a ballot is used again after a restart', parts: { makeNode: (settings) => new ForgetsItsOwnBallots(settings) } },
  { name: 'the disk says "synced" too early', parts: { makeDisk: (settings) => new LyingDisk(settings) } },
  { name: 'a read is answered without a heartbeat round', parts: { makeNode: (settings) => new ReadsWithoutAsking(settings) } },
  { name: 'results of sessions are lost at a restart', break: forgetResults },
  { name: 'replies are counted instead of members', break: countReplies },
  { name: 'the value of the lowest ballot is proposed again', break: proposeLowestBallot },
  { name: 'gaps are closed instead of filled', break: closeGaps },
  { name: 'what was accepted above a gap is not proposed again', break: forgetAboveGaps },
  { name: 'nothing is proposed again', break: proposeNothingAgain },
]
