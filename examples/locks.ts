// Locks that end by themselves: a state machine of one's own with deadlines. examples/replicated-locks.ts runs it.
import { Deadlines, type Moment, type Restoration, type StateEntry, type StateMachine } from '../src/member.js'

/** A command is `NAME OWNER MS`, its result the owner of that lock then; a query is a name, its result the owner or nothing. */
export class Locks implements StateMachine {
  #owners = new Map<string, string>()
  #deadlines = new Deadlines(['lock'])

  apply(command: Uint8Array, { timeMs }: Moment): Uint8Array {
    const [name = '', owner = '', ttlMs] = new TextDecoder().decode(command).split(' ')
    const isFree = !this.#owners.has(name) || this.#owners.get(name) === owner
    if (isFree && Number(ttlMs) > 0) {
      this.#owners.set(name, owner)
      this.#deadlines.set('lock', name, timeMs + Number(ttlMs))
    }
    return this.query(new TextEncoder().encode(name))
  }

  query(query: Uint8Array): Uint8Array {
    return new TextEncoder().encode(this.#owners.get(new TextDecoder().decode(query)) ?? '')
  }

  /** The leader proposes a slot at this log time, though nobody writes. */
  get nextDeadlineMs(): number | undefined {
    return this.#deadlines.nextMs
  }

  onSlot({ timeMs }: Moment, endsMax: number): void {
    for (let ends = 0; ends < endsMax; ends++) {
      const due = this.#deadlines.takeDue(timeMs)
      if (due === undefined) return
      this.#owners.delete(due.id)
    }
  }

  changes(): Iterable<StateEntry> {
    return Array.from(this.#deadlines.takeChanges(), ({ key, row }) => ({
      key,
      value: row && new TextEncoder().encode(`${row.atMs} ${this.#owners.get(row.id)}`),
      keyspace: 'state' as const,
    }))
  }

  onCheckpointed(): void {}

  restore(): Restoration {
    this.#owners = new Map()
    this.#deadlines = new Deadlines(['lock'])
    return {
      load: (entries) => {
        for (const { key, value } of entries) {
          const [atMs, owner = ''] = new TextDecoder().decode(value).split(' ')
          this.#owners.set(key.slice('lock/'.length), owner)
          this.#deadlines.load(key, Number(atMs))
        }
      },
      finish: () => {},
    }
  }
}
