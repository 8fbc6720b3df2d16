/**
 * The interface of a replicated state machine. A small one needs little:
 *
 *   apply, query   do the work
 *   changes        gives the state as entries, all of it each time if it is small: `[{ key: 'sum', value, keyspace: 'state' }]`
 *   onCheckpointed does nothing
 *   restore        begins anew, and gives back what takes the entries in: `{ load: (entries) => …, finish: () => {} }`
 *
 * examples/replicated-counter.ts is such a one; examples/locks.ts is one whose rows end by themselves. A big one must not stop the node while a checkpoint is made, nor grow with all that ever
 * happened: it gives only what has changed, lazily, and leaves on disk what is seldom looked at (app/replicated-books.ts does both).
 */

import type { EventLog } from './event-log.js'

/** All that a state machine may know of the world when it applies a command: where in the log, and the log's clock. */
export interface Moment {
  /** From 1; 0 for the initial commands. */
  readonly slot: number
  /** Log time: what the leader wrote into the slot (see paxos/log-clock.ts), ms since 1970, never going back. The only time there is. */
  readonly timeMs: number
  /** The level in force, from 1: what a command means is decided by it and the command alone; see levels.ts. */
  readonly level: number
  /**
   * By how many bytes the state may grow until it has reached its quota; below 0 when it is past it. A command that would make it grow
   * further is for the machine to refuse, if it counts (see stateBytes). Absent: there is no quota.
   */
  readonly roomBytes?: number
  /** The quota itself, in bytes. Absent: there is none. */
  readonly quotaBytes?: number
}

/** Number of things that end by themselves in one slot, at most, sessions included: the others end in the slots that follow. */
export const ENDS_PER_SLOT_MAX = 1_000

/** One entry of a checkpoint. */
export interface StateEntry {
  /** At most 8,192 bytes of UTF-8, well-formed. The two keyspaces have nothing to do with each other. */
  readonly key: string
  /** Absent: the entry is gone since the last checkpoint. May be a getter that encodes: it is asked once, some time later. */
  readonly value: Uint8Array | undefined
  /** 'state': handed to load() at a restart. 'history': stands only on disk, and is read back through HistoryReader. */
  readonly keyspace: 'state' | 'history'
  /** No checkpoint has had an entry of this key: spares a look at what stands there, which costs as much as the entry itself. */
  readonly isNew?: boolean
}

/**
 * Reads 'history' entries as of the last checkpoint that onCheckpointed has told of, or that was restored. Those that the checkpoint under
 * way changes may be read as they are in it already: so the machine keeps what changes() gave until onCheckpointed, and looks there first.
 */
export interface HistoryReader {
  /** Synchronous, some microseconds; perhaps a view of a bigger buffer. @throws when the disk fails: in apply, the node stops then */
  read(key: string): Uint8Array | undefined
}

/** Takes a machine's state in. Until finish() the machine is asked nothing. */
export interface Restoration {
  /** A page of 'state' entries, ascending by the UTF-8 bytes of the key over all pages. Views of bigger buffers: copy what is kept. */
  load(entries: readonly StateEntry[]): void
  /** All are there: from now on the machine is what it was when they were taken. */
  finish(): void
}

/**
 * A deterministic state machine: the same commands in the same order give the same results and the same state, on every node and
 * in every year, whenever checkpoints are made. No clock, no chance, no I/O, no iteration order that differs by node.
 */
export interface StateMachine {
  /**
   * Optional. The highest level that this version of the machine knows, from 1, which is also the default. A version that changes what a
   * command does, or how entries stand in a checkpoint, knows one level more than the version before, and does the new only where
   * Moment.level allows it. Members with different versions replicate the same log until the level is raised (MemberApi.raiseLevel).
   */
  readonly levelMax?: number
  /** Optional. Told of the level in force, for queries: before anything is applied, restored or asked at it. */
  onLevel?(level: number): void
  /**
   * About how many bytes of memory the state takes: the same on every node, so by what it holds alone, and restored with it. Counts
   * against the cluster's quota, with the sessions. Absent: the machine does not count, and its growth is not bounded.
   */
  readonly stateBytes?: number
  /**
   * About how many bytes of memory everything takes that was ever written, and what it took the place of: as long as no checkpoint has it,
   * it may be kept beside the state. Only the difference between two commands counts, which is the same on every node. Checkpoints are as
   * far apart as it says; absent: as the commands' own bytes say.
   */
  readonly writtenBytes?: number
  /**
   * Optional. The machine's revision, and its changes as events, which members can follow (see CommitFeed). Another one after each restore.
   * Absent: the machine has no events.
   */
  readonly events?: EventLog
  /**
   * Carries a command out. Must not throw for any bytes: what is wrong with a command is a result, too. A throw stops the node with
   * APPLY_FAILED, and it does not start again before an operator has said what is to become of the slot. Each command's work should have
   * a bound: nothing else happens on the node meanwhile.
   */
  apply(command: Uint8Array, at: Moment): Uint8Array
  /**
   * Optional. In the place of apply, for a command that takes more than some milliseconds: undefined for every other. Each step of the walk
   * does a part of the work, and what the walk returns is the result. Between two steps the node talks to others, but asks the machine
   * nothing: neither a read nor a checkpoint sees a command half done.
   */
  applyInSteps?(command: Uint8Array, at: Moment): Generator<undefined, Uint8Array> | undefined
  /**
   * Optional. Called once for each slot that brings time, before its commands, also where it has none: ends what is due by itself, at most
   * `endsMax` things, and leaves the rest for the slots that follow. Must not throw. See Deadlines.
   */
  onSlot?(at: Moment, endsMax: number): void
  /** Optional. In the place of onSlot, in steps, as applyInSteps; undefined when nothing is due, which most slots find. */
  onSlotInSteps?(at: Moment, endsMax: number): Generator<undefined, void> | undefined
  /**
   * Optional. Log time from which onSlot has something to do, in ms since 1970; undefined: there is nothing. The leader sees to it that a
   * slot comes then, though nobody writes. Asked often: O(1).
   */
  readonly nextDeadlineMs?: number | undefined
  /**
   * Answers a read from the current state, without changing it. May throw, when what it meets cannot be, or cannot be read back: whoever
   * asked is told DATA_DAMAGED, and the node goes on.
   */
  query(query: Uint8Array): Uint8Array
  /**
   * Optional. The answer to a command that only asks something, as a read through the log does. Of such a command apply gives, and nodes
   * compare, no more than that it stands in the log; this is called where somebody waits for it, right after apply. As query, it changes
   * nothing and may throw. Undefined for every other command: what apply gave is the answer.
   */
  answer?(command: Uint8Array): Uint8Array | undefined
  /**
   * The entries that have changed since the last call, for a checkpoint taken now: all of them at the first call after a restore of
   * nothing, and those that changed since after any other. To be walked once, later, in pieces, while commands are applied: what is
   * yielded must be the state of now all the same, each key at most once. The walk ends, and onCheckpointed is called, before the next
   * call; otherwise the process ends, or the machine is restored.
   */
  changes(): Iterable<StateEntry>
  /** The entries of the last changes() are durable: history among them can be read back, copies of it may be dropped. */
  onCheckpointed(): void
  /**
   * Called before anything is applied, at every start, of a new cluster with nothing to load; and again, while running, when a
   * checkpoint of a peer replaces whatever state there is. That is on disk then, so the old state is to be let go of at once: memory has
   * no room for two.
   */
  restore(history: HistoryReader): Restoration
}
