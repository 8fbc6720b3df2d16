import type { StateEntry } from './state-machine.js'

/** Prefix of the machine's entries among those of a checkpoint. */
export const MACHINE_PREFIX = 'machine/'

/** Joins the entries of the replication layer and of the machine, lazily. */
export function* joined(own: readonly Iterable<StateEntry>[], machine: Iterable<StateEntry>): Generator<StateEntry> {
  for (const entries of own) yield* entries
  for (const entry of machine) yield new MachineEntry(entry)
}

/** An entry of the machine under its prefix. The value is not looked at before its time: it may be encoded only then. */
class MachineEntry implements StateEntry {
  readonly key: string
  readonly keyspace: 'state' | 'history'
  readonly isNew: boolean
  readonly #entry: StateEntry

  constructor(entry: StateEntry) {
    this.key = MACHINE_PREFIX + entry.key
    this.keyspace = entry.keyspace
    this.isNew = entry.isNew === true
    this.#entry = entry
  }

  get value(): Uint8Array | undefined {
    return this.#entry.value
  }
}
