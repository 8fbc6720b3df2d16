import { assert } from './assert.js'

/** The marks of a change list on each record: nothing that the record is about. */
export interface Listed<S> {
  /** The round in which it was last put on the list; 0 when it is on no list. */
  changedIn: number
  /** Its state when the list was taken, if it has changed since and is yet to be walked. */
  kept: S | undefined
}

/** A record, and what it was when the checkpoint was taken. */
export interface Change<R, S> {
  readonly record: R
  readonly state: S
}

/**
 * The records that have changed since the last checkpoint was taken, and their states then. Taking the list costs the same however long
 * it is: it is walked later, in pieces, while records go on changing. Who changes one that has yet to be walked keeps its state aside
 * first (copy on write). Marks on the records, not a set of them: a set that grows to a million stops the node while it is rehashed, and
 * one of 2^24 takes no more.
 */
export class ChangeList<R extends Listed<S>, S> {
  readonly #stateOf: (record: R) => S
  /** Counts checkpoints, from 2: a record never yet listed is of round 0. */
  #round = 2
  #changed: R[] = []
  #isWalking = false

  /** `stateOf`: what is to be walked of a record; never changed afterwards. */
  constructor(stateOf: (record: R) => S) {
    this.#stateOf = stateOf
  }

  /** Call it before a record changes, not after. */
  onChange(record: R): void {
    if (record.changedIn === this.#round) return
    if (this.#isWalking && record.changedIn === this.#round - 1) record.kept = this.#stateOf(record)
    record.changedIn = this.#round
    this.#changed.push(record)
  }

  /** Returns whether the record has changed since the list was last taken. */
  has(record: R): boolean {
    return record.changedIn === this.#round
  }

  /** Each record that has changed since the last call, once, as it is now, however late it is walked. One walk at a time. */
  take(): Generator<Change<R, S>> {
    assert(!this.#isWalking, 'one walk over the changes ends before the next begins')
    const records = this.#changed
    this.#changed = []
    this.#isWalking = true
    this.#round++
    return this.#walk(records, this.#round - 1)
  }

  *#walk(records: readonly R[], round: number): Generator<Change<R, S>> {
    for (const record of records) {
      if (record.changedIn === round) {
        record.changedIn = 0
        yield { record, state: this.#stateOf(record) }
      } else {
        const state = record.kept as S
        record.kept = undefined
        yield { record, state }
      }
    }
    this.#isWalking = false
  }
}
